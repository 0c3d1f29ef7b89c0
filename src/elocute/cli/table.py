"""A report as a table that a teacher understands at a glance; colour helps, but nothing is said by colour alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from elocute.cli.prosody_lines import break_line, melody_line, stress_notes
from elocute.feedback.sounds import KEYWORDS
from elocute.report import Feedback, FluencyFacts, Mispronunciation, PhoneReport, Report, WordReport

GOOD = 0.8
"""Share of the full score from which a score is shown as good."""
FAIR = 0.6
"""Share of the full score below which a score is shown as poor, and an unflagged phone as unclear."""
_WORD_NOTES = {
    "insertion": "not in the text",
    "repetition": "said again later",
    "restart": "begun, then said again",
    "truncation": "broken off",
}
_MOST_NOTES = 3
_MOST_GOALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The signs of a table.

    Attributes:
        full: a filled cell of a bar.
        empty: an empty cell.
        wrong: stands after a phone that was another one.
        heavy: after a phone with a heavy accent.
        unclear: after a phone that may be wrong, but not surely enough to be flagged.
        stress: before the vowel of a stressed syllable.
        none: in place of a score that there is none of.
        is_ipa: phones are shown in IPA, else in ARPABET.
    """

    full: str
    empty: str
    wrong: str
    heavy: str
    unclear: str
    stress: str
    none: str
    is_ipa: bool


UNICODE = Marks(full="█", empty="░", wrong="✗", heavy="~", unclear="?", stress="ˈ", none="–", is_ipa=True)
ASCII = Marks(full="#", empty=".", wrong="*", heavy="~", unclear="?", stress="'", none="-", is_ipa=False)


def render(report: Report, marks: Marks = UNICODE) -> RenderableType:
    """The report as something that rich can print at any width from 60 columns."""
    return Group(*_Page(report, marks).parts())


@dataclass(frozen=True, slots=True)
class _Page:
    """Lays out one report."""

    report: Report
    marks: Marks

    def parts(self) -> Iterator[RenderableType]:
        """Everything from top to bottom."""
        yield Text(" ".join(self.report.text.split()), style="bold")
        yield ""
        yield self._summary()
        yield ""
        yield self._words()
        yield self._legend()
        yield ""
        yield _hanging("Practise", self._goals(), "bold")
        for piece in self.report.feedback:
            yield _hanging("Advice", self._advice(piece))
        if self.report.fluency is not None:
            yield _hanging("Fluency", Text(fluency_line(self.report.fluency)))
        if self.report.prosody is not None:
            yield _hanging("Melody", Text(melody_line(self.report.prosody)))
        breaks = break_line(self.report)
        if breaks is not None:
            yield _hanging("Pauses", Text(breaks))
        for warning in self.report.warnings:
            yield _hanging("Note", Text(warning), "yellow")

    def _summary(self) -> Table:
        """The five scores of the utterance, the total above the others."""
        scores = self.report.utterance
        grid = Table.grid(padding=(0, 2))
        for name, score in (
            ("Total", scores.total),
            ("Accuracy", scores.accuracy),
            ("Fluency", scores.fluency),
            ("Prosody", scores.prosody),
            ("Completeness", scores.completeness),
        ):
            style = "bold" if name == "Total" else ""
            number = self._number(score)
            if name == "Total":
                number = "not scored" if score is None else f"{number} of {self.report.scale}"
            grid.add_row(Text(name, style=style), self._bar(score, 20), Text(number, style=style))
        return grid

    def _words(self) -> Table:
        """One row a word."""
        table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim", expand=True)
        table.add_column("Word", overflow="fold", max_width=14)
        table.add_column("Score", no_wrap=True)
        table.add_column("Sounds", ratio=2)
        table.add_column("What was heard", ratio=3)
        for word in self.report.words:
            score = word.accuracy if word.total is None else word.total
            cell = Text.assemble(self._number(score).rjust(len(self._number(self.report.scale))), " ")
            table.add_row(
                Text(self._name(word), style="red" if word.error else ""),
                cell.append_text(self._bar(score, 5)),
                self._phones(word),
                Text(word_note(word)),
            )
        return table

    def _name(self, word: WordReport) -> str:
        """The word as written; what is not of the text is named by its phones, which IPA cannot tell everywhere."""
        if word.error == "insertion" and not self.marks.is_ipa:
            return f"/{' '.join(phone.phone for phone in word.phonemes)}/"
        return word.word

    def _phones(self, word: WordReport) -> Text:
        """The phones of a word, each with its mark; stress where a word has several syllables."""
        cells = []
        for phone in word.phonemes:
            name = phone.ipa if self.marks.is_ipa else phone.expected or phone.phone
            stress = self.marks.stress if phone.phone.endswith("1") and len(word.syllables) > 1 else ""
            cells.append(Text(self._marked(phone, stress + name), style=self._style(phone.score, phone.error)))
        return Text(" ").join(cells)

    def _marked(self, phone: PhoneReport, name: str) -> str:
        """The phone with the sign that says what is wrong with it."""
        if phone.expected is None:
            return f"+{name}" if phone.error else name
        if phone.error == "deletion":
            return f"({name})"
        if phone.error == "distortion":
            return name + self.marks.heavy
        if phone.error is not None:
            return name + self.marks.wrong
        if phone.is_unsure or (phone.score is not None and phone.score < FAIR * self.report.scale):
            return name + self.marks.unclear
        return name

    def _legend(self) -> Text:
        marks = self.marks
        legend = Text(style="dim")
        signs = (f"{marks.wrong} other", "( ) left out", "+ added", f"{marks.heavy} accent")
        legend.append("  ".join((*signs, f"{marks.unclear} unsure  ")))
        for label, share in (("good", GOOD), ("fair", FAIR)):
            score = share * self.report.scale
            legend.append(f"{label} {score:g}+  ", style=self._style(score, None))
        legend.append("poor", style=self._style(0.0, None))
        legend.rstrip()
        return legend

    def _goals(self) -> Text:
        """What to practise first."""
        goals = practice_goals(self.report.mispronunciations)
        left_out = [word.word for word in self.report.words if word.error == "omission"]
        if left_out:
            goals.append(f"say every word: {_listed(left_out)} left out")
        if goals:
            return Text("\n".join(goals))
        weakest = min(
            (
                (phone.score, phone, word)
                for word in self.report.words
                for phone in word.phonemes
                if phone.score is not None and phone.expected is not None
            ),
            key=lambda item: item[0],
            default=None,
        )
        if weakest is None:
            return Text("unknown; no sound could be scored")
        if weakest[0] >= GOOD * self.report.scale:
            return Text("nothing; every sound is clear")
        score, phone, word = weakest
        return Text(
            f"no sound is surely wrong; the least clear is {phone.expected} in '{word.word}' ({self._number(score)})"
        )

    def _bar(self, score: float | None, cells: int) -> Text:
        """A bar of so many cells."""
        if score is None:
            return Text(" " * cells)
        filled = min(cells, max(0, round(cells * score / self.report.scale)))
        return Text.assemble(
            (self.marks.full * filled, self._style(score, None)), (self.marks.empty * (cells - filled), "dim")
        )

    def _advice(self, piece: Feedback) -> Text:
        """One piece of advice: what went wrong, what mends it, and words to compare."""
        parts = [piece.message, piece.articulation or ""]
        if piece.minimal_pairs:
            parts.append(f"Compare {', '.join(piece.minimal_pairs)}.")
        said = " ".join(filter(None, parts))
        return Text(said if self.marks.is_ipa else said.replace("“", '"').replace("”", '"'))

    def _number(self, score: float | None) -> str:
        """A score, with as many places as its scale deserves."""
        if score is None:
            return self.marks.none
        return f"{score:.{ {100: 0, 10: 1, 1: 2}.get(self.report.scale, 1) }f}"

    def _style(self, score: float | None, error: str | None) -> str:
        """Colour of a score; what is flagged is red whatever it scores."""
        if error is not None:
            return "bold red"
        if score is None:
            return "dim"
        share = float(self._number(score)) / self.report.scale  # as shown, so that 79.6, shown as 80, is good
        return "green" if share >= GOOD else "yellow" if share >= FAIR else "red"


def word_note(word: WordReport) -> str:
    """What was heard at a word, in plain English, a line for each thing; empty where nothing is wrong."""
    if word.error == "omission":
        return "left out"
    notes = [_WORD_NOTES[word.error]] if word.error in _WORD_NOTES else []
    if word.variant is not None:
        notes.append(word.variant)
    flagged = sorted(
        (phone for phone in word.phonemes if phone.error is not None), key=lambda phone: -phone.probability
    )
    if word.error == "mispronunciation" and not flagged:
        notes.append("did not sound like this word")
    notes += [phone_note(phone) for phone in flagged[:_MOST_NOTES]]
    if len(flagged) > _MOST_NOTES:
        notes.append(f"and {len(flagged) - _MOST_NOTES} more")
    notes += [unsure_note(phone) for phone in word.phonemes if phone.is_unsure and len(flagged) <= _MOST_NOTES]
    notes += stress_notes(word)
    return "\n".join(notes)


def unsure_note(phone: PhoneReport) -> str:
    """What may have happened at a phone of which nothing is said for sure."""
    other = next((heard.phone for heard in phone.nbest if heard.phone != phone.expected), None)
    return f"{phone.expected} perhaps {'left out' if other is None else f'like {other}'}"


def phone_note(phone: PhoneReport) -> str:
    """What happened at a flagged phone, in plain English."""
    sure = f"({min(99, round(100 * phone.probability))}% sure)"
    if phone.error == "deletion":
        return f"{phone.expected} left out {sure}"
    if phone.error == "insertion":
        return f"extra {phone.actual or 'sound'} {sure}"
    if phone.error == "distortion" or phone.actual in (None, phone.expected):
        return f"heavy accent on {phone.expected} {sure}"
    return f"{phone.expected} sounded like {phone.actual} {sure}"


def practice_goals(found: Sequence[Mispronunciation]) -> list[str]:
    """The phones that went wrong most surely and most often, each with its words.

    Errors at the same canonical phone are one goal; its weight is the sum of their probabilities.
    """
    by_phone: dict[str, list[Mispronunciation]] = {}
    for item in found:
        by_phone.setdefault(item.expected or f"no {item.actual}", []).append(item)
    ranked = sorted(by_phone, key=lambda phone: -sum(item.probability for item in by_phone[phone]))
    goals = []
    for phone in ranked[:_MOST_GOALS]:
        items = by_phone[phone]
        words = _listed(list(dict.fromkeys(item.word for item in items)))
        heard = dict.fromkeys(item.actual for item in items if item.type == "substitution" and item.actual)
        instead = " or ".join(_explained(symbol) for symbol in heard)
        goals.append(f"{phone} in {words}" + (f", not {instead}" if instead else ""))
    return goals


def fluency_line(facts: FluencyFacts) -> str:
    """Rates and pauses in one sentence."""
    pauses = "no pause" if facts.pause_count == 0 else f"{facts.pause_count} pause{'s' * (facts.pause_count > 1)}"
    if facts.long_pause_count:
        pauses += f" ({facts.long_pause_count} long)"
    if facts.mean_pause_s is not None:
        pauses += f" of {facts.mean_pause_s:.1f} s on average, {facts.pause_ratio:.0%} of the time"
    run = f"; {facts.mean_length_of_run:.0f} syllables in one go" if facts.pause_count else ""
    return f"{facts.speech_rate_syl_s:.1f} syllables a second; {pauses}{run}; {facts.wcpm:.0f} correct words a minute"


def _explained(symbol: str) -> str:
    """A phone with a word in which everybody knows it."""
    return f"{symbol} as in '{KEYWORDS[symbol]}'" if symbol in KEYWORDS else symbol


def _listed(words: Sequence[str]) -> str:
    """'a', 'b' and 'c'."""
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _hanging(title: str, text: Text, style: str = "") -> Table:
    """A titled line whose continuation lines are indented under its text."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=8)
    grid.add_column(ratio=1)
    grid.add_row(Text(title, style=style or "dim"), text)
    return grid
