"""`elocute phones`: what should be said for a text."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.options import FormatChoice, LexiconFile, Verbose
from elocute.cli.output import Format, show, speaks_unicode, write

if TYPE_CHECKING:
    from elocute.types import Canonical, Variant, Word

_MOST_VARIANTS = 4
"""So many accepted forms of a word does the table show; JSON has all."""


class Engine(StrEnum):
    """What pronounces words that no lexicon lists."""

    MODEL = "model"
    GRUUT = "gruut"
    ESPEAK = "espeak"


EXAMPLES = (
    'elocute phones "The weather is nice"',
    'elocute phones "Dr. Nguyen paid $42" --format json',
    'elocute phones "Did you get up?"',
    'elocute phones "Nguyen" --lexicon mine.txt',
)
"""Shown under the help of the command."""


def phones(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="English text, in quotes.")],
    format: FormatChoice = Format.TEXT,
    lexicon: LexiconFile = None,
    g2p: Annotated[Engine, typer.Option(help="Engine for words that no lexicon lists.")] = Engine.MODEL,
    verbose: Verbose = False,
) -> None:
    """Show how a text should be said.

    Its words with ARPABET phones and stress, IPA, syllables, where the pronunciation comes from, and what else is
    accepted, beside these neighbours.
    """
    from elocute.phones import UserLexicon, phonemize

    words = None if lexicon is None else UserLexicon.from_file(lexicon)
    canonical = phonemize(text, lexicon=words, g2p=g2p.value)
    if format is Format.JSON:
        plain = {"text": canonical.text, "words": [describe(word) for word in canonical]}
        write(json.dumps(plain, ensure_ascii=False, indent=2) + "\n")
    else:
        _show(canonical, is_ipa=speaks_unicode(sys.stdout))


def describe(word: Word) -> dict[str, Any]:
    """One word as plain JSON values; phones carry their stress digits."""
    from elocute.phones import to_ipa

    symbols = list(word.variants[0].phones)
    syllables: list[list[str]] = []
    for symbol, phone in zip(symbols, word.phones, strict=True):
        if phone.syllable_index == len(syllables):
            syllables.append([])
        syllables[phone.syllable_index].append(symbol)
    return {
        "word": word.text,
        "spoken": word.spoken,
        "phones": symbols,
        "ipa": to_ipa(symbols),
        "syllables": syllables,
        "source": word.source,
        "variants": [_describe_variant(variant) for variant in word.variants[1:]],
    }


def _describe_variant(variant: Variant) -> dict[str, Any]:
    """An accepted form as plain JSON values; `before` and `after` are phones that its neighbour must have there."""
    from elocute.phones import PHONES, to_ipa

    def named(neighbours: frozenset[str] | None) -> str | None:
        """Phones in a line; "any" where it only matters that there is a neighbour."""
        if neighbours is None:
            return None
        return "any" if neighbours >= set(PHONES) else " ".join(sorted(neighbours))

    return {
        "phones": list(variant.phones),
        "ipa": to_ipa(variant.phones),
        "kind": variant.kind,
        "before": named(variant.before),
        "after": named(variant.after),
    }


def _also_accepted(plain: Mapping[str, Any], *, is_ipa: bool) -> str:
    """The first accepted forms of a described word that differ by more than stress, a line for each kind."""
    from elocute.phones.variants import unstressed

    by_kind: dict[str, list[str]] = {}
    shown = {unstressed(plain["phones"])}
    for item in plain["variants"]:
        if unstressed(item["phones"]) not in shown:
            shown.add(unstressed(item["phones"]))
            by_kind.setdefault(item["kind"], []).append(item["ipa"] if is_ipa else " ".join(item["phones"]))
    lines: list[str] = []
    left = _MOST_VARIANTS
    for kind, forms in by_kind.items():
        if left > 0:
            lines.append(f"{kind}: {', '.join(forms[:left])}")
        left -= len(forms)
    return "\n".join([*lines, *([f"and {-left} more"] if left < 0 else [])])


def _show(canonical: Canonical, *, is_ipa: bool) -> None:
    """Print the words as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim", expand=True)
    table.add_column("Word", overflow="fold", max_width=14)
    table.add_column("Phones", ratio=5)
    if is_ipa:
        table.add_column("IPA", overflow="fold", ratio=4)
    table.add_column("Source")
    table.add_column("Also accepted", overflow="fold", ratio=4)
    for word in canonical:
        plain = describe(word)
        name = word.text if word.text.lower() == word.spoken else f"{word.text} ({word.spoken})"
        cells = [
            Text(name),
            Text(" . ".join(" ".join(syllable) for syllable in plain["syllables"])),
            *([Text(plain["ipa"])] if is_ipa else []),
            Text("guessed" if word.source == "g2p" else word.source, style="yellow" if word.source == "g2p" else ""),
            Text(_also_accepted(plain, is_ipa=is_ipa)),
        ]
        table.add_row(*cells)
    show(table)
