"""The plots of the benchmark card, drawn from an evaluation; every one has a table beside it in the card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from elocute.evaluation.bootstrap import Estimate
from elocute.evaluation.published import GOPT, best
from elocute.evaluation.result import (
    MODEL,
    PHONE_PRIOR,
    SPEAKER_MEAN,
    Confusion,
    Evaluation,
    HumanRow,
    PhoneRow,
    ScoreRow,
)
from elocute.evaluation.svg import Drawing, Scale, ticks

WIDTH = 400.0
"""Of a plot in user units: what a telephone shows without shrinking the text."""

SHOWN_SCORES = (
    ("phone", "accuracy"),
    ("word", "accuracy"),
    ("word", "total"),
    ("utterance", "accuracy"),
    ("utterance", "fluency"),
    ("utterance", "prosodic"),
    ("utterance", "total"),
)
"""Scores that are plotted. Completeness and stress hardly vary in the corpus; they stand in the tables."""

PHONE_ORDER = (
    *("IY", "IH", "EH", "AE", "AA", "AO", "AH", "UH", "UW", "ER", "EY", "AY", "OY", "AW", "OW"),
    *("P", "B", "T", "D", "K", "G", "CH", "JH", "F", "V", "TH", "DH", "S", "Z", "SH", "ZH", "HH"),
    *("M", "N", "NG", "L", "R", "W", "Y"),
)
"""Vowels from front to back, diphthongs, stops, fricatives, nasals, approximants: what sounds alike stands together."""


def rows_by_key(rows: Iterable[ScoreRow], predictor: str, part: str = "all") -> dict[tuple[str, str], ScoreRow]:
    """Rows of one predictor on one part, by level and score."""
    return {(row.level, row.score): row for row in rows if row.predictor == predictor and row.part == part}


def human_ceiling(evaluation: Evaluation, part: str = "all") -> dict[tuple[str, str], HumanRow]:
    """One expert against the mean of the others, by level and score."""
    return {(row.level, row.score): row for row in evaluation.humans if row.part == part and row.against == "mean"}


def short(value: float) -> str:
    """A tick's label."""
    return f"{value:g}"


def figure(value: float | None) -> str:
    """A coefficient to three decimals."""
    return "-" if value is None else f"{value:.3f}"


def diamond(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """Corners of a diamond."""
    return [(x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius)]


def triangle(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """Corners of a triangle that points up."""
    return [(x - radius, y + 0.8 * radius), (x, y - radius), (x + radius, y + 0.8 * radius)]


def _x_axis(drawing: Drawing, scale: Scale, top: float, bottom: float, values: Sequence[float], title: str) -> None:
    """Grid lines, their labels below, and what they measure."""
    for value in values:
        x = scale(value)
        drawing.line(x, top, x, bottom, "grid")
        drawing.text(x, bottom + 14, short(value), "muted", anchor="middle")
    drawing.text((scale.start + scale.end) / 2, bottom + 29, title, "muted", anchor="middle")


def _y_axis(drawing: Drawing, scale: Scale, left: float, right: float, values: Sequence[float], title: str) -> None:
    """Grid lines, their labels to the left, and what they measure."""
    for value in values:
        y = scale(value)
        drawing.line(left, y, right, y, "grid")
        drawing.text(left - 5, y + 4, short(value), "muted", anchor="end")
    middle = (scale.start + scale.end) / 2
    drawing.text(12, middle, title, "muted", anchor="middle", turn=-90)


def _whisker(drawing: Drawing, scale: Scale, estimate: Estimate, y: float, style: str) -> None:
    """The interval of an estimate as a line with ends."""
    if estimate.low is None or estimate.high is None:
        return
    low, high = scale(estimate.low), scale(estimate.high)
    drawing.line(low, y, high, y, style)
    for x in (low, high):
        drawing.line(x, y - 3, x, y + 3, style)


def agreement(evaluation: Evaluation) -> Drawing:
    """PCC of every score with its interval, beside people, baselines and published systems."""
    ours = rows_by_key(evaluation.scores, MODEL)
    priors, means = (rows_by_key(evaluation.scores, name) for name in (PHONE_PRIOR, SPEAKER_MEAN))
    people = human_ceiling(evaluation)
    keys = [key for key in SHOWN_SCORES if key in ours]
    step, top = 34.0, 12.0
    bottom = top + step * len(keys)
    drawing = Drawing(
        "agreement",
        WIDTH,
        bottom + 84,
        title="Agreement with the experts (PCC)",
        description="Correlation of each score with the experts' beside one expert against the others, two baselines "
        "and published systems; the table has the figures.",
    )
    known = [rows[key].pcc.value or 0.0 for rows in (ours, priors, means) for key in keys if key in rows]
    least = -1.0 if min(known) < -0.2 else -0.2 if min(known) < 0 else 0.0
    scale = Scale(low=least, high=1.0, start=124, end=WIDTH - 10)
    _x_axis(drawing, scale, top, bottom, ticks(least, 1, 6), "Pearson correlation (0 is chance, 1 perfect)")
    for index, key in enumerate(keys):
        y = top + step * (index + 0.5)
        name = " ".join(key)
        drawing.text(scale.start - 8, y + 4, name, anchor="end")
        for rows, style, label in ((priors, "baseline", "phone prior"), (means, "oracle", "speaker mean (oracle)")):
            value = rows[key].pcc.value if key in rows else None
            if value is not None:
                drawing.circle(scale(value), y + 7, 3, style, tip=f"{name}, {label}: {figure(value)}")
        if key in people and people[key].pcc.value is not None:
            value = people[key].pcc.value or 0.0
            _whisker(drawing, scale, people[key].pcc, y + 7, "human")
            drawing.shape(
                diamond(scale(value), y + 7, 4.5), "human", tip=f"{name}, one expert against others: {value:.3f}"
            )
        record, published = best(*key), GOPT.of(*key)
        if published is not None:
            tip = f"{name}, GOPT, published on the test split: {published:.3f}"
            drawing.shape(triangle(scale(published), y - 9, 4.5), "published", tip=tip)
        if record is not None:
            tip = f"{name}, {record[1]}, published on the test split: {record[0]:.3f}"
            drawing.shape(triangle(scale(record[0]), y - 9, 4.5), "best", tip=tip)
        estimate = ours[key].pcc
        if estimate.value is not None:
            _whisker(drawing, scale, estimate, y, "model")
            drawing.circle(scale(estimate.value), y, 5, "model", tip=f"{name}, elocute: {estimate.value:.3f}")
    _agreement_legend(drawing, bottom + 50)
    return drawing


def _agreement_legend(drawing: Drawing, y: float) -> None:
    """What the marks of `agreement` mean."""
    drawing.circle(12, y, 5, "model")
    drawing.text(22, y + 4, "elocute, 95 %")
    drawing.shape(diamond(124, y, 4.5), "human")
    drawing.text(134, y + 4, "one expert vs the others")
    drawing.circle(282, y, 3.5, "oracle")
    drawing.text(290, y + 4, "speaker mean")
    drawing.shape(triangle(12, y + 20, 4.5), "published")
    drawing.text(22, y + 24, "GOPT, published")
    drawing.shape(triangle(124, y + 20, 4.5), "best")
    drawing.text(134, y + 24, "best published (test split)")
    drawing.circle(282, y + 20, 3.5, "baseline")
    drawing.text(290, y + 24, "phone prior")


def density(evaluation: Evaluation, level: str, score: str) -> Drawing:
    """Predictions against labels: each column shows how predictions spread among the items with that label."""
    items = [item for item in evaluation.histograms if (item.level, item.score) == (level, score)]
    highest = 2.0 if level == "phone" else 10.0
    unit = highest / 10
    columns: dict[int, dict[float, int]] = {}
    for item in items:
        column = columns.setdefault(round(item.label / unit), {})
        column[item.low] = column.get(item.low, 0) + item.n
    height = min((item.high - item.low for item in items), default=unit)
    drawing = Drawing(
        f"density-{level}-{score}",
        300,
        300,
        title=f"{level} {score}",
        description="Predictions against the experts. Each column holds the items with one score by the experts; "
        "darker cells hold more of its "
        "predictions, the dot is their mean, the dashed line is perfect agreement, the number below counts items.",
    )
    x = Scale(low=-unit / 2, high=highest + unit / 2, start=40, end=292)
    y = Scale(low=0.0, high=highest, start=244, end=22)
    drawing.text(40, 13, drawing.title, "strong")
    _y_axis(drawing, y, 40, 292, ticks(0, highest), "predicted")
    for label in ticks(0, highest):
        drawing.text(x(label), 270, short(label), "muted", anchor="middle")
    drawing.text(166, 289, "experts", "muted", anchor="middle")
    wide = x(unit) - x(0)
    for key, cells in sorted(columns.items()):
        label, total = key * unit, sum(cells.values())
        for low, n in sorted(cells.items()):
            up, down = y(low + height), y(low)
            tip = f"experts {short(round(label, 2))}, predicted {low:g} to {round(low + height, 2):g}: {n} of {total}"
            ink = 0.08 + 0.92 * (n / total) ** 0.5
            drawing.rect(x(label) - wide / 2 + 0.5, up, wide - 1, down - up, "heat", tip=tip, ink=ink)
        drawing.text(x(label), 256, _count(total), "small", anchor="middle")
    drawing.line(x(0), y(0), x(highest), y(highest), "ideal")
    for key, cells in sorted(columns.items()):
        mean = sum((low + height / 2) * n for low, n in cells.items()) / sum(cells.values())
        drawing.circle(x(key * unit), y(mean), 3.2, "mean")
    return drawing


def _count(n: int) -> str:
    """A count in few characters."""
    return str(n) if n < 1000 else f"{n / 1000:.1f}k" if n < 10_000 else f"{n / 1000:.0f}k"


def calibration(evaluation: Evaluation) -> Drawing:
    """Share of wrong phones against the stated probability."""
    bins = next(row.bins for row in evaluation.calibration if row.predictor == MODEL)
    drawing = Drawing(
        "calibration",
        WIDTH,
        360,
        title="Calibration of the error probability",
        description="For phones with each stated probability of being wrong, the share that experts call wrong; on the "
        "dashed line the probability means what it says. Larger dots stand for more phones.",
    )
    x = Scale(low=-0.05, high=1.05, start=48, end=WIDTH - 16)
    y = Scale(low=-0.05, high=1.05, start=314, end=14)
    _x_axis(drawing, x, 14, 314, ticks(0, 1), "stated probability that the phone is wrong")
    _y_axis(drawing, y, 48, WIDTH - 16, ticks(0, 1), "share that experts call wrong")
    drawing.line(x(0), y(0), x(1), y(1), "ideal")
    drawing.path([(x(item.stated), y(item.observed)) for item in bins], "faint")
    most = max(item.n for item in bins)
    for item in bins:
        radius = 3 + 9 * (item.n / most) ** 0.25
        tip = f"stated {item.stated:.3f}, observed {item.observed:.3f}, {item.n} phones"
        drawing.circle(x(item.stated), y(item.observed), radius, "soft", tip=tip)
    return drawing


def confusion_map(confusions: Sequence[Confusion], name: str, title: str) -> Drawing:
    """What was heard in place of each phone; the right ones are left out, so that the errors can be seen."""
    side, left, top = 16.0, 36.0, 34.0
    heard = [*PHONE_ORDER, None]
    total: dict[str, int] = {}
    for cell in confusions:
        total[cell.canonical] = total.get(cell.canonical, 0) + cell.n
    errors = [cell for cell in confusions if cell.heard != cell.canonical]
    drawing = Drawing(
        name,
        left + side * len(heard) + 8,
        top + side * len(PHONE_ORDER) + 8,
        title=title,
        description="Rows are the phones that should be said, columns those that were heard, the last one (∅) nothing. "
        "Darker cells are a larger share of the row; phones heard as they should be are left out.",
    )
    for index, symbol in enumerate(PHONE_ORDER):
        drawing.text(left - 5, top + side * (index + 0.75), symbol, "small", anchor="end")
        drawing.text(left + side * (index + 0.5), top - 5, symbol, "tiny", anchor="middle")
    drawing.text(left + side * (len(heard) - 0.5), top - 5, "∅", "tiny", anchor="middle")
    drawing.text(left + side * len(heard) / 2, 11, "heard", "muted", anchor="middle")
    drawing.text(10, top + side * len(PHONE_ORDER) / 2, "should be said", "muted", anchor="middle", turn=-90)
    for k in range(len(PHONE_ORDER) + 1):
        drawing.line(left, top + side * k, left + side * len(heard), top + side * k, "grid")
    for k in range(len(heard) + 1):
        drawing.line(left + side * k, top, left + side * k, top + side * len(PHONE_ORDER), "grid")
    for k in range(len(PHONE_ORDER)):
        drawing.rect(left + side * k, top + side * k, side, side, "diagonal")
    largest = max((cell.n / total[cell.canonical] for cell in errors), default=1.0)
    for cell in errors:
        if cell.canonical in PHONE_ORDER and cell.heard in heard:
            share = cell.n / total[cell.canonical]
            tip = f"{cell.canonical} heard as {cell.heard or 'nothing'}: {cell.n} of {total[cell.canonical]}"
            column, row = heard.index(cell.heard), PHONE_ORDER.index(cell.canonical)
            ink = 0.12 + 0.88 * (share / largest) ** 0.5
            place = left + side * column + 0.5, top + side * row + 0.5
            drawing.rect(*place, side - 1, side - 1, "heat", tip=tip, ink=ink)
    return drawing


def phone_auc(rows: Sequence[PhoneRow]) -> Drawing:
    """ROC AUC of every phone with its interval, best first."""
    shown = sorted(
        (row for row in rows if row.roc_auc.value is not None), key=lambda row: (-(row.roc_auc.value or 0), row.phone)
    )
    step, top = 15.0, 22.0
    bottom = top + step * len(shown)
    drawing = Drawing(
        "phone-auc",
        WIDTH,
        bottom + 38,
        title="How well errors of each phone are found (ROC AUC)",
        description="Area under the ROC curve of every phone with its 95 % interval, best first; the bar begins at "
        "0.5, which is chance.",
    )
    scale = Scale(low=0.5, high=1.0, start=40, end=WIDTH - 76)
    _x_axis(drawing, scale, top, bottom, ticks(0.5, 1.0), "ROC AUC (0.5 is chance)")
    drawing.text(WIDTH - 8, 13, "wrong / all", "small", anchor="end")
    for index, row in enumerate(shown):
        y, value = top + step * (index + 0.5), row.roc_auc.value or 0.0
        drawing.text(34, y + 4, row.phone, anchor="end")
        tip = f"{row.phone}: AUC {value:.3f}, {row.wrong} of {row.n} phones wrong"
        drawing.rect(scale.start, y - 4, max(scale(value) - scale.start, 0.0), 8, "heat", tip=tip, ink=0.35)
        _whisker(drawing, scale, row.roc_auc, y, "model")
        drawing.circle(scale(value), y, 3, "model", tip=tip)
        drawing.text(WIDTH - 8, y + 4, f"{row.wrong} / {_count(row.n)}", "small", anchor="end")
    return drawing


def groups(evaluation: Evaluation, parts: Sequence[str]) -> Drawing:
    """PCC of phones, words and utterances in parts of the speakers, beside what an expert reaches there."""
    keys = [("phone", "accuracy"), ("word", "total"), ("utterance", "total")]
    found = [(key, rows_by_key(evaluation.scores, MODEL, part).get(key), part) for key in keys for part in parts]
    shown = [(key, row, part) for key, row, part in found if row is not None and row.pcc.value is not None]
    step, top = 24.0, 12.0
    bottom = top + step * len(shown)
    drawing = Drawing(
        "groups",
        WIDTH,
        bottom + 60,
        title="Agreement by group of speakers (PCC)",
        description="Correlation with the experts among all speakers, children, adults, women and men, and where it is "
        "known that of one expert with the others.",
    )
    least = -1.0 if any((row.pcc.value or 0.0) < -0.2 for _, row, _ in shown) else -0.2
    least = 0.0 if all((row.pcc.low or row.pcc.value or 0.0) >= 0 for _, row, _ in shown) else least
    scale = Scale(low=least, high=1.0, start=160, end=WIDTH - 14)
    _x_axis(drawing, scale, top, bottom, ticks(least, 1, 6), "Pearson correlation")
    previous = None
    for index, (key, row, part) in enumerate(shown):
        y, name = top + step * (index + 0.5), f"{' '.join(key)}, {part}"
        if key != previous:
            drawing.text(4, y + 4, " ".join(key), "strong")
            drawing.line(0, y - step / 2, WIDTH - 14, y - step / 2, "grid")
        previous = key
        drawing.text(scale.start - 8, y + 4, part, anchor="end")
        people = human_ceiling(evaluation, part).get(key)
        if people is not None and people.pcc.value is not None:
            _whisker(drawing, scale, people.pcc, y + 5, "human")
            tip = f"{name}, one expert against others: {people.pcc.value:.3f}"
            drawing.shape(diamond(scale(people.pcc.value), y + 5, 4), "human", tip=tip)
        _whisker(drawing, scale, row.pcc, y - 4, "model")
        drawing.circle(scale(row.pcc.value or 0.0), y - 4, 4, "model", tip=f"{name}, elocute: {row.pcc.value:.3f}")
    drawing.circle(12, bottom + 49, 4, "model")
    drawing.text(22, bottom + 53, "elocute, 95 %")
    drawing.shape(diamond(124, bottom + 49, 4), "human")
    drawing.text(134, bottom + 53, "one expert vs the others")
    return drawing
