"""Step 2/10 - what else is not wrong: the pronunciations that follow from a listed one by General American or RP rules.

The 39 phones have no flap, no syllabic consonant and no rounded short o, so a flap is accepted as D, a syllabic
consonant as the bare consonant, and the RP vowel of "lot" as AO. RP rules are applied together, because a speaker has
one accent at a time; the reductions, which speakers of both accents make or leave, are applied to both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from elocute.phones.inventory import VOWELS, split_stress
from elocute.phones.kinds import BRITISH, DROPPED, FLAP, LISTED, MERGER, REDUCED, SCHWA_R, STRONG, WEAK
from elocute.phones.lexicon import Pronunciation
from elocute.phones.weak import strong_and_weak
from elocute.types import Variant

MAX_VARIANTS = 16
"""Listed pronunciations and strong and weak forms are all kept; derived ones are cut off here."""

_OBSTRUENTS = frozenset("P T K B D G F V TH DH S Z SH ZH CH JH".split())
_BEFORE_SYLLABIC_L = _OBSTRUENTS | {"N", "M"}
_YOD_AFTER = frozenset("T D N Z TH".split())
_YOD_SPELLING = re.compile(r"[tdnsxzh](?:u(?!i)|ew|eu|ui)")
_LOT_SPELLING = re.compile(r"o|wa|qua|al|au|aw")
# Words where RP has the vowel of "palm" for American AE; endings of inflection and derivation may follow.
_BATH = re.compile(
    r"(?:after|afternoon|afterwards?|aft|advanc|advantag|advant|answer|ask|aunt|bask|basket|basketball|bath|behalf|"
    r"blast|branch|brass|broadcast|calf|calv|can't|cask|casket|cast|castl|chaff|chanc|chant|clasp|class|"
    r"classroom|command|contrast|craft|daft|danc|demand|disaster|downcast|draft|drama|draught|enchant|exampl|"
    r"fast|fasten|flask|forecast|gasp|ghastly|giraff|glanc|glass|graft|grant|graph|grass|half|halv|lanc|last|"
    r"lather|laugh|laughter|mask|mast|master|nasty|outcast|outlast|overcast|pass|passport|past|pastor|pastur|"
    r"path|photograph|plant|plaster|pranc|raft|rasp|rather|sampl|shaft|shan't|slander|slant|staff|stanc|task|"
    r"telegraph|vantag|vast|autograph|paragraph|aircraft|bypass|surpass|tranc|franc)"
    r"(?:e|s|es|ed|d|er|ers|ing|ings|ly|less|ful|y|able|e?'s)?"
)


def accepted(word: str, listed: Sequence[Pronunciation]) -> tuple[Variant, ...]:
    """All accepted pronunciations of a word by itself: the listed ones in their order, then those that follow by rule.

    Of a function word there follow its strong and weak forms (`weak`). Derived are, of each form that is not weak: a
    flap for T; AA for AO (the merger of "cot" and "caught"); schwa dropped before L and N; schwa and unstressed IH
    exchanged; ER and AH R exchanged before vowels; and the RP form (no R before consonants and at the end, "lot" with
    AO, "bath" with AA, yod in "new"), with final IY tense or lax, again with those reductions.

    A listed form that a rule makes of the first has the name of the rule.

    Args:
        word: lower case; its spelling tells apart what the phones do not.
        listed: pronunciations with stress digits, canonical first.

    >>> [(" ".join(variant.phones), variant.kind) for variant in accepted("water", (("W", "AO1", "T", "ER0"),))[:2]]
    [('W AO1 T ER0', None), ('W AO1 D ER0', 'flap')]
    """
    forms = strong_and_weak(word)
    # Of two rules that make the same, the first gives the name.
    by_rule = dict(_derived(word, listed[:1])[::-1]) if len(listed) > 1 else {}
    out = {listed[0]: Variant(phones=listed[0])}
    for phones in listed[1:]:
        alike = [form for form in forms if unstressed(form.phones) == unstressed(phones)]
        form = next((form for form in alike if form.phones == phones), alike[0] if alike else None)
        kind = by_rule.get(phones, LISTED)
        if form is not None and not (form.kind == STRONG and _is_strong(listed[0], forms)):
            out[phones] = replace(form, phones=phones)
        else:
            out[phones] = Variant(phones=phones, kind=kind)
    known = {unstressed(phones) for phones in out}
    for form in forms:
        if unstressed(form.phones) not in known:
            is_other_accent = form.kind == STRONG and _is_strong(listed[0], forms)
            out[form.phones] = replace(form, kind=BRITISH) if is_other_accent else form
    free = [variant.phones for variant in out.values() if variant.kind != WEAK]
    for phones, kind in _derived(word, free):
        if len(out) >= MAX_VARIANTS:
            break
        out.setdefault(phones, Variant(phones=phones, kind=kind))
    return tuple(out.values())


def unstressed(phones: Sequence[str]) -> Pronunciation:
    """Phones without their stress digits, which is all that a recording is compared with."""
    return tuple(phone.rstrip("012") for phone in phones)


def _is_strong(phones: Pronunciation, forms: Sequence[Variant]) -> bool:
    """Whether a pronunciation is one of a word's strong forms."""
    return any(form.kind == STRONG and unstressed(form.phones) == unstressed(phones) for form in forms)


def _derived(word: str, listed: Sequence[Pronunciation]) -> list[tuple[Pronunciation, str]]:
    """What follows by rule from pronunciations, and the name of the rule."""
    found = []
    may_reduce = not strong_and_weak(word)  # the table of weak forms has all reductions of its words
    for phones in listed:
        found += [(_flapped(phones), FLAP), (_merged(phones), MERGER)]
        found += _reduced(word, phones) if may_reduce else []
    for phones in listed:
        british = _british(word, phones)
        has_lax_end = british[-1] == "IY0" and _has_two_vowels(british)  # "happy", but not "he"
        for form in [british, (*british[:-1], "IH0")] if has_lax_end else [british]:
            found += [(form, BRITISH), (_syllabic(word, form), BRITISH)]
        # Reduced first: a schwa that RP has in place of ER does not become IH.
        found += [(_british(word, reduced), BRITISH) for reduced, _ in _reduced(word, phones)] if may_reduce else []
    return found


def _is_vowel(phones: Sequence[str], at: int) -> bool:
    """Whether a vowel stands at a place; False outside."""
    return 0 <= at < len(phones) and split_stress(phones[at])[0] in VOWELS


def _has_two_vowels(phones: Pronunciation) -> bool:
    """Whether a form has an unstressed vowel beside another one; that of "this" and "he" is not free to change."""
    return sum(_is_vowel(phones, i) for i in range(len(phones))) > 1


def _flapped(phones: Pronunciation) -> Pronunciation:
    """Every T between a vowel (or R after one) and an unstressed vowel, or the last of "photo", as D."""
    weak_vowels = {(f"{vowel}0",) for vowel in VOWELS} | {("OW2",)}
    out = list(phones)
    for i, phone in enumerate(phones):
        follows_vowel = _is_vowel(phones, i - 1) or (i > 1 and phones[i - 1] == "R" and _is_vowel(phones, i - 2))
        if phone == "T" and follows_vowel and phones[i + 1 : i + 2] in weak_vowels:
            out[i] = "D"
    return tuple(out)


def _merged(phones: Pronunciation) -> Pronunciation:
    """Every AO that no R follows as AA, as where "cot" and "caught" sound alike."""
    return tuple(
        f"AA{phone[2:]}" if phone[:2] == "AO" and phones[i + 1 : i + 2] != ("R",) else phone
        for i, phone in enumerate(phones)
    )


def _reduced(word: str, phones: Pronunciation) -> list[tuple[Pronunciation, str]]:
    """What fast or careful speech of either accent makes of a pronunciation, and its name."""
    high, low = _high_schwa(word, phones), _low_schwa(phones)
    return [
        (_linked(phones), SCHWA_R),
        (_syllabic(word, phones), DROPPED),
        (high, REDUCED),
        (low, REDUCED),
        (_syllabic(word, high), DROPPED),
        (_syllabic(word, low), DROPPED),
    ]


def _syllabic(word: str, phones: Pronunciation) -> Pronunciation:
    """Schwa dropped before L and N where the consonant before it lets them be syllabic: L IH1 T L."""
    out: list[str] = []
    for i, phone in enumerate(phones):
        after = phones[i + 1] if i + 1 < len(phones) else ""
        before = out[-1] if out else ""
        is_weak = phone == "AH0" or (phone == "IH0" and re.search("en|on", word) is not None)
        is_dropped = (phone == "AH0" and after == "L" and before in _BEFORE_SYLLABIC_L) or (
            is_weak and after == "N" and before in _OBSTRUENTS
        )
        if not (is_dropped and i > 1):
            out.append(phone)
    return tuple(out)


def _high_schwa(word: str, phones: Pronunciation) -> Pronunciation:
    """Inner schwas as IH where the spelling has e or i: JH AE1 K IH0 T."""
    if not re.search("[ei]", word) or not _has_two_vowels(phones):
        return phones
    last = len(phones) - 1
    return tuple(
        "IH0" if phone == "AH0" and 0 < i < last and phones[i + 1] not in ("L", "R") else phone
        for i, phone in enumerate(phones)
    )


def _low_schwa(phones: Pronunciation) -> Pronunciation:
    """Inner unstressed IH as schwa, but for the ending NG: R OW1 Z AH0 Z."""
    last = len(phones) - 1
    if not _has_two_vowels(phones):
        return phones
    return tuple(
        "AH0" if phone == "IH0" and 0 < i < last and phones[i + 1] not in ("NG", "AH0") else phone
        for i, phone in enumerate(phones)
    )


def _linked(phones: Pronunciation) -> Pronunciation:
    """Unstressed ER before a vowel as AH R: AH0 R AW1 N D for ER0 AW1 N D."""
    out: list[str] = []
    for i, phone in enumerate(phones):
        out += ["AH0", "R"] if phone == "ER0" and _is_vowel(phones, i + 1) else [phone]
    return tuple(out)


def _british(word: str, phones: Pronunciation) -> Pronunciation:
    """The RP counterpart of an American pronunciation."""
    out: list[str] = []
    is_bath = _BATH.fullmatch(word) is not None
    is_lot = _LOT_SPELLING.search(word) is not None
    has_yod = _YOD_SPELLING.search(word) is not None
    last = len(phones) - 1
    for i, phone in enumerate(phones):
        base, digit = split_stress(phone)
        stress = "" if digit is None else str(digit)
        has_vowel_after = _is_vowel(phones, i + 1)
        before_r = i < last and phones[i + 1] == "R"
        if base == "R" and not has_vowel_after and _is_vowel(phones, i - 1):
            if split_stress(phones[i - 1])[0] not in ("AA", "AO", "ER"):
                out.append("AH0")
        elif base == "ER" and has_vowel_after:
            out += [f"AH{stress}", "R"]
        elif base == "ER" and digit == 0:
            out.append("AH0")
        elif base == "IY" and (before_r or (i < last and phones[i + 1] == "AH0")):
            out.append(f"IH{stress}")
        elif base == "AE" and is_bath and digit:
            out.append(f"AA{stress}")
        elif base == "AA" and is_lot and (not before_r or _is_vowel(phones, i + 2)):
            out.append(f"AO{stress}")
        elif base == "UW" and has_yod and i and phones[i - 1] in _YOD_AFTER:
            out += ["Y", phone]
        else:
            out.append(phone)
    return tuple(out)
