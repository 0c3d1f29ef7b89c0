"""Step 2/10 - text to canonical phones, their syllables and stress, and the variants that are accepted."""

from __future__ import annotations

from elocute.phones.g2p import G2P, check_g2p, load_g2p
from elocute.phones.inventory import (
    PHONES,
    VOWELS,
    ipa_name,
    parse_arpabet,
    parse_ipa,
    split_stress,
    to_ipa,
    with_stress,
)
from elocute.phones.lexicon import UserLexicon
from elocute.phones.pronounce import phonemize

__all__ = [
    "G2P",
    "PHONES",
    "VOWELS",
    "UserLexicon",
    "check_g2p",
    "ipa_name",
    "load_g2p",
    "parse_arpabet",
    "parse_ipa",
    "phonemize",
    "split_stress",
    "to_ipa",
    "with_stress",
]
