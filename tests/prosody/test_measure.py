"""Which stress is accepted, whichever pronunciation was heard."""

from __future__ import annotations

import pytest

from elocute.phones import phonemize
from elocute.prosody.measure import accepted_stresses


@pytest.mark.parametrize(
    ("word", "syllables"),
    [("record", {0, 1}), ("yourself", {0, 1}), ("father", {0}), ("hotel", {1}), ("cat", {0}), ("banana", {1})],
)
def test_heteronyms_accept_either(word: str, syllables: set[int]):
    assert accepted_stresses(phonemize(word).words[0]) == syllables


def test_only_pronunciations_of_as_many_syllables_count():
    """Every is said in two or in three; what is given alone accepts itself."""
    (word,) = phonemize("every").words
    assert accepted_stresses(word) == {0}
    (given,) = phonemize("record", pronunciations=[["R", "EH1", "K", "ER0", "D"]]).words
    assert accepted_stresses(given) == {0}
    (bare,) = phonemize("blorptangle", pronunciations=[["B", "L", "AO", "R", "P", "T", "AE", "NG", "L"]]).words
    assert accepted_stresses(bare) == frozenset()
