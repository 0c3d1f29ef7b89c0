"""An evaluation as tables for a terminal, 80 columns wide; every table shows the trivial baselines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from elocute.cli.figures import NONE, interval, new_table, number, with_interval, with_note
from elocute.evaluation.result import (
    CONSTANT,
    ECHO,
    MODEL,
    PHONE_PRIOR,
    PREDICTORS,
    SPEAKER_MEAN,
    DetectionRow,
    Evaluation,
    OperatingPoint,
    ScoreRow,
)

_MOST_CONFUSIONS = 12
_GROUP_SCORES = ("phone accuracy", "word total", "utterance total", "utterance fluency", "utterance prosodic")
_SHORT = {
    MODEL: "model",
    CONSTANT: "constant",
    PHONE_PRIOR: "prior",
    SPEAKER_MEAN: "own mean",
    ECHO: "echo",
}


def render(result: Evaluation) -> Iterator[RenderableType]:
    """Everything, from the data to what could not be measured."""
    yield from _head(result)
    yield _scores(result)
    yield ""
    yield _groups(result)
    yield ""
    yield _detection(result)
    yield from _ceiling(result)
    yield ""
    if result.recognition:
        yield _recognition(result)
    yield from _diagnosis(result)
    if result.calibration:
        yield ""
        yield _calibration(result)
    yield ""
    yield _phones(result)
    if result.confusions:
        yield ""
        yield _confusions(result)
    if result.folds:
        yield ""
        yield _folds(result)
    yield ""
    for note in result.notes:
        yield Text(f"Note: {note}")


def _head(result: Evaluation) -> Iterator[RenderableType]:
    """What was evaluated."""
    data, provenance = result.data, result.provenance
    yield Text(f"{data.get('corpus', '')} {data.get('split', '')}".strip(), style="bold")
    yield Text(
        f"{data['utterances']} utterances, {data['speakers']} speakers ({data['children']} children, {data['adults']} "
        f"adults), {data['words']} words, {data['phones']} phones, {data['wrong_phones']} of them wrong"
    )
    if provenance.get("protocol"):
        yield Text(f"Predictions: {provenance['protocol']}")
    unscored = result.unscored
    if unscored.utterances or unscored.values:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in unscored.reasons.items())
        yield Text(
            f"Not scored, counted as the model's own mean: {unscored.utterances} utterances"
            f"{f' ({reasons})' if reasons else ''}, {unscored.values} single scores",
            style="yellow",
        )
    if result.settings.get("shuffle_seed") is not None:
        yield Text("LABELS SHUFFLED: nothing may be found here but by luck", style="bold red")
    yield ""
    if result.shuffles:
        yield _shuffles(result)
        yield ""


def _by_predictor(rows: Iterable[ScoreRow], part: str) -> dict[str, dict[str, ScoreRow]]:
    """Rows of one part: level and score, then predictor."""
    found: dict[str, dict[str, ScoreRow]] = {}
    for row in rows:
        if row.part == part:
            found.setdefault(f"{row.level} {row.score}", {})[row.predictor] = row
    return found


def _human(result: Evaluation, part: str) -> dict[str, float | None]:
    """What one expert reaches against the mean of the others."""
    return {
        f"{row.level} {row.score}": row.pcc.value for row in result.humans if row.part == part and row.against == "mean"
    }


def _scores(result: Evaluation) -> Group:
    """Agreement on every score."""
    table = new_table(
        "Scores against people's",
        "score", "PCC", "95 %", "SCC", "MSE", "rnd", "human", "prior", "own", "const", "echo",
    )  # fmt: skip
    human = _human(result, "all")
    for score, rows in _by_predictor(result.scores, "all").items():
        model = rows[MODEL]
        table.add_row(
            score.replace("utterance", "utt."),
            number(model.pcc.value),
            interval(model.pcc),
            number(model.scc.value),
            number(model.mse.value),
            number(model.rounded.pcc),
            number(human.get(score)),
            *(number(rows[name].pcc.value) if name in rows else NONE for name in (PHONE_PRIOR, SPEAKER_MEAN)),
            *(number(rows[name].mse.value) if name in rows else NONE for name in (CONSTANT, ECHO)),
        )
    return with_note(
        table,
        "rnd: PCC of rounded predictions; human: PCC of one expert with the mean of the others. Baselines: PCC of the "
        "phone's prior (fitted on other speakers) and of the speaker's own mean (an oracle); MSE of a constant (of "
        "other speakers) and of echoing the text (full marks).",
    )


def _groups(result: Evaluation) -> Group:
    """Age groups, genders and folds."""
    table = new_table("By group", "group", "whose", "phone", "word", "utt.", "fluency", "prosody", "AUC", "F1", left=2)
    detection = {(row.part, row.predictor): row for row in result.detection}
    for part in dict.fromkeys(row.part for row in result.scores):
        rows = _by_predictor(result.scores, part)
        for name in (MODEL, PHONE_PRIOR, SPEAKER_MEAN):
            found = detection.get((part, name))
            if found is None:
                continue
            cells = [rows.get(key, {}).get(name) for key in _GROUP_SCORES]
            point = found.shipped if name == MODEL else found.best
            table.add_row(
                part if name == MODEL else "",
                _SHORT[name],
                *(NONE if cell is None else number(cell.pcc.value) for cell in cells),
                number(found.roc_auc.value),
                NONE if point is None else number(point.f1.value),
            )
        human = _human(result, part)
        if human:
            f1 = next((row.f1.value for row in result.human_detection if row.part == part), None)
            table.add_row("", "one expert", *(number(human.get(key)) for key in _GROUP_SCORES), NONE, number(f1))
    return with_note(
        table,
        "PCC of scores; AUC and F1 of finding wrong phones, the model's F1 at its shipped point, the baselines' at the "
        "threshold that suits these labels best. Constant and echo: no PCC, AUC .500. own mean: an oracle.",
    )


def _detection(result: Evaluation) -> Group:
    """Finding the wrong phones."""
    rows = [row for row in result.detection if row.part == "all"]
    wrong, n = rows[0].wrong, rows[0].n
    table = new_table(
        f"Finding the {wrong} wrong of {n} phones",
        "whose", "AUC (95 %)", "AP", "point", "P", "R", "F1 (95 %)", "FAR", "FRR",
    )  # fmt: skip
    for row in sorted(rows, key=lambda item: PREDICTORS.index(item.predictor)):
        for point in (row.shipped, row.best) if row.shipped or row.best else (None,):
            if point is None and (row.shipped or row.best):
                continue
            table.add_row(*_detection_cells(row, point))
    return with_note(
        table,
        "ship: the model's own point, with words it says were left out; best: threshold chosen on these labels, a "
        "ceiling; AP: average precision, of a constant the base rate; FAR: wrong phones missed, FRR: others flagged.",
    )


def _detection_cells(row: DetectionRow, point: OperatingPoint | None) -> list[str]:
    """One line of the table of detection."""
    is_first = point is None or not point.is_best or row.shipped is None
    cells = [
        _SHORT[row.predictor] if is_first else "",
        with_interval(row.roc_auc) if is_first else "",
        number(row.pr_auc.value) if is_first else "",
    ]
    if point is None:
        return [*cells, *[NONE] * 6]
    kind = "best" if point.is_best else "ship" if row.predictor == MODEL else "none"
    return [
        *cells,
        f"{kind} {number(point.threshold, 2)}" if kind != "none" else "no flag",
        number(point.precision.value, 2),
        number(point.recall.value, 2),
        with_interval(point.f1),
        number(point.far.value, 2),
        number(point.frr.value),
    ]


def _ceiling(result: Evaluation) -> Iterator[RenderableType]:
    """One expert as a detector."""
    for row in result.human_detection:
        if row.part == "all":
            yield Text(
                f"One expert (marks 0) against the others' mean below 0.5: P {number(row.precision.value)}, R "
                f"{number(row.recall.value)}, F1 {with_interval(row.f1)}"
            )


def _recognition(result: Evaluation) -> Group:
    """Error rates of strings."""
    table = new_table("Error rates of strings", "reference", "whose", "utt.", "units", "errors", "rate (95 %)", left=2)
    for row in result.recognition:
        if row.part == "all":
            table.add_row(
                f"{row.unit}: {row.reference}",
                row.hypothesis,
                str(row.utterances),
                str(row.reference_length),
                str(row.errors),
                with_interval(row.rate),
            )
    return with_note(table)


def _diagnosis(result: Evaluation) -> Iterator[RenderableType]:
    """Whether what was said is named."""
    found = result.diagnosis
    if found is not None:
        yield Text(
            f"Diagnosis error rate of flagged wrong phones: {with_interval(found.der)}, strictly "
            f"{with_interval(found.der_strict)} ({found.right} right, {found.wrong} wrong; left out: {found.unknown} "
            f"that nobody could tell, {found.unannotated} without annotation, {found.contradictory} contradictory). "
            "Echo of the canonical phones flags none, so it has none."
        )


def _calibration(result: Evaluation) -> Group:
    """Stated against observed."""
    table = new_table("Probability of an error, stated and observed", "stated", "phones", "mean", "observed", left=1)
    for item in result.calibration:
        if item.predictor == MODEL:
            for row in item.bins:
                table.add_row(
                    f"{number(row.low, 2)} to {number(row.high, 2)}",
                    str(row.n),
                    number(row.stated),
                    number(row.observed),
                )
    errors = (f"{item.predictor} {with_interval(item.ece)}" for item in result.calibration)
    return with_note(table, f"Expected calibration error: {'; '.join(errors)}")


def _phones(result: Evaluation) -> Group:
    """Phone by phone."""
    table = new_table("By phone", "phone", "n", "wrong", "AUC (95 %)", "own AUC", "PCC (95 %)", "own PCC")
    for row in sorted(result.phones, key=lambda item: (-item.wrong, item.phone)):
        table.add_row(
            row.phone,
            str(row.n),
            str(row.wrong),
            with_interval(row.roc_auc),
            number(row.speaker_mean_roc_auc),
            with_interval(row.pcc),
            number(row.speaker_mean_pcc),
        )
    return with_note(
        table, "own: the speaker's own mean, an oracle; constant, prior and echo: AUC .500, no PCC within a phone"
    )


def _confusions(result: Evaluation) -> Group:
    """What was heard most often in place of a phone."""
    table = new_table("Heard for another phone, most often", "canonical", "heard", "n", "wrong for people", left=2)
    others = sorted(
        (row for row in result.confusions if row.heard != row.canonical),
        key=lambda row: (-row.n, row.canonical, row.heard or ""),
    )
    for row in others[:_MOST_CONFUSIONS]:
        table.add_row(row.canonical, row.heard or "nothing", str(row.n), str(row.wrong))
    return with_note(table, "echo of the canonical phones: none")


def _shuffles(result: Evaluation) -> Group:
    """Correlations over many shuffles."""
    table = new_table(f"PCC over {result.shuffles[0].shuffles} shuffles of the labels", "score", "mean", "middle 95 %")
    for row in result.shuffles:
        table.add_row(f"{row.level} {row.score}", number(row.mean), f"{number(row.low)} to {number(row.high)}")
    return with_note(table, "Below is one shuffle, measured like true labels; baselines are fitted to it.")


def _folds(result: Evaluation) -> Group:
    """Mean and spread over the folds."""
    table = new_table("Over the folds (speaker-disjoint)", "score", "figure", "folds", "mean", "sd", left=2)
    for row in result.folds:
        if row.metric != "scc":
            table.add_row(f"{row.level} {row.score}", row.metric, str(row.folds), number(row.mean), number(row.sd))
    return with_note(table, "each fold with its baselines: above, by group")
