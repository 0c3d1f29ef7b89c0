"""Step 2/10 - written text to spoken words: numbers, money, times, symbols, abbreviations, initialisms, accents.

A written token that is said as several words ("42", "Dr.", "$5", "BBC") becomes one Token with several spoken words.
Parts of hyphenated words are tokens of their own, unless a lexicon lists the word with its hyphen ("x-ray").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from elocute.errors import TextError
from elocute.phones import numbers

MAX_CHARACTERS = 5_000
"""A longer text is refused; the longest recording holds about a fifth of that."""
MAX_WORD_LETTERS = 60
"""A longer word is refused; the longest of any English dictionary has 45 letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One written word of the text.

    Attributes:
        text: as written, surrounding punctuation stripped.
        spoken: the words that are said for it, lower case, keys of the lexicon ("b." is the name of the letter B).
    """

    text: str
    spoken: tuple[str, ...]


_REPLACED = dict.fromkeys("\u2018\u2019\u201b\u02bc\u02bb\u02b9\u2032\uff07`\u00b4", "'") | {
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2212": "-", "\u00ad": "", "\u2044": "/",
    "ß": "ss", "ẞ": "SS", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "th", "Ð": "Th", "þ": "th", "Þ": "Th", "ı": "i",
    "º": "°", "²": " squared ", "³": " cubed ", "™": "", "®": "", "©": "", "ª": "",
}  # fmt: skip
_KEPT_SYMBOLS = frozenset("$£€¥₹°×÷±§")
_LETTERED = {
    "e.g.": ("for", "example"), "e.g": ("for", "example"), "i.e.": ("that", "is"), "i.e": ("that", "is"),
    "ph.d.": ("p.", "h.", "d."), "ph.d": ("p.", "h.", "d."),
}  # fmt: skip
# With the full stop; those in _TITLES also without it when they begin with a capital.
_ABBREVIATIONS = {
    "dr": "doctor", "mr": "mister", "mrs": "missus", "ms": "ms", "prof": "professor", "jr": "junior", "sr": "senior",
    "vs": "versus", "etc": "et cetera", "mt": "mount", "ft": "fort", "ave": "avenue", "rd": "road", "blvd": "boulevard",
    "inc": "incorporated", "ltd": "limited", "corp": "corporation", "dept": "department", "approx": "approximately",
    "gov": "governor", "capt": "captain", "lt": "lieutenant", "sgt": "sergeant", "gen": "general", "rev": "reverend",
    "hon": "honorable", "sen": "senator", "jan": "january", "feb": "february", "apr": "april", "aug": "august",
    "sept": "september", "oct": "october", "nov": "november", "dec": "december", "tues": "tuesday",
    "thurs": "thursday", "hwy": "highway", "apt": "apartment", "est": "established", "bros": "brothers",
}  # fmt: skip
_TITLES = frozenset("dr mr mrs ms prof jr sr vs etc blvd ltd".split())
# Abbreviations that are also words: only before a number ("No. 5", "Fig. 2", "Sat. 9").
_BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "vol": "volume", "fig": "figure", "p": "page", "pp": "pages", "ch": "chapter",
    "mon": "monday", "wed": "wednesday", "fri": "friday", "sat": "saturday", "sun": "sunday", "mar": "march",
    "jun": "june", "jul": "july", "sep": "september",
}  # fmt: skip
_MONTHS = "january february march april may june july august september october november december".split()
# After a number: singular and plural.
_UNITS = {
    "km": "kilometer kilometers", "m": "meter meters", "cm": "centimeter centimeters", "mm": "millimeter millimeters",
    "kg": "kilogram kilograms", "g": "gram grams", "mg": "milligram milligrams", "lb": "pound pounds",
    "lbs": "pound pounds", "oz": "ounce ounces", "ft": "foot feet", "in": "in in", "yd": "yard yards",
    "ml": "milliliter milliliters", "l": "liter liters", "mi": "mile miles", "hr": "hour hours", "hrs": "hour hours",
    "min": "minute minutes", "mins": "minute minutes", "sec": "second seconds", "secs": "second seconds",
    "s": "second seconds", "ms": "millisecond milliseconds", "hz": "hertz hertz", "khz": "kilohertz kilohertz",
    "mhz": "megahertz megahertz", "ghz": "gigahertz gigahertz", "kb": "kilobyte kilobytes",
    "mb": "megabyte megabytes", "gb": "gigabyte gigabytes", "tb": "terabyte terabytes", "w": "watt watts",
    "kw": "kilowatt kilowatts", "v": "volt volts", "k": "k. k.", "am": "a.m. a.m.", "pm": "p.m. p.m.",
    "mph": "mile_per_hour miles_per_hour", "kmh": "kilometer_per_hour kilometers_per_hour",
    "km/h": "kilometer_per_hour kilometers_per_hour", "kph": "kilometer_per_hour kilometers_per_hour",
    "%": "percent percent", "°": "degree degrees", "°c": "degree_celsius degrees_celsius",
    "°f": "degree_fahrenheit degrees_fahrenheit",
}  # fmt: skip
# Only glued to the number ("5in", "5 in a row"); with a space these are words or letters more often than units.
_GLUED_ONLY = frozenset(("in", "s", "v", "w", "k", "l"))
_MAGNITUDES = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion"}
_SYMBOLS = {
    "&": "and", "+": "plus", "=": "equals", "@": "at", "%": "percent", "°": "degrees", "×": "times", "÷": "divided by",
    "±": "plus or minus", "§": "section",
}  # fmt: skip
# Before a hyphen these belong to the word, if the lexicon has the two run together: "re-enter", "co-operate".
_PREFIXES = frozenset("re co pre un de bi tri anti semi sub inter multi".split())
# Capitals that would otherwise read as another word, where the text around is not all capitals.
_INITIALISMS = {
    "US": "u.s.", "UN": "u.n.", "AI": "a. i.", "ID": "i. d.", "LA": "l. a.", "EU": "e. u.", "AM": "a.m.", "PM": "p.m.",
    "PR": "p. r.", "HR": "h. r.", "VS": "versus", "MPH": "m. p. h.", "AKA": "a. k. a.",
}  # fmt: skip

_N = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+"
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_UNIT_APART = "|".join(re.escape(u) for u in sorted(_UNITS.keys() - _GLUED_ONLY, key=len, reverse=True))
_PATTERN = re.compile(
    rf"""
      (?P<address>(?:https?://|www\.)\S*[\w/] | [\w.+-]+@\w[\w-]*(?:\.\w+)+
                 | [\w-]+\.(?:com|org|net|edu|gov|io|co\.uk)\b(?:/[\w/.-]*\w)?)
    | (?P<money>(?P<sign>[$£€¥₹])\s?(?P<m_int>{_N})(?:\.(?P<m_dec>\d+))?
                (?![\d/])(?:\s?(?P<m_mag>thousand|million|billion|trillion|bn|mn|[kmb])(?![a-z]))?)
    | (?P<clock>(?<![\d:])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?![\d:])(?P<half>\s?[ap]\.?m\b\.?)?)
    | (?P<ordinal>(?P<ord>{_N})(?:st|nd|rd|th)(?![a-z]))
    | (?P<decade>'?(?P<dec>\d{{1,3}}0)'?s(?![a-z]))
    | (?P<digits>\+\d{{1,3}}(?:[ -]\d{{2,4}}){{2,4}}(?!\d) | \+\d[\d-]{{5,}}\d
                | (?<!\d)\d{{3}}[ .-]\d{{3}}[ .-]\d{{4}}(?!\d) | \(\d{{3}}\)\s?\d{{3}}-\d{{4}}
                | (?<!\d)\d{{3}}-\d{{4}}(?!\d) | \d+(?:-\d+){{2,}})
    | (?P<range>(?P<from>{_N})\s?-\s?(?P<to>{_N})(?![\d.]*\d))
    | (?P<mixed>(?<![\d/])(?P<whole>\d+)[ ]+(?P<x_num>\d{{1,2}})/(?P<x_den>\d{{1,3}})(?![\d/]))
    | (?P<fraction>(?<![\d/])(?P<num>\d{{1,2}})/(?P<den>\d{{1,3}})(?![\d/]))
    | (?P<number>(?P<minus>(?<!\S)[-+])?(?P<int>{_N})?(?P<dec_part>(?:(?<=\d)|(?<![\w.]))(?:\.\d+)+)?
                 (?(int)|(?(dec_part)|(?!)))(?:(?P<unit>{_UNIT}|\s(?:{_UNIT_APART}))(?![a-z]))?)
    | (?P<dotted>(?:(?<![a-z])[a-z]\.){{2,}}(?:[a-z](?![a-z'-]))?|ph\.d\b\.?)
    | (?P<hash>\#(?=\w))
    | (?P<hyphened>'?[a-z]+(?:'[a-z]+)*(?:-[a-z]+(?:'[a-z]+)*)+)
    | (?P<word>'?[a-z]+(?:'[a-z]+)*'?\.?)
    | (?P<symbol>[&+=@%°×÷±§])
    """,
    re.VERBOSE | re.IGNORECASE,
)


def normalize(text: str, *, is_known: Callable[[str], bool]) -> tuple[Token, ...]:
    """Written text as tokens with the words that are said for them.

    Args:
        text: anything a user typed; case, curly quotes, dashes, accents on Latin letters and emoji are fine.
        is_known: whether a lower-case word has a pronunciation in a lexicon; it decides between reading a capital
            word as a word and spelling it, and whether a hyphenated word is looked up in one piece.

    Raises:
        TextError: no str, nothing to say in the text, a letter that English does not have, or too long a text or word.
    """
    if not isinstance(text, str):
        raise TextError(f"the text is a {type(text).__name__}; expected a str, so decode bytes before")
    if len(text) > MAX_CHARACTERS:
        raise TextError(
            f"the text has {len(text)} characters, at most {MAX_CHARACTERS} are taken; split it into sentences"
        )
    source = unicodedata.normalize("NFC", text)
    clean, origin = to_ascii(source)
    tokens: list[Token] = []
    first, last = 0, -1
    for start, end, spoken in _Scanner(clean, is_known).scan():
        words = tuple(word for item in spoken for word in item.replace("_", " ").split())
        for word in words:
            if len(word) > MAX_WORD_LETTERS:
                raise TextError(f"the word {word[:20]!r}... has {len(word)} letters, at most {MAX_WORD_LETTERS} fit")
        if origin[start] <= last:  # one written character, such as a fraction, that was read in two parts
            words = tokens.pop().spoken + words
        else:
            first = origin[start]
        last = origin[end - 1]
        tokens.append(Token(text=source[first : last + 1].strip(), spoken=words))
    if not tokens:
        what = "empty" if not text.strip() else f"{_shown(text)} and has nothing that can be pronounced"
        raise TextError(f"the text is {what}; give the words that were read aloud")
    return tuple(tokens)


def _shown(text: str) -> str:
    """A text for a message, cut to 40 characters."""
    return repr(text if len(text) <= 40 else text[:40] + "...")


def to_ascii(source: str) -> tuple[str, list[int]]:
    """The text in ASCII and a few symbols, and for each of its characters the place in the source."""
    out: list[str] = []
    origin: list[int] = []
    for place, char in enumerate(source):
        plain = char if char.isascii() and char.isprintable() and char != "`" else _plain(char, place)
        out.append(plain)
        origin.extend([place] * len(plain))
    return "".join(out), origin


def _plain(char: str, place: int) -> str:
    """What stands for a character outside printable ASCII; a space for what is not said."""
    if char in _REPLACED:
        return _REPLACED[char]
    if char in _KEPT_SYMBOLS:
        return char
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category[0] == "M" or category == "Cf":
        return ""
    folded = unicodedata.normalize("NFKD", char).replace("\u2044", "/")
    folded = "".join(c for c in folded if unicodedata.category(c)[0] != "M")
    if folded.isascii() and folded.isprintable() and folded.strip():
        return f" {folded}" if "/" in folded else folded
    if category[0] == "L":
        name = unicodedata.name(char, "unnamed letter").lower()
        raise TextError(
            f"{char!r} ({name}) at character {place + 1} is not a letter of English; write the text in Latin letters"
        )
    return " "


class _Scanner:
    """Walks over the cleaned text and says every token; one method per kind of token."""

    def __init__(self, clean: str, is_known: Callable[[str], bool]) -> None:
        self._clean = clean
        self._is_known = is_known
        self._is_all_caps = not any(c.islower() for c in clean)

    def scan(self) -> Iterator[tuple[int, int, list[str]]]:
        """Start, end and spoken words of every token."""
        for match in _PATTERN.finditer(self._clean):
            kind = match.lastgroup if match.lastgroup in self._KINDS else self._kind(match)
            if kind == "hyphened":
                yield from self._hyphened(match)
                continue
            spoken = self._KINDS[kind](self, match)
            if spoken:
                has_full_stop = kind == "word" and match[0].endswith(".") and spoken == self._say(match[0][:-1])
                yield match.start(), match.end() - has_full_stop, spoken

    def _kind(self, match: re.Match[str]) -> str:
        """Name of the alternative that matched."""
        return next(kind for kind in self._KINDS if match[kind] is not None)

    def _address(self, match: re.Match[str]) -> list[str]:
        pieces = re.findall(r"[A-Za-z]+|\d+|[.@/_-]", re.sub(r"^https?://", "", match[0]))
        names = {".": "dot", "@": "at", "/": "slash", "_": "underscore", "-": "dash"}
        return [
            word
            for piece in pieces
            for word in (
                [names[piece]] if piece in names else numbers.whole(piece) if piece.isdigit() else self._say(piece)
            )
        ]

    def _money(self, match: re.Match[str]) -> list[str]:
        magnitude = (match["m_mag"] or "").lower()
        return numbers.money(match["sign"], match["m_int"], match["m_dec"] or "", _MAGNITUDES.get(magnitude, magnitude))

    def _clock(self, match: re.Match[str]) -> list[str]:
        half = (match["half"] or "").strip().lower()
        words = numbers.clock(int(match["hour"]), int(match["minute"]), has_half=bool(half))
        return [*words, *([f"{half[0]}.m."] if half else [])]

    def _ordinal(self, match: re.Match[str]) -> list[str]:
        number = match["ord"].replace(",", "")
        return numbers.ordinal(int(number)) if len(number) <= 15 else numbers.digits(number)

    def _decade(self, match: re.Match[str]) -> list[str]:
        return numbers.decade(match["dec"])

    def _digits(self, match: re.Match[str]) -> list[str]:
        date = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", match[0])
        if date:
            return [_MONTHS[int(date[2]) - 1], *numbers.ordinal(int(date[3])), *numbers.year(int(date[1]))]
        return [*(["plus"] if match[0][0] == "+" else []), *numbers.digits(match[0])]

    def _range(self, match: re.Match[str]) -> list[str]:
        return [*numbers.whole(match["from"]), "to", *numbers.whole(match["to"])]

    def _mixed(self, match: re.Match[str]) -> list[str]:
        part = numbers.fraction(int(match["x_num"]), int(match["x_den"]))
        if not part:
            return [*numbers.whole(match["whole"]), *numbers.whole(match["x_num"]), *numbers.whole(match["x_den"])]
        return [*numbers.whole(match["whole"]), "and", *(["a", *part[1:]] if part[0] == "one" else part)]

    def _fraction(self, match: re.Match[str]) -> list[str]:
        part = numbers.fraction(int(match["num"]), int(match["den"]))
        return part or [*numbers.whole(match["num"]), *numbers.whole(match["den"])]

    def _number(self, match: re.Match[str]) -> list[str]:
        out = {"-": ["minus"], "+": ["plus"]}.get(match["minus"] or "", [])
        integer, parts = match["int"], (match["dec_part"] or "").split(".")[1:]
        if len(parts) == 1:
            out += numbers.decimal(integer, parts[0]) if integer else ["point", *numbers.digits(parts[0])]
        else:
            out += numbers.whole(integer) if integer else []
            for part in parts:
                out += ["point", *numbers.whole(part)]
        unit = (match["unit"] or "").strip().lower()
        if unit:
            out.append(_UNITS[unit].split()[0 if integer == "1" and not parts else 1])
        return out

    def _dotted(self, match: re.Match[str]) -> list[str]:
        key = match[0].lower()
        if key in _LETTERED:
            return list(_LETTERED[key])
        full = key if key.endswith(".") else f"{key}."
        return [full] if self._is_known(full) else [f"{letter}." for letter in full.split(".") if letter]

    def _hash(self, match: re.Match[str]) -> list[str]:
        return ["number"] if self._clean[match.end()].isdigit() else ["hashtag"]

    def _symbol(self, match: re.Match[str]) -> list[str]:
        return _SYMBOLS[match[0]].split()

    def _hyphened(self, match: re.Match[str]) -> Iterator[tuple[int, int, list[str]]]:
        """The parts of a hyphenated word; one piece if listed so, or run together after a prefix or unlisted part."""
        whole = match[0].lower()
        joined = whole.replace("-", "")
        parts = list(re.finditer(r"[^-]+", match[0]))
        is_split = whole.partition("-")[0] not in _PREFIXES and all(
            self._is_known(part[0].lower().strip("'")) for part in parts
        )
        if self._is_known(whole) or (self._is_known(joined) and not is_split):
            yield match.start(), match.end(), [whole if self._is_known(whole) else joined]
            return
        for part in parts:
            yield match.start() + part.start(), match.start() + part.end(), self._say(part[0])

    def _word(self, match: re.Match[str]) -> list[str]:
        text, has_stop = match[0].removesuffix("."), match[0].endswith(".")
        lower = text.lower()
        if text.isupper() and len(text) <= 3 and self._clean[match.end() : match.end() + 1].isdigit():
            return [f"{letter}." for letter in lower if letter != "'"]
        after = self._clean[match.end() :].lstrip()
        if lower in _BEFORE_NUMBER and has_stop and after[:1].isdigit():
            return [_BEFORE_NUMBER[lower]]
        if lower == "st" and (has_stop or text[0].isupper()):
            return ["saint" if after[:1].isupper() and not self._is_street(match.start()) else "street"]
        if lower in _ABBREVIATIONS and (has_stop or (lower in _TITLES and text[0].isupper())):
            return [_ABBREVIATIONS[lower]]
        return self._say(text)

    def _is_street(self, start: int) -> bool:
        """Whether a capital word stands right before, as in "Main St. Bridge"; "St. Paul" has none."""
        before = re.search(r"([A-Za-z]+)\s+$", self._clean[:start])
        return bool(before) and before[1][0].isupper() and not self._is_all_caps if before else False

    def _say(self, text: str) -> list[str]:
        """A run of letters and apostrophes as a word, or letter by letter where it cannot be one."""
        lower = text.lower()
        stem = lower.strip("'")
        if lower.startswith("'") and self._is_known(lower.rstrip("'")):
            return [lower.rstrip("'")]
        if lower.endswith("in'") and self._is_known(lower.lstrip("'")):
            return [lower.lstrip("'")]
        bare = text.strip("'")
        if bare in _INITIALISMS and not self._is_all_caps:
            return [_INITIALISMS[bare]]
        if self._is_known(stem) or (stem.endswith("'s") and self._is_known(stem[:-2])):
            return [stem]
        if text in _UNITS:
            return [_UNITS[text].split()[1]]
        if self._is_spelled(bare):
            letters, ending = (bare[:-1], "s") if bare.endswith("s") and bare[:-1].isupper() else (bare, "")
            names = [f"{letter.lower()}." for letter in letters if letter != "'"]
            return [*names[:-1], f"{names[-1]}'s"] if ending else names
        camel = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", bare)
        if len(camel) > 1 and "".join(camel) == bare and all(len(p) > 1 and self._is_known(p.lower()) for p in camel):
            return [part.lower() for part in camel]
        return [stem]

    def _is_spelled(self, text: str) -> bool:
        """Whether an unknown word is an initialism: no vowel letter in it, or short capitals among small letters."""
        core = text.removesuffix("s").removesuffix("'") if text[:-1].rstrip("'").isupper() else text
        if len(core) < 6 and not any(c in "aeiouyAEIOUY" for c in core):
            return not (core.islower() and len(core) > 2 and set(core) <= set("hmszrf"))
        return core.isupper() and len(core) <= 4 and not self._is_all_caps

    _KINDS = {
        "address": _address, "money": _money, "clock": _clock, "ordinal": _ordinal, "decade": _decade,
        "digits": _digits, "range": _range, "mixed": _mixed, "fraction": _fraction, "number": _number,
        "dotted": _dotted, "hash": _hash, "hyphened": _word, "word": _word, "symbol": _symbol,
    }  # fmt: skip
