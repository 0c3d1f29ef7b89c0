import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.phones import VOWELS, split_stress
from elocute.phones.lexicon import SYMBOLS, default_lexicon
from elocute.phones.syllables import syllable_indices


def parts(phones: str) -> str:
    split = phones.split()
    indices = syllable_indices(split)
    return ".".join(
        " ".join(p for p, at in zip(split, indices, strict=True) if at == index) for index in range(indices[-1] + 1)
    )


@pytest.mark.parametrize(
    ("phones", "expected"),
    [
        ("EH1 K S T R AH0", "EH1 K.S T R AH0"),
        ("W AO1 T ER0", "W AO1.T ER0"),
        ("S IH1 NG ER0", "S IH1 NG.ER0"),
        ("AE1 T L AH0 S", "AE1 T.L AH0 S"),
        ("K AA1 N S T AH0 N T", "K AA1 N.S T AH0 N T"),
        ("HH AE1 P IY0", "HH AE1.P IY0"),
        ("K R IY0 EY1 T", "K R IY0.EY1 T"),
        ("S T R EH1 NG K TH S", "S T R EH1 NG K TH S"),
        ("M Y UW1 Z IH0 K", "M Y UW1.Z IH0 K"),
        ("B Y UW1 T AH0 F AH0 L", "B Y UW1.T AH0.F AH0 L"),
        ("AH0 P R OW1 CH", "AH0.P R OW1 CH"),
        ("P R AA1 B L AH0 M", "P R AA1.B L AH0 M"),
        ("S IH1 K S TH S", "S IH1 K S TH S"),
        ("V IH1 ZH AH0 N", "V IH1.ZH AH0 N"),
        ("HH M", "HH M"),
    ],
)
def test_maximal_onsets(phones, expected):
    assert parts(phones) == expected


@given(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=15))
def test_every_vowel_is_the_nucleus_of_one_syllable(phones):
    indices = syllable_indices(phones)
    assert len(indices) == len(phones)
    assert indices[0] == 0
    assert all(b - a in (0, 1) for a, b in zip(indices, indices[1:], strict=False))
    nuclei = [at for phone, at in zip(phones, indices, strict=True) if split_stress(phone)[0] in VOWELS]
    assert nuclei == list(range(len(nuclei)))
    assert indices[-1] == max(len(nuclei) - 1, 0)


def test_no_word_of_the_lexicon_begins_a_later_syllable_with_ng():
    lexicon = default_lexicon()
    for word in list(lexicon.words())[::37]:
        for variant in lexicon.get(word):
            indices = syllable_indices(variant)
            starts = [p for i, p in enumerate(variant) if i and indices[i] != indices[i - 1]]
            assert "NG" not in starts, word
