"""How the labels of other people's models name the 39 phones: ARPABET, IPA and what espeak writes, as plain tables.

Facts only; `vocabulary` reads them. The choices agree with step 2, which reads pronunciations (`phones.inventory`):
British and narrow symbols stand for the General American phone that a dictionary has in their place.
"""

from __future__ import annotations

ARPABET: tuple[str, ...] = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
"""The 39 phones in the order that scorer and prior expect."""

ARPABET_OTHERS: dict[str, tuple[str, ...]] = {
    "AX": ("AH",), "AX-H": ("AH",), "AXR": ("ER",), "IX": ("IH",), "UX": ("UW",), "DX": ("T",), "Q": ("T",),
    "NX": ("N",), "HV": ("HH",), "ENG": ("NG",), "WH": ("HH", "W"), "EL": ("AH", "L"), "EM": ("AH", "M"),
    "EN": ("AH", "N"),
}  # fmt: skip
"""Labels of TIMIT and of other ARPABET dialects that are no phones of ours."""

ARPABET_SILENT = frozenset(
    "SIL SP PAU EPI H# BCL DCL GCL PCL TCL KCL".split()  # closures are the silent parts of plosives
)

IPA: dict[str, tuple[str, ...]] = {
    "AA": ("ɑ",), "AE": ("æ",), "AH": ("ʌ", "ə", "ɐ"), "AO": ("ɔ",), "AW": ("aʊ",), "AY": ("aɪ",), "B": ("b",),
    "CH": ("tʃ", "ʧ"), "D": ("d",), "DH": ("ð",), "EH": ("ɛ",), "ER": ("ɝ", "ɚ", "ɜː", "əː", "ɹ̩", "r̩"),
    "EY": ("eɪ",), "F": ("f",), "G": ("ɡ",), "HH": ("h", "ɦ"), "IH": ("ɪ", "ᵻ"), "IY": ("i",), "JH": ("dʒ", "ʤ"),
    "K": ("k",), "L": ("l", "ɫ"), "M": ("m",), "N": ("n",), "NG": ("ŋ",), "OW": ("oʊ", "əʊ"), "OY": ("ɔɪ",),
    "P": ("p",), "R": ("ɹ", "r", "ɻ"), "S": ("s",), "SH": ("ʃ",), "T": ("t",), "TH": ("θ",), "UH": ("ʊ",),
    "UW": ("u",), "V": ("v",), "W": ("w",), "Y": ("j",), "Z": ("z",), "ZH": ("ʒ",),
}  # fmt: skip
"""Names of each phone. A model that has one of them as a label spells the phone with it."""

CHAINS: dict[str, tuple[tuple[str, ...], ...]] = {
    "AW": (("a", "ʊ"), ("ɑ", "ʊ"), ("æ", "ʊ"), ("a", "u"), ("a", "w")),
    "AY": (("a", "ɪ"), ("ɑ", "ɪ"), ("a", "i"), ("a", "j")),
    "CH": (("t", "ʃ"),),
    "ER": (("ə", "˞"), ("ɜ", "˞"), ("ɜ", "ɹ"), ("ə", "ɹ"), ("ə", "r")),
    "EY": (("e", "ɪ"), ("ɛ", "ɪ"), ("e", "i"), ("e", "j")),
    "JH": (("d", "ʒ"),),
    "OW": (("o", "ʊ"), ("ə", "ʊ"), ("o", "u"), ("o", "w")),
    "OY": (("ɔ", "ɪ"), ("o", "ɪ"), ("ɔ", "i"), ("ɔ", "j")),
}
"""Spellings of a phone that has no label of its own, in order of preference."""

LOOSE: dict[str, tuple[str, ...]] = {
    "a": ("AE",), "aː": ("AA",), "ɒ": ("AA",), "e": ("EH",), "eː": ("EY",), "o": ("OW",), "oː": ("AO",),
    "ɜ": ("ER", "AH"), "ɞ": ("ER", "AH"), "ɨ": ("IH",), "ɩ": ("IH",), "ʏ": ("IH",), "ʉ": ("UW",), "ᵿ": ("UH",),
    "ɵ": ("UH",), "ɷ": ("UH",), "ɤ": ("AH",), "ɘ": ("AH",), "ai": ("AY",), "aj": ("AY",), "ɑɪ": ("AY",), "ʌɪ": ("AY",),
    "au": ("AW",), "aw": ("AW",), "ɑʊ": ("AW",), "æʊ": ("AW",), "ei": ("EY",), "ej": ("EY",), "ɛɪ": ("EY",),
    "ou": ("OW",), "ow": ("OW",), "əu": ("OW",), "oi": ("OY",), "oɪ": ("OY",), "ɔi": ("OY",), "ɔj": ("OY",),
    "ɒɪ": ("OY",), "ɾ": ("T",), "ʔ": ("T",), "ʈ": ("T",), "th": ("T",), "ɖ": ("D",), "ɽ": ("R",), "ɺ": ("R",),
    "ʀ": ("R",), "ʁ": ("R",), "ɭ": ("L",), "ɬ": ("L",), "ɱ": ("M",), "ɳ": ("N",), "ɲ": ("N",), "ɴ": ("NG",),
    "x": ("K",), "kh": ("K",), "ph": ("P",), "ç": ("HH",), "ħ": ("HH",), "ʋ": ("V",), "β": ("V",), "ɸ": ("F",),
    "ʂ": ("SH",), "ɕ": ("SH",), "ʐ": ("ZH",), "ʑ": ("ZH",), "tɕ": ("CH",), "tɕh": ("CH",), "tʂ": ("CH",),
    "dʑ": ("JH",), "dʐ": ("JH",),
}  # fmt: skip
"""Sounds that count as a phone wherever their label is not needed for a chain; the first phone that has a column."""

PAIRS: dict[str, tuple[str, str]] = {
    "ɑːɹ": ("AA", "R"), "ɑɹ": ("AA", "R"), "ɔːɹ": ("AO", "R"), "ɔɹ": ("AO", "R"), "oːɹ": ("AO", "R"), "oɹ": ("AO", "R"),
    "ɛɹ": ("EH", "R"), "ɪɹ": ("IH", "R"), "iɹ": ("IY", "R"), "ʊɹ": ("UH", "R"), "əl": ("AH", "L"), "ən": ("AH", "N"),
    "əm": ("AH", "M"), "l̩": ("AH", "L"), "n̩": ("AH", "N"), "m̩": ("AH", "M"), "iə": ("IY", "AH"), "ɪə": ("IH", "AH"),
    "eə": ("EH", "AH"), "ɛə": ("EH", "AH"), "ʊə": ("UH", "AH"), "aɪɚ": ("AY", "ER"), "aɪə": ("AY", "AH"),
    "aʊɚ": ("AW", "ER"), "aʊə": ("AW", "AH"), "ju": ("Y", "UW"), "ja": ("Y", "AA"), "hw": ("HH", "W"),
    "ʍ": ("HH", "W"), "ts": ("T", "S"), "dz": ("D", "Z"),
}  # fmt: skip
"""Labels that stand for two phones in a row: vowels with r, syllabic consonants, centring diphthongs."""

LENGTH = frozenset("ːˑ")
"""Marks of length; they tell apart a few of the names above, and nothing else."""

MARKS = frozenset(
    "ʰʲʷˠʼ\u0303\u0325\u032c\u032a\u033a\u031a\u0306\u031f\u0320\u0308\u031e\u031d\u0334\u0329\u030a\u0339\u031c"
)
"""Marks that do not change which of the 39 phones is meant: aspiration, palatal and other colouring, nasality, voicing,
place, release, syllabicity (where it is not in the tables)."""

DROPPED = frozenset("ˈˌ͜͡")
"""Stress marks and tie bars, which are taken out of every label."""

BARE_MARKS = frozenset("˞ˤ") | LENGTH | MARKS | DROPPED
"""What may be a label of its own and yet is no sound: it follows the label that it colours."""

IPA_LETTERS = frozenset(
    "abcdefhijklmnopqrstuvwxyzæçðøħŋœǀǁǂǃɐɑɒɓɔɕɖɗɘəɛɜɝɚɞɟɠɡɢɣɤɥɦɧɨɩɪɫɬɭɮɯɰɱɲɳɴɵɶɷɸɹɺɻɽɾʀʁʂʃʄʈʉʊʋʌʍʎʏʐʑʒʔʕʘʙʛʜʝʟʡʢʤʧ"
    "βθχᶑⱱᵻᵿ"
)
"""Letters of the International Phonetic Alphabet; a vocabulary that mostly has others is of writing, not of sounds."""
