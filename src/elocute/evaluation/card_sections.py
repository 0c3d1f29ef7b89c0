"""Chapters of the benchmark card on scores and found errors: tables and plots of one kind of result each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from elocute.evaluation import plots
from elocute.evaluation.bootstrap import Estimate
from elocute.evaluation.document import Block, Plots, Section, TableBlock, Text
from elocute.evaluation.published import GOPT, best
from elocute.evaluation.result import (
    MODEL,
    PHONE_PRIOR,
    SPEAKER_MEAN,
    DetectionRow,
    Evaluation,
    OperatingPoint,
    ScoreRow,
)

GROUPS = ("all", "children", "adults", "female", "male")


def number(value: float | None, digits: int = 3) -> str:
    """A figure, - where there is none; never a negative zero."""
    return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def with_interval(estimate: Estimate, digits: int = 3) -> str:
    """A figure and its 95 % interval."""
    if estimate.low is None or estimate.high is None:
        return number(estimate.value, digits)
    return f"{number(estimate.value, digits)} ({number(estimate.low, digits)} to {number(estimate.high, digits)})"


def _keys(rows: Iterable[ScoreRow]) -> list[tuple[str, str]]:
    """Levels and scores in the order of the rows, each once."""
    return list(dict.fromkeys((row.level, row.score) for row in rows))


def agreement_section(evaluation: Evaluation) -> Section:
    """Correlation with the experts."""
    keys = _keys(evaluation.scores)
    ours = plots.rows_by_key(evaluation.scores, MODEL)
    priors, means = (plots.rows_by_key(evaluation.scores, name) for name in (PHONE_PRIOR, SPEAKER_MEAN))
    people = plots.human_ceiling(evaluation)
    rows = []
    for key in keys:
        record = best(*key)
        rows.append(
            (
                " ".join(key),
                with_interval(ours[key].pcc),
                number(ours[key].scc.value),
                number(ours[key].mse.value),
                with_interval(people[key].pcc) if key in people else "-",
                number(priors[key].pcc.value if key in priors else None),
                number(means[key].pcc.value if key in means else None),
                number(GOPT.of(*key)),
                "-" if record is None else number(record[0]),
            )
        )
    table = TableBlock(
        caption="Agreement with the experts",
        header=(
            "score",
            "PCC (95 %)",
            "SCC",
            "MSE",
            "one expert vs others, PCC",
            "phone prior",
            "speaker mean (oracle)",
            "GOPT, published",
            "best published",
        ),
        rows=rows,
    )
    everything = TableBlock(
        caption="Every predictor, rounded scores too",
        header=("score", "predictor", "n", "PCC", "SCC", "MSE", "PCC rounded", "MSE rounded", "PCC both", "MSE both"),
        rows=[_full_row(row) for row in evaluation.scores if row.part == "all"],
        is_folded=True,
    )
    shown = [key for key in plots.SHOWN_SCORES if key in ours]
    return Section(
        title="Agreement with experts",
        blocks=[
            Text(
                content="PCC is Pearson's correlation with the experts' scores: 1 is perfect, 0 is chance. Experts "
                "disagree too: one expert against the mean of the others is what a person reaches. The published "
                "figures are of the official test split and were not run here."
            ),
            Plots(drawings=[plots.agreement(evaluation)]),
            table,
            Text(
                content="Predictions against the experts' scores: each column holds the items with one score by the "
                "experts, darker cells hold more of its predictions, the dot is their mean, the number below counts "
                "items. On the dashed line predictions are the experts'."
            ),
            Plots(drawings=[plots.density(evaluation, *key) for key in shown], per_row=3, is_titled=False),
            everything,
        ],
    )


def _full_row(row: ScoreRow) -> tuple[str, ...]:
    """A predictor's figures on one score."""
    rounded = row.rounded
    return (
        f"{row.level} {row.score}",
        row.predictor,
        str(row.n),
        with_interval(row.pcc),
        with_interval(row.scc),
        with_interval(row.mse),
        number(rounded.pcc),
        number(rounded.mse),
        number(rounded.both_pcc),
        number(rounded.both_mse),
    )


def group_section(evaluation: Evaluation) -> Section | None:
    """Children, adults, women, men; folds where they were asked for."""
    ours = {part: plots.rows_by_key(evaluation.scores, MODEL, part) for part in GROUPS}
    present = [part for part in GROUPS if ours[part]]
    if len(present) < 2:
        return None
    keys = [key for key in plots.SHOWN_SCORES if all(key in ours[part] for part in present)]
    found = {row.part: row for row in evaluation.detection if row.predictor == MODEL}
    rows = [
        (
            part,
            *(with_interval(ours[part][key].pcc) for key in keys),
            with_interval(found[part].roc_auc),
            f"{found[part].wrong} of {found[part].n}",
        )
        for part in present
    ]
    header = ("speakers", *(" ".join(key) for key in keys), "wrong phones, ROC AUC", "wrong phones")
    blocks: list[Block] = [
        Text(
            content="A correlation also depends on how much the speakers of a group differ: where nearly all scores "
            "are alike, an expert's correlation with the other experts is low, too."
        ),
        Plots(drawings=[plots.groups(evaluation, present)]),
        TableBlock(caption="PCC by group", header=header, rows=rows),
    ]
    if evaluation.folds:
        rows = [
            (f"{row.level} {row.score}, {row.metric}", str(row.folds), number(row.mean), number(row.sd))
            for row in evaluation.folds
        ]
        header = ("figure", "folds", "mean", "standard deviation")
        blocks.append(TableBlock(caption="Over the folds", header=header, rows=rows, is_folded=True))
    return Section(title="Groups of speakers", blocks=blocks)


def detection_section(evaluation: Evaluation) -> Section:
    """Finding wrong phones."""
    rows = [row for row in evaluation.detection if row.part == "all"]
    blocks: list[Block] = [
        Text(
            content="A phone is wrong where the experts' mean is below 0.5 of 2. The model knows the text; recognisers "
            "that do not know it solve another task."
        ),
        TableBlock(
            caption="Ranking phones from wrong to right",
            header=("predictor", "ROC AUC (95 %)", "PR AUC (95 %)", "wrong", "phones"),
            rows=[
                (row.predictor, with_interval(row.roc_auc), with_interval(row.pr_auc), str(row.wrong), str(row.n))
                for row in rows
            ],
        ),
        TableBlock(
            caption="Operating points",
            header=("who flags", "threshold", "precision", "recall", "F1", "FAR", "FRR", "TR", "FR", "FA", "TA"),
            rows=list(_points(rows)) + _expert_points(evaluation),
        ),
    ]
    if any(row.predictor == MODEL for row in evaluation.calibration):
        ours = next(row for row in evaluation.calibration if row.predictor == MODEL)
        blocks += [
            Text(
                content=f"Expected calibration error: {with_interval(ours.ece)}. It is the mean gap between what the "
                "probability says and what happens."
            ),
            Plots(drawings=[plots.calibration(evaluation)]),
            TableBlock(
                caption="Calibration, bin by bin",
                header=("stated between", "phones", "mean stated", "share wrong"),
                rows=[
                    (
                        f"{number(item.low)} and {number(item.high)}",
                        str(item.n),
                        number(item.stated),
                        number(item.observed),
                    )
                    for item in ours.bins
                ],
                is_folded=True,
            ),
        ]
    return Section(title="Finding wrong sounds", blocks=blocks)


def _points(rows: Sequence[DetectionRow]) -> Iterable[tuple[str, ...]]:
    """Shipped and best operating points."""
    for row in rows:
        if row.shipped is not None:
            yield _point(f"{row.predictor}, as shipped" if row.predictor == MODEL else row.predictor, row.shipped)
        if row.best is not None:
            yield _point(f"{row.predictor}, best F1 on these labels", row.best)


def _point(name: str, point: OperatingPoint) -> tuple[str, ...]:
    rates = (point.precision, point.recall, point.f1, point.far, point.frr)
    counts = (point.true_rejections, point.false_rejections, point.false_acceptances, point.true_acceptances)
    return (name, number(point.threshold), *map(with_interval, rates), *map(str, counts))


def _expert_points(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """One expert as a detector of what the others call wrong."""
    return [
        ("one expert vs the others", "-", *map(with_interval, (row.precision, row.recall, row.f1)), *["-"] * 6)
        for row in evaluation.human_detection
        if row.part == "all"
    ]
