"""The embedded scorer: a small ONNX graph, transformers and trees, from features to scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elocute.assets import open_model, read_card
from elocute.errors import ConfigError
from elocute.scorer.context import CONTEXT_FEATURES, UTTERANCE_CONTEXT, phone_context, utterance_context
from elocute.scorer.features import PHONE_FEATURES, UTTERANCE_FEATURES, Features
from elocute.types import Float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Scores of one utterance, every one 0 to 1.

    Attributes:
        phone: shape (L,), accuracy.
        error_log_odds: shape (L,), log-odds that people would call the phone wrong; this one is not 0 to 1.
        word_accuracy: shape (W,).
        word_stress: shape (W,).
        word_total: shape (W,).
        accuracy: of the utterance.
        fluency: of the utterance.
        prosodic: of the utterance.
        total: of the utterance.
    """

    phone: Float64
    error_log_odds: Float64
    word_accuracy: Float64
    word_stress: Float64
    word_total: Float64
    accuracy: float
    fluency: float
    prosodic: float
    total: float


class EmbeddedScorer:
    """Runs `assets/scorer.onnx`; its facts, and which features it takes, come from the card beside it.

    Raises:
        ConfigError: the asset was trained on a feature that this version does not compute.
    """

    name = "embedded"

    def __init__(self) -> None:
        self.card = read_card("scorer")
        names = self.card["features"]
        unknown = [name for name in names if name not in (*PHONE_FEATURES, *UTTERANCE_FEATURES)]
        if unknown:
            raise ConfigError(
                f"assets/scorer.onnx needs the feature {unknown[0]!r}, which this version does not compute; reinstall"
            )
        contexts = self.card["context_features"], self.card["utterance_context_features"]
        if contexts != (list(CONTEXT_FEATURES), list(UTTERANCE_CONTEXT)):
            raise ConfigError(
                "the trees of assets/scorer.onnx need another context than this version computes; reinstall"
            )
        self._phone_columns = [PHONE_FEATURES.index(name) for name in names if name in PHONE_FEATURES]
        self._utterance_columns = [UTTERANCE_FEATURES.index(name) for name in names if name in UTTERANCE_FEATURES]
        self._session = open_model("scorer", threads=1)  # the graph is too small to share

    @property
    def version(self) -> str:
        """Version of the weights."""
        return str(self.card["version"])

    def score(self, features: Features) -> Scores:
        """Score one utterance."""
        words = int(features.word_ids[-1]) + 1
        member = (features.word_ids[:, None] == np.arange(words)).astype(np.float32)
        phone, word, whole, error = self._session.run(
            ["phone_score", "word_score", "utterance_score", "error_log_odds"],
            {
                "phone": features.phone[:, self._phone_columns],
                "utterance": features.utterance[self._utterance_columns],
                "phone_ids": features.phone_ids.astype(np.int64),
                "member": member,
                "context": phone_context(features),
                "utterance_context": utterance_context(features)[None],
            },
        )
        phone, word, whole = (np.clip(part.astype(np.float64) / 2, 0.0, 1.0) for part in (phone, word, whole))
        return Scores(
            phone=phone,
            error_log_odds=error.astype(np.float64),
            word_accuracy=word[:, 0],
            word_stress=word[:, 1],
            word_total=word[:, 2],
            accuracy=float(whole[0]),
            fluency=float(whole[1]),
            prosodic=float(whole[2]),
            total=float(whole[3]),
        )
