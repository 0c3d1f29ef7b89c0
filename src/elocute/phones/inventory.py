"""Step 2/10 - the 39 phones: ARPABET symbols, their IPA names, and both notations read and checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from elocute.errors import PhoneError

if TYPE_CHECKING:
    from elocute.types import Phone

_NAMES = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "B": "b", "CH": "tʃ", "D": "d", "DH": "ð",
    "EH": "ɛ", "ER": "ɝ", "EY": "eɪ", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "dʒ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "ŋ", "OW": "oʊ", "OY": "ɔɪ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ",
    "T": "t", "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip

PHONES: tuple[str, ...] = tuple(_NAMES)
"""The 39 ARPABET phones without stress digits, alphabetical; the order every model of ours uses."""

VOWELS: frozenset[str] = frozenset(
    ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
)
"""The 15 phones that carry a syllable and a stress digit."""

_REDUCED = {"AH": "ə", "ER": "ɚ"}

# What IPA writers use for English, RP and narrow symbols included, in terms of the 39. Longer keys win. The centring
# diphthongs of RP become vowel + schwa; a flap and a glottal stop become T, the phone that dictionaries write there.
_FROM_IPA: dict[str, tuple[str, ...]] = {name: (symbol,) for symbol, name in _NAMES.items()} | {
    "ʧ": ("CH",), "ʤ": ("JH",),
    "ai": ("AY",), "au": ("AW",), "aw": ("AW",), "aj": ("AY",), "ɑɪ": ("AY",), "ɑʊ": ("AW",), "ʌɪ": ("AY",),
    "ei": ("EY",), "ej": ("EY",), "ɛɪ": ("EY",), "ou": ("OW",), "ow": ("OW",), "əʊ": ("OW",), "əu": ("OW",),
    "ɔi": ("OY",), "ɔj": ("OY",), "oɪ": ("OY",), "oi": ("OY",), "ɒɪ": ("OY",),
    "ɪə": ("IH", "AH0"), "iə": ("IY", "AH0"), "eə": ("EH", "AH0"), "ɛə": ("EH", "AH0"), "ʊə": ("UH", "AH0"),
    "ə": ("AH0",), "ɚ": ("ER0",), "ɜ": ("ER",), "ɜ˞": ("ER",), "ə˞": ("ER0",), "ɝ": ("ER",), "əː": ("ER",),
    "ɜɹ": ("ER",), "ɜr": ("ER",), "ɜːɹ": ("ER",), "ɜːr": ("ER",), "ɝɹ": ("ER",), "ɚɹ": ("ER0",),
    "ɒ": ("AA",), "ɐ": ("AH",), "a": ("AE",), "aː": ("AA",), "e": ("EH",), "eː": ("EY",), "o": ("OW",),
    "oː": ("AO",), "ɪ": ("IH",), "ɨ": ("IH",), "ᵻ": ("IH",), "ɩ": ("IH",), "ʉ": ("UW",), "ɷ": ("UH",), "ɵ": ("UH",),
    "ᵿ": ("UH",), "ɤ": ("AH",), "ɘ": ("AH0",), "ɞ": ("ER",),
    "g": ("G",), "r": ("R",), "ɻ": ("R",), "ɺ": ("R",), "ʀ": ("R",), "ʁ": ("R",), "ɫ": ("L",), "ɬ": ("L",),
    "ɾ": ("T",), "ʔ": ("T",), "ɱ": ("M",), "ɲ": ("N", "Y"), "x": ("K",), "ç": ("HH",), "ɦ": ("HH",), "ʍ": ("HH", "W"),
    "hw": ("HH", "W"), "ʋ": ("V",), "ʂ": ("SH",), "ʐ": ("ZH",), "ɕ": ("SH",), "ʑ": ("ZH",),
}  # fmt: skip
_LONGEST_KEY = max(map(len, _FROM_IPA))
_STRESS_MARKS = {"ˈ": 1, "'": 1, "ˌ": 2, ",": 2}
_SYLLABIC = "\u0329"
# Brackets, syllable dots, spaces, length (it matters inside the keys above only), aspiration and colouring.
_SILENT = frozenset("/[]().‿| \t\nːˑ:ʰʲʷˠ˞")
# Marks that do not change which of the 39 phones is meant: tie bars, nasality, dentality, voicing, release, place.
_DIACRITICS = frozenset("\u0361\u035c\u0303\u032a\u0325\u032c\u031a\u0306\u031f\u0320\u0308\u031e\u031d")


def split_stress(symbol: str) -> tuple[str, int | None]:
    """ARPABET symbol without its stress digit, and the digit; None where there is none."""
    return (symbol[:-1], int(symbol[-1])) if symbol[-1].isdigit() else (symbol, None)


def with_stress(phone: Phone) -> str:
    """ARPABET symbol of a phone with its stress digit, where it has one; `split_stress` takes it apart."""
    return phone.symbol if phone.stress is None else f"{phone.symbol}{phone.stress}"


def ipa_name(symbol: str, stress: int | None = None) -> str:
    """IPA name (General American) of an ARPABET phone.

    Args:
        symbol: one of PHONES, with or without stress digit.
        stress: 0 gives the reduced vowels, schwa for AH and r-coloured schwa for ER; a digit in `symbol` wins.

    Raises:
        PhoneError: the symbol is not one of the 39.

    >>> ipa_name("AH1"), ipa_name("AH", 0), ipa_name("TH")
    ('ʌ', 'ə', 'θ')
    """
    base, digit = split_stress(symbol) if symbol else ("", None)
    if base not in _NAMES:
        raise PhoneError(_unknown(symbol))
    return _REDUCED.get(base, _NAMES[base]) if (stress if digit is None else digit) == 0 else _NAMES[base]


def _unknown(symbol: str) -> str:
    """Message for a symbol that is no ARPABET phone."""
    return (
        f"{symbol!r} is not an ARPABET phone; use one of {' '.join(PHONES)}, vowels with an optional stress 0, 1 or 2"
    )


def parse_arpabet(symbols: str | Sequence[str]) -> tuple[str, ...]:
    """Checked ARPABET phones in upper case, stress digits kept where given.

    Args:
        symbols: "TH IH1 NG K" or its parts; letter case does not matter.

    Raises:
        PhoneError: no phone at all, an unknown phone, a stress digit on a consonant or above 2.

    >>> parse_arpabet("th ih1 ng k")
    ('TH', 'IH1', 'NG', 'K')
    """
    parts = symbols.split() if isinstance(symbols, str) else symbols
    phones = tuple(part.upper() for part in parts)
    if not phones:
        raise PhoneError("a pronunciation has no phones; give at least one ARPABET phone such as 'AH0'")
    for phone in phones:
        base, _ = (phone[:-1], phone[-1]) if phone[-1:] in ("0", "1", "2") else (phone, "")
        if base not in _NAMES:
            raise PhoneError(_unknown(phone))
        if base != phone and base not in VOWELS:
            raise PhoneError(f"{phone!r} has a stress digit on a consonant; write {base!r}")
    return phones


def to_ipa(phones: Sequence[str]) -> str:
    """IPA string of ARPABET phones, a stress mark in front of every stressed vowel's phone.

    The mark stands directly before the vowel, not before the onset, so that no syllabification is implied.

    >>> to_ipa(("TH", "IH1", "NG", "K", "ER0"))
    'θˈɪŋkɚ'
    """
    out = []
    for phone in phones:
        _, stress = split_stress(phone)
        out.append({1: "ˈ", 2: "ˌ"}.get(stress or 0, "") + ipa_name(phone))
    return "".join(out)


def parse_ipa(text: str) -> tuple[str, ...]:
    """ARPABET phones of an English pronunciation in IPA.

    Takes slashes or brackets, stress, length and syllable marks, tie bars, syllabic consonants, and the symbols of
    the usual General American and RP dictionaries. Vowels without a mark are unstressed where the word has any stress
    mark; a single full vowel without marks is stressed; otherwise stress stays unknown and vowels carry no digit.

    Raises:
        PhoneError: a symbol that is not English IPA, with its place; or no phone at all.

    >>> parse_ipa("/ˈwɔːtə/"), parse_ipa("kæt")
    (('W', 'AO1', 'T', 'AH0'), ('K', 'AE1', 'T'))
    """
    source, origin = _bare_ipa(text)
    phones: list[str] = []
    marks: dict[int, int] = {}
    pending: int | None = None
    at = 0
    while at < len(source):
        symbol = source[at]
        if symbol in _STRESS_MARKS:
            pending = _STRESS_MARKS[symbol]
            at += 1
            continue
        found, used = _match_ipa(source, at)
        if not found and symbol == _SYLLABIC and phones:
            phones[-1:] = ["ER0"] if phones[-1] == "R" else ["AH0", phones[-1]]
            used = 1
        elif not found and symbol not in _SILENT:
            name = unicodedata.name(symbol, "unnamed character")
            raise PhoneError(f"{symbol!r} ({name}) at place {origin[at]} of {text!r} is not an IPA symbol of English")
        for phone in found:
            if pending is not None and split_stress(phone)[0] in VOWELS:
                marks[len(phones)], pending = pending, None
            phones.append(phone)
        at += used or 1
    if not phones:
        raise PhoneError(f"{text!r} has no phone in it; write a pronunciation in IPA such as /kæt/")
    return _with_stress(phones, marks)


def _bare_ipa(text: str) -> tuple[str, list[int]]:
    """IPA without the diacritics that do not matter, and the place in the text, from 1, of every character left."""
    out: list[str] = []
    places: list[int] = []
    for place, char in enumerate(unicodedata.normalize("NFC", text), 1):
        kept = [c for c in (char if char == "ç" else unicodedata.normalize("NFD", char)) if c not in _DIACRITICS]
        out += kept
        places += [place] * len(kept)
    return "".join(out), places


def _match_ipa(source: str, at: int) -> tuple[tuple[str, ...], int]:
    """Phones of the longest known symbol at a place, and its length in characters; ((), 0) if none is known."""
    for length in range(min(_LONGEST_KEY, len(source) - at), 0, -1):
        found = _FROM_IPA.get(source[at : at + length])
        if found == ("AH0",):
            # GA writers spell r-coloured schwa as two symbols; before a vowel the r begins the next syllable.
            after = source[at + length : at + length + 1]
            follows = _match_ipa(source, at + length + 1)[0] if after in ("ɹ", "r") else ("AH",)
            if not follows or split_stress(follows[0])[0] not in VOWELS:
                return ("ER0",), length + 1
        if found:
            return found, length
    return (), 0


def _with_stress(phones: list[str], marks: dict[int, int]) -> tuple[str, ...]:
    """Give every vowel its digit where it is known."""
    vowels = [i for i, phone in enumerate(phones) if split_stress(phone)[0] in VOWELS]
    if not marks and len(vowels) == 1 and not phones[vowels[0]].endswith("0"):
        marks = {vowels[0]: 1}
    out = list(phones)
    for i in vowels:
        base, digit = split_stress(phones[i])
        stress = marks.get(i, digit if digit is not None else 0 if marks else None)
        out[i] = base if stress is None else f"{base}{stress}"
    return tuple(out)
