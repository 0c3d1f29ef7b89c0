"""A learner's profile as a page with drawings: it asks nothing of any server, and fits light and dark screens."""

from __future__ import annotations

from importlib.resources import files

from elocute.evaluation.document import Block, Document, Plots, Section, TableBlock, Text, Tile, Tiles, to_html
from elocute.evaluation.plots import confusion_map
from elocute.evaluation.result import Confusion
from elocute.evaluation.svg import Drawing, Scale, ticks
from elocute.learner.progress import Learner, Rate, ScoreProgress, SoundProgress, Verdict
from elocute.phones import ipa_name
from elocute.phones.l1 import L1Profile

_WIDTH = 520.0
_MOST_SOUNDS = 16
"""So many sounds does the drawing show; the table has all."""
_MOST_LABELS = 8
_SIGNS: dict[Verdict, str] = {
    "better": "▼ fewer errors",
    "worse": "▲ more errors",
    "no clear change": "",
    "too little to tell": "",
}


def learner_html(learner: Learner, profile: L1Profile | None = None) -> str:
    """The whole page.

    Args:
        learner: what changed.
        profile: of the first language, where it is known.
    """
    package = files("elocute.evaluation")
    style = (package / "card.css").read_text(encoding="utf-8") + (package / "plots.css").read_text(encoding="utf-8")
    return to_html(_document(learner, profile), style)


def _document(learner: Learner, profile: L1Profile | None) -> Document:
    """What the page says."""
    count = len(learner.attempts)
    span = f", {learner.days[0]} to {learner.days[-1]}" if learner.days[0] else ""
    left_out = "".join(f" Left out: {reason} ({number})." for reason, number in learner.skipped.items())
    return Document(
        title="Your pronunciation over time",
        opening=[
            Text(content=f"{count} attempts{span}.{left_out}"),
            Tiles(tiles=_tiles(learner)),
        ],
        sections=[
            Section(title="Practise next", blocks=_next(learner)),
            Section(title="Scores over time", blocks=_scores(learner)),
            Section(title="Sounds", blocks=_sounds(learner, profile)),
            Section(title="What was said instead", blocks=_confusions(learner)),
            Section(
                title="How to read this",
                blocks=[Text(content=f"{note[0].upper()}{note[1:]}.") for note in learner.notes],
            ),
        ],
    )


def _tiles(learner: Learner) -> list[Tile]:
    """Headline figures."""
    total = learner.scores[0]
    better = sum(sound.verdict == "better" for sound in learner.sounds)
    worse = sum(sound.verdict == "worse" for sound in learner.sounds)
    return [
        Tile(
            label="Total score now",
            value=_points(total.after),
            detail=f"before {_points(total.before)}: {total.verdict}",
        ),
        Tile(
            label="Sounds wrong now",
            value=_percent(learner.all_sounds.after),
            detail=f"before {_percent(learner.all_sounds.before)}: {learner.all_sounds.verdict}",
        ),
        Tile(label="Sounds that got better", value=str(better), detail=f"{worse} got worse, of {len(learner.sounds)}"),
    ]


def _points(value: float | None) -> str:
    """A score of 0 to 100."""
    return "-" if value is None else f"{value:.0f}"


def _percent(rate: Rate) -> str:
    """A share."""
    return "-" if rate.value is None else f"{100 * rate.value:.0f} %"


def _next(learner: Learner) -> list[Block]:
    """The next sentence."""
    why = ", ".join(f"/{ipa_name(phone)}/" for phone in learner.next_phones)
    reason = (
        f"It has much of what is due: {why}."
        if why
        else "Nothing was wrong so far; it has sounds that you have not said yet."
    )
    return [Text(content=f"“{learner.next_sentence}”"), Text(content=reason)]


def _scores(learner: Learner) -> list[Block]:
    """Scores of the utterance."""
    rows = [
        [score.name, _points(score.before), _points(score.after), _chance(score.p), score.verdict]
        for score in learner.scores
    ]
    table = TableBlock(
        caption="Mean scores, 0 to 100", header=["score", "before", "after", "luck", "verdict"], rows=rows
    )
    shown = [score for score in learner.scores if any(value is not None for value in score.values)]
    return [Plots(drawings=[_score_lines(learner, score) for score in shown[:4]], per_row=3), table]


def _chance(p: float | None) -> str:
    """How often luck alone would do as much."""
    return "-" if p is None else "below 1 %" if p < 0.01 else f"{100 * p:.0f} %"


def _score_lines(learner: Learner, score: ScoreProgress) -> Drawing:
    """One score over the attempts."""
    left, right, top, bottom = 40.0, _WIDTH - 10, 12.0, 190.0
    known = [(number, value) for number, value in enumerate(score.values) if value is not None]
    drawing = Drawing(
        f"score-{score.name}",
        _WIDTH,
        bottom + 34,
        title=f"{score.name.capitalize()} of every attempt",
        description=f"{len(known)} attempts; mean before {_points(score.before)}, after {_points(score.after)}: "
        f"{score.verdict}.",
    )
    across = Scale(low=0.0, high=max(len(score.values) - 1.0, 1.0), start=left + 8, end=right - 8)
    up = Scale(low=0.0, high=100.0, start=bottom, end=top)
    for value in ticks(0.0, 100.0):
        drawing.line(left, up(value), right, up(value), "grid")
        drawing.text(left - 5, up(value) + 4, f"{value:.0f}", "muted", anchor="end")
    half = (across(len(score.values) // 2 - 1) + across(len(score.values) // 2)) / 2
    if len(score.values) > 1:
        drawing.line(half, top, half, bottom, "ideal")
        drawing.text(half - 4, top + 9, "before", "small", anchor="end")
        drawing.text(half + 4, top + 9, "after", "small")
    drawing.path([(across(number), up(value)) for number, value in known], "faint")
    for number, value in known:
        tip = f"{learner.days[number] or learner.attempts[number]}: {value:.0f}"
        drawing.circle(across(number), up(value), 3.5, "model", tip=tip)
    step = max(1, -(-len(score.values) // _MOST_LABELS))
    for number in range(0, len(score.values), step):
        drawing.text(across(number), bottom + 14, str(number + 1), "small", anchor="middle")
    drawing.text((left + right) / 2, bottom + 29, "attempt", "muted", anchor="middle")
    return drawing


def _sounds(learner: Learner, profile: L1Profile | None) -> list[Block]:
    """Phones, those that go wrong most often first."""
    header = ["sound", "before", "after", "said", "luck", "verdict", *([f"in {profile.name}"] if profile else [])]
    rows = []
    for sound in learner.sounds:
        phone = str(sound.phone)
        said = f"{sound.before.n} and {sound.after.n}"
        extra = [profile.reason(phone) or ""] if profile else []
        name = f"/{ipa_name(phone)}/ {phone}"
        rows.append(
            [name, _percent(sound.before), _percent(sound.after), said, _chance(sound.p), sound.verdict, *extra]
        )
    wrong = [sound for sound in learner.sounds if sound.before.wrong + sound.after.wrong]
    table = TableBlock(caption="How often each sound was wrong", header=header, rows=rows)
    if not wrong:
        return [Text(content="No sound was wrong."), table]
    return [Plots(drawings=[_sound_lines(wrong[:_MOST_SOUNDS])], is_detailed=True), table]


def _sound_lines(sounds: list[SoundProgress]) -> Drawing:
    """Error rates before and after."""
    step, left, top = 24.0, 60.0, 30.0
    bottom, right = top + step * len(sounds), _WIDTH + 60.0
    highest = max((rate.high or 0.0) for sound in sounds for rate in (sound.before, sound.after))
    drawing = Drawing(
        "sound-rates",
        right + 110,
        bottom + 36,
        title="How often sounds are wrong: before (hollow) and after (filled)",
        description="For each sound the share that was wrong in the earlier attempts, hollow, and in the later ones, "
        "filled, with 95 % intervals. "
        + "; ".join(f"{sound.phone} {_percent(sound.before)}, then {_percent(sound.after)}" for sound in sounds)
        + ".",
    )
    scale = Scale(low=0.0, high=max(highest, 0.1), start=left, end=right - 10)
    for value in ticks(0.0, max(highest, 0.1)):
        drawing.line(scale(value), top - 6, scale(value), bottom, "grid")
        drawing.text(scale(value), bottom + 14, f"{100 * value:.0f}", "muted", anchor="middle")
    drawing.text((left + right) / 2, bottom + 29, "% wrong", "muted", anchor="middle")
    for index, sound in enumerate(sounds):
        y = top + step * (index + 0.5)
        drawing.text(left - 8, y + 4, f"/{ipa_name(str(sound.phone))}/", "strong", anchor="end")
        for rate, lift, style in ((sound.before, -4.0, "baseline"), (sound.after, 4.0, "model")):
            if rate.value is None or rate.low is None or rate.high is None:
                continue
            drawing.line(scale(rate.low), y + lift, scale(rate.high), y + lift, "ideal" if lift < 0 else "model")
            tip = f"{sound.phone}: {rate.wrong} of {rate.n} wrong {'before' if lift < 0 else 'after'}"
            drawing.circle(scale(rate.value), y + lift, 4, style, tip=tip)
        drawing.text(right, y + 4, _SIGNS[sound.verdict], "small")
    return drawing


def _confusions(learner: Learner) -> list[Block]:
    """What was heard in place of phones."""
    pairs = [
        (before + after, str(sound.phone), actual, before, after)
        for sound in learner.sounds
        for actual, before, after in sound.heard
    ]
    if not pairs:
        return [Text(content="Nothing was said in place of another sound.")]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2] or "~"))
    rows = [
        [f"/{ipa_name(expected)}/", _heard(expected, actual), str(before), str(after)]
        for _, expected, actual, before, after in pairs
    ]
    said = {str(sound.phone): sound.before.n + sound.after.n for sound in learner.sounds}
    cells = [Confusion(canonical=e, heard=a, n=n, wrong=n) for n, e, a, _, _ in pairs if a != e]
    right = [
        Confusion(canonical=phone, heard=phone, n=n - sum(cell.n for cell in cells if cell.canonical == phone), wrong=0)
        for phone, n in said.items()
    ]
    return [
        Plots(
            drawings=[confusion_map([*cells, *right], "confusions", "What was heard in place of each sound")],
            is_detailed=True,
        ),
        TableBlock(
            caption="Every confusion", header=["should be", "was heard", "before", "after"], rows=rows, is_folded=True
        ),
    ]


def _heard(expected: str, actual: str | None) -> str:
    """What was heard, for a reader."""
    if actual is None:
        return "nothing"
    return "the same, with a strong accent" if actual == expected else f"/{ipa_name(actual)}/"
