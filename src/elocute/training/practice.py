"""Make the words to practise with: minimal pairs and practice words, from the lexicon, by how common words are.

    .venv/bin/python -m elocute.training.practice frequency.txt scowl/ src/elocute/assets/practice.json

`frequency.txt` has a word and a count on each line (symspellpy's frequency_dictionary_en_82_765.txt, MIT, made from
Google's n-grams, CC BY 3.0); `scowl/` is the folder of SCOWL's word lists (Debian's package scowl, MIT-like), which
keep names and abbreviations out. Neither is contained in what comes out but for the choice of words.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elocute.errors import ConfigError
from elocute.phones import PHONES, split_stress
from elocute.phones.lexicon import Lexicon, Pronunciation, default_lexicon

LEVELS = (2200, 5000, 9000)
"""A word among so many most common ones is of level 1 (children), 2 (learners), 3 (advanced)."""
MOST_LETTERS = (6, 8, 9)
"""Of a practice word of each level."""
CLASSICS = frozenset(
    tuple(sorted(pair.split("/")))
    for pair in """
    sick/thick sink/think tin/thin tree/three day/they ship/sheep bit/beat fill/feel bad/bed man/men pan/pen sat/set
    full/fool pull/pool vet/wet vest/west berry/very boat/vote ban/van light/right late/rate glass/grass fly/fry low/no
    light/night bin/pin pea/bee bear/pear pack/back cap/cab coat/goat back/bag rope/robe see/she sip/ship chip/ship
    wash/watch cheap/jeep thin/thing win/wing sun/sung cat/cut hat/hut cup/cap cut/caught hot/hut not/nut lock/luck
    walk/woke bought/boat bird/bed first/fast fan/van safe/save price/prize rice/rise ice/eyes bus/buzz seat/seed
    hat/had mouth/mouse pass/path free/three fin/thin
    """.split()
)
"""Pairs that teachers have always used: offered first where the lexicon bears them out."""
PER_CONFUSION = 8
PER_PLACE = 6
_SIZES = ("10", "20", "35")
# Rude, or of matters that nobody wants in a lesson; words that are no words of a sentence; words that many say as
# others do or read in two ways.
BLOCKED = frozenset(
    """
    anal anus arse ass asses bastard bitch bitches blow bloody boob boobs bra breast breasts butt cock coke cop crap cum
    cunt damn dead deadly dick die died dies dope drug drugs drunk dyke erotic fag fat fatal fetish fuck gay gays gore
    grope gun guns hack hell hump hung intimate jerk kill killed kills kinky laid lay lays lesbian lick loser lust
    marijuana mate mating messy moan naked nazi nude nudes opium oral orgy pee penis piss pimp poo poop porn porno pot
    prick pube pussy queer rape raped rapist rear rectum screw semen sex sexes sexual sexuality sexy shag shit sin sins
    skank slave slaves slut sluts spank sperm strip stripping suck sucked sucker sucking sucks suicide thong thongs tit
    tits titty toilet topless torture turd tramp urine vagina vibrator virgin weed weird whore whores wanker wank ho hoe
    heroin murder murdered murders slay corpse curse terror terrorist bomb bombs cancer hate hated hates stupid ugly
    dumb dummy fool fools idiot kinda gonna wanna holocaust hooker booty bum bums bust busty butts nipple dong knob
    ole ion gnu vat amp par sic ad ads em en ex id mi mu nu pi re sh th un vi xi yo ya ye thy thee thou thine hath doth
    al et cf cd dos err ere nay aye yon ark ell ells mac tee tees ted bob bobs dale gale hale dane
    wed weds con cons fee-fi dub dubs mod mods rev revs cal cod sac gel rom rum wan nil pal pals rap
    wind winds live lives lead leads read reads tear tears bow bows row rows sow wound bass close use used
    record records present minute object refuse content desert produce
    herb herbs route routes often vase either neither data tomato been again our hour
    beer beers wine wines ale ales gin rye vodka liquor lager smoke smoked smokes tobacco ash bet bets poker gamble
    hang hanged hangs knife stab shot shots shoot shoots bullet bullets grave graves
    non don stud studs jock lee mob lord fella folk gash tart tarts death deaths god gods lingerie rouge upload
    uploads ethics python cached partial vinyl zinc doe nun monk pope idol pagan devil demon cult sect
    debt debts tax mart marts inn ore oar hip hips thigh thighs groin breeding breed virus viruses ill
    """.split()
)
"""Words that are never offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A common word: how it is said, without and with stress digits, how common it is, and for whom."""

    word: str
    phones: tuple[str, ...]
    stressed: Pronunciation
    others: tuple[Pronunciation, ...]
    rank: int
    level: int


def common_words(counts: Path, scowl: Path, lexicon: Lexicon) -> list[Known]:
    """Common words that are in every list, most common first.

    Raises:
        ConfigError: a list is missing or holds nothing.
    """
    real = set()
    for size in _SIZES:
        for kind in ("english", "american"):
            path = scowl / f"{kind}-words.{size}"
            if not path.is_file():
                raise ConfigError(f"{path} is missing; expected the word lists of SCOWL, english-words.10 and others")
            real |= set(path.read_text(encoding="latin-1").split())
    lines = counts.read_text(encoding="utf-8-sig").splitlines()
    ranked = [line.split()[0] for line in lines if line.strip()]
    words = [word for word in ranked if word in real and word in lexicon and word.isalpha() and word.isascii()]
    if not words:
        raise ConfigError(f"{counts} has no word that SCOWL and the lexicon know; expected lines of word and count")
    found = []
    for rank, word in enumerate(words[: LEVELS[-1]]):
        if word in BLOCKED or (len(word) == 1 and word not in {"a", "i"}):
            continue
        first, *others = lexicon.get(word)
        level = 1 + sum(rank >= bound for bound in LEVELS)
        found.append(Known(word=word, phones=bare(first), stressed=first, others=tuple(others), rank=rank, level=level))
    return found


def bare(phones: Iterable[str]) -> tuple[str, ...]:
    """Phones without stress digits."""
    return tuple(split_stress(phone)[0] for phone in phones)


def place_of(phones: Sequence[str], index: int) -> str:
    """Place of a phone in a word: i(nitial), m(edial) or f(inal)."""
    return "i" if index == 0 else "f" if index == len(phones) - 1 else "m"


def pairs(words: Sequence[Known]) -> dict[str, list[str]]:
    """Minimal pairs: "TH S" -> ["think sink i 1", ...], the best first; "T -" has words with and without a phone.

    Two words of which one phone differs, stress and all other phones being the same; the place is that of the phone,
    the level that of the rarer word. Keys of two phones stand in alphabetical order, and the words of a pair with them.
    """
    by_sound: dict[Pronunciation, list[Known]] = {}
    for word in words:
        by_sound.setdefault(word.stressed, []).append(word)
    found: dict[str, list[tuple[Known, Known, str]]] = {}
    for word in words:
        for index, symbol in enumerate(word.stressed):
            phone, stress = split_stress(symbol)
            head, tail = word.stressed[:index], word.stressed[index + 1 :]
            place = place_of(word.phones, index)
            for other in PHONES:
                digits = ("",) if stress is None else (str(stress),)
                if other > phone:
                    changed = other + digits[0]
                    for partner in by_sound.get((*head, changed, *tail), ()):
                        found.setdefault(f"{phone} {other}", []).append((word, partner, place))
            for partner in by_sound.get((*head, *tail), ()):
                found.setdefault(f"{phone} -", []).append((word, partner, place))
    return {key: _best(items) for key, items in sorted(found.items())}


def _best(items: Sequence[tuple[Known, Known, str]]) -> list[str]:
    """The best pairs of one confusion, each word in one pair only where that leaves enough."""
    ranked = sorted(items, key=lambda item: _cost(item[0], item[1]))
    chosen: list[tuple[Known, Known, str]] = []
    used: set[str] = set()
    for one, other, place in ranked:
        if _may_sound_alike(one, other) or used & {one.word, other.word} or _is_inflected(one.word, other.word):
            continue
        same_place = sum(item[2] == place for item in chosen)
        if same_place >= PER_CONFUSION // 2:
            continue
        chosen.append((one, other, place))
        used |= {one.word, other.word}
        if len(chosen) == PER_CONFUSION:
            break
    return [f"{one.word} {other.word} {place} {_level(one, other)}" for one, other, place in chosen]


def _level(one: Known, other: Known) -> int:
    """Whom a pair is for: the rarer word decides, but for classics, which are good for children, too."""
    return min(max(one.level, other.level), 2 if _is_classic(one, other) else 3)


def _is_classic(one: Known, other: Known) -> bool:
    """Whether teachers have always used the pair."""
    return tuple(sorted((one.word, other.word))) in CLASSICS


def _cost(one: Known, other: Known) -> float:
    """How unsuitable a pair is: rare words, long ones, plurals and past tenses."""
    rarer = max(one.rank, other.rank)
    letters = max(len(one.word), len(other.word))
    endings = sum(word.word.endswith(("s", "ed", "ing")) and len(word.word) > 4 for word in (one, other))
    classic = 10.0 * _is_classic(one, other)
    return -classic + rarer / 1000 + 0.8 * letters + 1.5 * endings + 0.5 * (len(one.stressed) > 4)


def _may_sound_alike(one: Known, other: Known) -> bool:
    """Whether some accepted pronunciation of the one is one of the other, so that the pair teaches nothing."""
    mine, theirs = {one.stressed, *one.others}, {other.stressed, *other.others}
    return bool(mine & theirs)


def _is_inflected(one: str, other: str) -> bool:
    """Whether one is the plural, past tense or third person of the other: grammar, no contrast of sounds."""
    short, long = sorted((one, other), key=len)
    return long in {f"{short}s", f"{short}es", f"{short}d", f"{short}ed"}


def practice_words(words: Sequence[Known]) -> dict[str, dict[str, list[str]]]:
    """Words of each phone by place, "think 1" and so on: short and common ones, one stem at a time."""
    found: dict[str, dict[str, list[str]]] = {phone: {} for phone in PHONES}
    suitable = [word for word in words if len(word.phones) >= 2 and len(word.word) <= MOST_LETTERS[word.level - 1]]
    for phone in PHONES:
        for place in "imf":
            fitting = [
                word
                for word in suitable
                if word.phones.count(phone) == 1
                and place_of(word.phones, word.phones.index(phone)) == place
                and word.stressed[word.phones.index(phone)][-1] != "0"
                and all(phone in bare(other) for other in word.others)
            ]
            fitting.sort(key=lambda word: word.rank / 1000 + 0.7 * len(word.word))
            chosen: list[str] = []
            for word in fitting:
                if all(word.word[:4] != other.split()[0][:4] for other in chosen):
                    chosen.append(f"{word.word} {word.level}")
                if len(chosen) == PER_PLACE:
                    break
            if chosen:
                found[phone][place] = chosen
    return found


def build(counts: Path, scowl: Path, lexicon: Lexicon) -> Mapping[str, object]:
    """All that the asset holds."""
    words = common_words(counts, scowl, lexicon)
    return {
        "card": {
            "data": "choice of words by frequency (symspellpy's list: MIT, from Google's n-grams, CC BY 3.0), SCOWL's "
            "lists up to size 35 (MIT-like), pronunciations of lexicon.bin",
            "frequency_sha256": hashlib.sha256(counts.read_bytes()).hexdigest(),
            "command": "python -m elocute.training.practice frequency.txt scowl/ src/elocute/assets/practice.json",
            "words": len(words),
            "levels": list(LEVELS),
        },
        "pairs": pairs(words),
        "words": practice_words(words),
    }


def main() -> None:
    """Write the asset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=Path, help="lines of word and count, most common first")
    parser.add_argument("scowl", type=Path, help="folder of SCOWL's lists")
    parser.add_argument("out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    made = json.dumps(build(args.counts, args.scowl, default_lexicon()), indent=0, sort_keys=True)
    args.out.write_text(made + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
