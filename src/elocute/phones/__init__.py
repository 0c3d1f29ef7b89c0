"""Step 2/10 - text to canonical phones, their syllables and stress, and the variants that are accepted."""

from __future__ import annotations

from elocute.phones.inventory import PHONES, VOWELS, ipa_name, parse_arpabet, parse_ipa, split_stress, to_ipa
from elocute.phones.lexicon import UserLexicon
from elocute.phones.pronounce import phonemize

__all__ = [
    "PHONES",
    "VOWELS",
    "UserLexicon",
    "ipa_name",
    "parse_arpabet",
    "parse_ipa",
    "phonemize",
    "split_stress",
    "to_ipa",
]
