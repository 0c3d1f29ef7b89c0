"""Step 2/10 - numbers as words: cardinals, ordinals, years, decimals, fractions, digit strings, times and money."""

from __future__ import annotations

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_LARGEST_CARDINAL = 10**15 - 1
_LONGEST_FRACTION_DENOMINATOR = 100
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
"""Per sign: unit and its plural, hundredth and its plural (empty where there is none)."""


def cardinal(value: int) -> list[str]:
    """Words of a whole number, American style without "and"; digit by digit from 10^15 on.

    >>> " ".join(cardinal(1205))
    'one thousand two hundred five'
    """
    if value < 0:
        return ["minus", *cardinal(-value)]
    if value > _LARGEST_CARDINAL:
        return digits(str(value))
    for scale, name in _SCALES:
        if value >= scale:
            rest = value % scale
            return [*cardinal(value // scale), name, *(cardinal(rest) if rest else [])]
    if value >= 100:
        rest = value % 100
        return [_ONES[value // 100], "hundred", *(cardinal(rest) if rest else [])]
    if value >= 20:
        return [_TENS[value // 10], *([_ONES[value % 10]] if value % 10 else [])]
    return [_ONES[value]]


def ordinal(value: int) -> list[str]:
    """Words of an ordinal number: 21 -> twenty first."""
    *head, last = cardinal(value)
    return [*head, _ORDINALS.get(last, f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")]


def year(value: int) -> list[str]:
    """Words of a year: 1984 -> nineteen eighty four, 1905 -> nineteen oh five, 2004 -> two thousand four."""
    century, rest = divmod(value, 100)
    if not 11 <= century <= 99 or century % 10 == 0 and rest < 10:
        return cardinal(value)
    if rest == 0:
        return [*cardinal(century), "hundred"]
    return [*cardinal(century), *(["oh", _ONES[rest]] if rest < 10 else cardinal(rest))]


def digits(text: str) -> list[str]:
    """One word a digit, anything else skipped: "0351" -> zero three five one."""
    return [_ONES[int(c)] for c in text if c in "0123456789"]


def whole(text: str) -> list[str]:
    """Words of a written whole number, the reading chosen by its shape.

    Thousands separators make a cardinal; a leading zero, or seven and more digits that are not a round number, are
    read digit by digit; four digits from 1100 to 1999 and from 2010 to 2099 are read like a year.
    """
    if "," in text:
        return cardinal(int(text.replace(",", "")))
    value = int(text) if len(text) <= 16 else _LARGEST_CARDINAL + 1
    if value > _LARGEST_CARDINAL or (len(text) > 1 and text[0] == "0") or (len(text) >= 7 and value % 1000):
        return digits(text)
    if len(text) == 4 and (1100 <= value <= 1999 or 2010 <= value <= 2099):
        return year(value)
    return cardinal(value)


def decimal(integer: str, fraction: str) -> list[str]:
    """Words of a decimal number: ("3", "14") -> three point one four."""
    number = integer.replace(",", "")
    return [*(cardinal(int(number)) if len(number) <= 15 else digits(number)), "point", *digits(fraction)]


def fraction(numerator: int, denominator: int) -> list[str]:
    """Words of a fraction: 1/2 -> one half, 3/4 -> three quarters; empty where it is not read as one (24/7)."""
    if not 0 < numerator < denominator <= _LONGEST_FRACTION_DENOMINATOR:
        return []
    name = {2: ["half"], 4: ["quarter"]}.get(denominator, ordinal(denominator))
    if numerator > 1:
        name = [*name[:-1], plural(name[-1])]
    return [*cardinal(numerator), *name]


def decade(text: str) -> list[str]:
    """Words of a decade: "1990" -> nineteen nineties, "80" -> eighties."""
    words = year(int(text)) if len(text) == 4 else cardinal(int(text))
    return [*words[:-1], plural(words[-1])]


def clock(hour: int, minute: int, *, has_half: bool) -> list[str]:
    """Words of a time of day; `has_half` says that a.m. or p.m. follows, so that "o'clock" is not said."""
    if minute:
        return [*cardinal(hour), *(["oh"] if minute < 10 else []), *cardinal(minute)]
    if has_half:
        return cardinal(hour)
    return [*cardinal(hour), "o'clock" if hour <= 12 else "hundred"]


def money(sign: str, integer: str, cents: str, magnitude: str) -> list[str]:
    """Words of an amount: ("$", "5", "20", "") -> five dollars and twenty cents."""
    one, many, cent, cent_many = CURRENCIES[sign]
    number = integer.replace(",", "")
    units = cardinal(int(number)) if len(number) <= 15 else digits(number)
    if magnitude or (cents and (len(cents) != 2 or not cent)):
        return [*(decimal(integer, cents) if cents else units), *([magnitude] if magnitude else []), many]
    out = [] if cents.strip("0") and number.strip("0") == "" else [*units, one if number == "1" else many]
    if cents.strip("0"):
        small = int(cents)
        out += [*(["and"] if out else []), *cardinal(small), cent if small == 1 else cent_many]
    return out


def plural(word: str) -> str:
    """Regular plural of a number word: six -> sixes, twenty -> twenties, half -> halves."""
    if word == "half":
        return "halves"
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("x") else f"{word}s"
