"""Step 2/10 - syllables: consonants go to the following vowel as far as English lets a syllable begin that way."""

from __future__ import annotations

from collections.abc import Sequence

from elocute.phones.inventory import VOWELS, split_stress

_ONSETS: frozenset[tuple[str, ...]] = frozenset(
    tuple(onset.split())
    for onset in (
        "P|B|T|D|K|G|F|V|TH|DH|S|Z|SH|ZH|HH|CH|JH|M|N|L|R|W|Y|"
        "P L|P R|P Y|B L|B R|B Y|T R|T W|T Y|D R|D W|D Y|K L|K R|K W|K Y|G L|G R|G W|G Y|"
        "F L|F R|F Y|V Y|V R|TH R|TH W|TH Y|SH R|HH Y|HH W|M Y|N Y|L Y|"
        "S P|S T|S K|S F|S M|S N|S L|S W|S Y|"
        "S P L|S P R|S P Y|S T R|S T Y|S K R|S K W|S K L|S K Y"
    ).split("|")
)


def syllable_indices(phones: Sequence[str]) -> tuple[int, ...]:
    """Index of the syllable of every phone of a word, by the maximal-onset principle.

    Every vowel is the nucleus of one syllable. Of the consonants between two vowels the longest ending that may begin
    an English syllable opens the second one. A word without vowel is one syllable.

    Args:
        phones: ARPABET, stress digits optional.

    Returns: as many indices as phones, starting at 0 and never falling.

    >>> syllable_indices(("EH1", "K", "S", "T", "R", "AH0"))
    (0, 0, 1, 1, 1, 1)
    """
    bare = [split_stress(phone)[0] for phone in phones]
    nuclei = [i for i, phone in enumerate(bare) if phone in VOWELS]
    starts = []
    for left, right in zip(nuclei, nuclei[1:], strict=False):
        start = left + 1
        while start < right and tuple(bare[start:right]) not in _ONSETS:
            start += 1
        starts.append(start)
    indices, syllable = [], 0
    for i in range(len(bare)):
        while syllable < len(starts) and i >= starts[syllable]:
            syllable += 1
        indices.append(syllable)
    return tuple(indices)
