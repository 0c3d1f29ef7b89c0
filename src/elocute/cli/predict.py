"""`elocute predict`: which words will be hard for speakers of a first language, before a word is spoken."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.options import FormatChoice, LexiconFile, Verbose
from elocute.cli.output import Format, show, speaks_unicode, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from elocute.phones.difficulty import Risk, WordDifficulty
    from elocute.phones.l1 import L1Profile

EXAMPLES = (
    'elocute predict "I think the weather is nice" --l1 zh',
    'elocute predict "She studies at school" --l1 Spanish',
    "elocute predict --l1 ko --format json < text.txt",
)
"""Shown under the help of the command."""

_MOST_RISKS = 4
"""So many risks of a word does the table show; JSON has all."""
_MOST_INSTEAD = 2


def predict(
    l1: Annotated[
        str, typer.Option("--l1", metavar="LANGUAGE", help="First language of the speakers: 'zh', 'Mandarin'.")
    ],
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="English text, in quotes; without it standard input is read.")
    ] = None,
    format: FormatChoice = Format.TEXT,
    lexicon: LexiconFile = None,
    verbose: Verbose = False,
) -> None:
    """Say which words of a text will be hard for speakers of a first language, and why.

    The hardest words come first. Difficulty is the probability, 0 to 1, that at least one sound or the stress of the
    word goes wrong, if the grades of the language's profile were rates and its risks independent: good for ranking
    words, not for promising how one person will do.
    """
    from elocute.phones import UserLexicon, phonemize
    from elocute.phones.difficulty import predict_difficulty
    from elocute.phones.l1 import l1_profile

    profile = l1_profile(l1)
    given = text if text is not None and text != "-" else _piped()
    canonical = phonemize(given, lexicon=None if lexicon is None else UserLexicon.from_file(lexicon))
    words = sorted(predict_difficulty(canonical, profile), key=lambda word: (-word.difficulty, word.index))
    if format is Format.JSON:
        write(json.dumps(_plain(canonical.text, words, profile), ensure_ascii=False, indent=2) + "\n")
    else:
        _show(words, profile)


def _piped() -> str:
    """The text of standard input."""
    if sys.stdin.isatty():
        raise ConfigError("no text given; put it in quotes behind the command, or pipe it in")
    return sys.stdin.read()


def _plain(text: str, words: Sequence[WordDifficulty], profile: L1Profile) -> dict[str, Any]:
    """Everything as plain JSON values, hardest words first."""
    return {
        "text": text,
        "l1": {
            "code": profile.code,
            "name": profile.name,
            "lacks": list(profile.lacks),
            "timing": profile.timing,
            "stress": profile.stress_note,
            "rhythm": profile.rhythm_note,
            "finals": profile.finals.note,
            "clusters": profile.clusters.note,
            "sources": list(profile.sources),
        },
        "words": [
            {
                "word": word.word,
                "index": word.index,
                "phones": list(word.phones),
                "difficulty": word.difficulty,
                "risks": [
                    {
                        "kind": risk.kind,
                        "phone_index": risk.phone_index,
                        "phone": risk.phone,
                        "likelihood": risk.likelihood,
                        "instead": [{"phone": said, "likelihood": round(p, 4)} for said, p in risk.instead],
                        "reason": risk.reason,
                    }
                    for risk in word.risks
                ],
            }
            for word in words
        ],
    }


def _show(words: Sequence[WordDifficulty], profile: L1Profile) -> None:
    """The words as a table, hardest first."""
    from rich.table import Table
    from rich.text import Text

    is_ipa = speaks_unicode(sys.stdout)
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim", expand=True)
    table.add_column("Word", overflow="fold", max_width=16)
    table.add_column("Difficulty", justify="right")
    table.add_column("What may go wrong", ratio=3)
    table.add_column("Why", ratio=4)
    for word in words:
        shown = word.risks[:_MOST_RISKS]
        name, hard = Text(word.word), Text(f"{word.difficulty:.2f}")
        for number, risk in enumerate(shown or (None,)):
            cells = (_wrong(risk, word, is_ipa=is_ipa), risk.reason) if risk is not None else ("nothing known", "")
            table.add_row(name if number == 0 else "", hard if number == 0 else "", *map(Text, cells))
        if len(word.risks) > len(shown):
            table.add_row("", "", Text(f"and {len(word.risks) - len(shown)} more", style="dim"), "")
    lacking = " ".join(_named(phone, is_ipa=is_ipa) for phone in profile.lacks)
    show(
        table,
        "",
        f"{profile.name} has no {lacking}.",
        f"Word stress: {profile.stress_note}",
        f"Rhythm: {profile.rhythm_note}",
    )


def _wrong(risk: Risk, word: WordDifficulty, *, is_ipa: bool) -> str:
    """A risk in a few words."""
    if risk.phone_index is None:
        return "the stress"
    instead = " or ".join(_named(said, is_ipa=is_ipa) for said, _ in risk.instead[:_MOST_INSTEAD])
    if risk.phone is not None:
        return f"{_named(risk.phone, is_ipa=is_ipa)} becomes {instead}"
    if risk.phone_index == len(word.phones):
        return f"{instead} added at the end"
    return f"{instead} added before {_named(word.phones[risk.phone_index], is_ipa=is_ipa)}"


def _named(phone: str | None, *, is_ipa: bool) -> str:
    """A phone as people read it."""
    from elocute.phones import ipa_name

    if phone is None:
        return "nothing"
    return f"/{ipa_name(phone)}/" if is_ipa else phone
