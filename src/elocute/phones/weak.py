"""Step 2/10 - strong and weak forms: how English function words sound when they are stressed, and when they are not.

Which forms are accepted follows the lists of weak forms in Gimson's "Pronunciation of English" (Cruttenden), Wells's
"Longman Pronunciation Dictionary" and Roach's "English Phonetics and Phonology", in General American and RP, written in
the 39 phones: a syllabic consonant is the bare consonant.

Left out, although they are heard, is what is rare in reading aloud and would hide errors that learners make: a bare N
for "in", a schwa in "it", "I", "or", "many" and "then", lax IH for the tense vowel of "he", "he's", "she'll" and "me",
and K D or SH D without a vowel.
Forms without their HH are said only after another word, forms of one consonant only after a sound that carries them
("you have" as Y UW V). At the end of what is said, all but pronouns are strong ("what for"), and so is "there" where it
means a place; it is taken to do so unless a form of "be" or "have" or a modal verb follows.
"""

from __future__ import annotations

from collections.abc import Iterator

from elocute.phones.inventory import PHONES, VOWELS
from elocute.phones.kinds import STRONG, WEAK
from elocute.types import Variant

_ANY = frozenset(PHONES)
_SONORANT_END = VOWELS | {"R"}
_VOICELESS = frozenset("P T K F TH".split())
_VOICED = (_ANY - _VOICELESS) - frozenset("S Z SH ZH CH JH".split())

# Word: strong forms | weak forms. What follows ">" is said only after another word, after "+" only after a vowel or R,
# after "s" only after a voiceless consonant, after "z" only after a voiced sound; neither of them a sibilant. What
# follows "v" is said only before a vowel.
_TABLE = """
a: EY1 | AH0
an: AE1 N | AH0 N
the: DH IY1 | DH AH0, v DH IY0
and: AE1 N D | AE0 N, AH0 N D, AH0 N, > N
am: AE1 M | AH0 M, + M
are: AA1 R | ER0, AH0
as: AE1 Z | AH0 Z
at: AE1 T | AH0 T
be: B IY1 | B IY0
been: B IH1 N, B IY1 N | B IH0 N, B AH0 N
but: B AH1 T | B AH0 T
can: K AE1 N | K AH0 N, K N
could: K UH1 D | K AH0 D
do: D UW1 | D UH0, D AH0
does: D AH1 Z | D AH0 Z
for: F AO1 R | F ER0, F AH0
from: F R AH1 M, F R AA1 M, F R AO1 M | F R AH0 M
had: HH AE1 D | HH AH0 D, > AH0 D, + D
has: HH AE1 Z | HH AH0 Z, > AH0 Z, z Z, s S
have: HH AE1 V | HH AH0 V, > AH0 V, + V
he: HH IY1 | HH IY0, > IY0
he'd: HH IY1 D | > IY0 D
he'll: HH IY1 L | HH IY0 L, > IY0 L
he's: HH IY1 Z | HH IY0 Z, > IY0 Z
her: HH ER1 | HH ER0, HH AH0, > ER0, > AH0
hers: HH ER1 Z | HH ER0 Z
him: HH IH1 M | HH IH0 M, > IH0 M
himself: HH IH0 M S EH1 L F | > IH0 M S EH1 L F
his: HH IH1 Z | HH IH0 Z, > IH0 Z
herself: HH ER0 S EH1 L F | HH AH0 S EH1 L F, > ER0 S EH1 L F, > AH0 S EH1 L F
i'll: AY1 L | AA0 L
i'm: AY1 M | AH0 M
in: IH1 N | IH0 N
into: IH1 N T UW0 | IH0 N T UH0, IH0 N T AH0
is: IH1 Z | IH0 Z, z Z, s S
it: IH1 T | IH0 T
just: JH AH1 S T | JH AH0 S T, JH IH0 S T
me: M IY1 | M IY0
must: M AH1 S T | M AH0 S T, M AH0 S
my: M AY1 | M AY0
nor: N AO1 R | N ER0, N AH0
of: AH1 V, AA1 V, AO1 V | AH0 V, AH0
onto: AA1 N T UW0, AO1 N T UW0 | AA1 N T AH0, AO1 N T AH0, AA1 N T UH0
or: AO1 R | ER0
our: AW1 ER0, AW1 R | AA0 R, AA0
saint: S EY1 N T | S AH0 N T
shall: SH AE1 L | SH AH0 L, SH L
she: SH IY1 | SH IY0
she'll: SH IY1 L | SH IY0 L
should: SH UH1 D | SH AH0 D
sir: S ER1 | S ER0, S AH0
so: S OW1 | S OW0
some: S AH1 M | S AH0 M, S M
such: S AH1 CH | S AH0 CH
than: DH AE1 N | DH AH0 N
that: DH AE1 T | DH AH0 T
their: DH EH1 R | DH ER0
them: DH EH1 M | DH AH0 M, > AH0 M
there: DH EH1 R | DH ER0, DH AH0
there's: DH EH1 R Z | DH ER0 Z, DH AH0 Z
they'll: DH EY1 L | DH EH0 L
they're: DH EH1 R | DH ER0
till: T IH1 L | T IH0 L
to: T UW1 | T UH0, T AH0
until: AH0 N T IH1 L | AH0 N T IH0 L
unto: AH1 N T UW0 | AH0 N T AH0
upon: AH0 P AA1 N, AH0 P AO1 N | AH0 P AH0 N
us: AH1 S | AH0 S
was: W AH1 Z, W AA1 Z, W AO1 Z | W AH0 Z
we: W IY1 | W IY0
we'll: W IY1 L | W IH0 L
we're: W IY1 R, W IH1 R | W ER0
were: W ER1, W EH1 AH0 | W ER0, W AH0
who: HH UW1 | HH UW0, > UW0
will: W IH1 L | W AH0 L, > AH0 L, + L
would: W UH1 D | W AH0 D, > AH0 D, + D
you: Y UW1 | Y UW0, Y UH0, Y AH0
you'll: Y UW1 L | Y UH0 L, Y AH0 L
you're: Y UW1 R, Y UH1 R, Y AO1 R | Y ER0, Y AH0
your: Y AO1 R, Y UH1 R | Y ER0, Y AH0
yours: Y AO1 R Z, Y UH1 R Z | Y ER0 Z, Y AH0 Z
"""
_WEAK_AT_END = frozenset(
    "be been he her hers herself him himself his it me she so sir them till us we who you yours".split()
)
_AFTER_THERE = frozenset(
    "is are was were isn't aren't wasn't weren't be been has have had hasn't haven't hadn't will won't would wouldn't "
    "can can't could couldn't may might must mustn't shall should shouldn't seems seemed".split()
)
# CMUdict lists the names of the letters, too; an abbreviation ("US", "5 am") is another word here.
_SPELLED_OUT = {"am": ("EY1", "EH1", "M"), "us": ("Y", "UW2", "EH1", "S")}
_AFTER = {">": _ANY, "+": _SONORANT_END, "s": _VOICELESS, "z": _VOICED}


def function_words() -> tuple[str, ...]:
    """The words that have strong and weak forms, lower case."""
    return tuple(_FORMS)


def strong_and_weak(word: str) -> tuple[Variant, ...]:
    """Strong forms of a lower-case word, then weak ones; empty where it is no function word.

    >>> [" ".join(form.phones) + ", " + form.kind for form in strong_and_weak("at")]
    ['AE1 T, strong form', 'AH0 T, weak form']
    """
    return _FORMS.get(word, ())


def is_spelled_out(word: str, phones: tuple[str, ...]) -> bool:
    """Whether a listed pronunciation of a function word is that of an abbreviation which is written alike."""
    return _SPELLED_OUT.get(word) == phones


def is_weak_before(word: str, following: str | None) -> bool:
    """Whether a function word may be weak before another one, None at the end of the text; both in lower case."""
    if following is None:
        return word in _WEAK_AT_END
    return word != "there" or following in _AFTER_THERE


def _parsed(forms: str, kind: str) -> Iterator[Variant]:
    """Forms of one kind, as the table has them."""
    for form in forms.split(","):
        first, *rest = form.split()
        phones = tuple(rest) if first == "v" or first in _AFTER else (first, *rest)
        yield Variant(phones=phones, kind=kind, before=VOWELS if first == "v" else None, after=_AFTER.get(first))


def _read_table() -> dict[str, tuple[Variant, ...]]:
    """Forms of each word of the table, strong ones first."""
    forms = {}
    for line in _TABLE.strip().splitlines():
        word, _, rest = line.partition(": ")
        strong, _, weak = rest.partition(" | ")
        forms[word] = (*_parsed(strong, STRONG), *_parsed(weak, WEAK))
    return forms


_FORMS = _read_table()
