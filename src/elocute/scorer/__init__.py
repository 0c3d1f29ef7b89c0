"""Step 7/10 - scores: features of the lattice and the timing to phone, word and utterance scores."""

from elocute.scorer.features import PHONE_FEATURES, UTTERANCE_FEATURES, Analysis, Features, analyse

__all__ = ["PHONE_FEATURES", "UTTERANCE_FEATURES", "Analysis", "Features", "analyse"]
