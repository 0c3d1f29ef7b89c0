"""Chapters of the benchmark card beside the scores: what was heard, phones, people, speed, published systems."""

from __future__ import annotations

from collections.abc import Sequence

from elocute.evaluation import plots
from elocute.evaluation.card_sections import number, with_interval
from elocute.evaluation.document import Block, Plots, Section, TableBlock, Text
from elocute.evaluation.latency import Latency, latency_curve, latency_stages
from elocute.evaluation.published import COLUMNS, DETECTION, SCORES
from elocute.evaluation.result import MODEL, Confusion, Evaluation

CONFUSIONS_LISTED = 20


def heard_section(evaluation: Evaluation) -> Section | None:
    """What was said instead."""
    if not evaluation.confusions and not evaluation.recognition:
        return None
    blocks: list[Block] = []
    if evaluation.confusions:
        blocks.append(
            Text(
                content="Which sound the model says it heard where it flagged an error; every cell is a share of all "
                "phones of its row, the last column (∅) is nothing. Point at a cell for its counts."
            )
        )
        drawings = [plots.confusion_map(evaluation.confusions, "heard", "What the model heard in place of each phone")]
        if evaluation.annotated_confusions:
            title = "What people heard in place of each phone"
            drawings.append(plots.confusion_map(evaluation.annotated_confusions, "annotated", title))
        blocks += [Plots(drawings=[drawing], is_detailed=True) for drawing in drawings]
        blocks.append(_confusion_table("Most frequent, heard by the model", evaluation.confusions))
    if evaluation.annotated_confusions:
        blocks.append(_confusion_table("Most frequent, heard by people", evaluation.annotated_confusions))
    if evaluation.diagnosis is not None:
        found = evaluation.diagnosis
        blocks.append(
            TableBlock(
                caption="Right diagnoses among wrong phones that were flagged",
                header=("DER", "DER, strict", "right", "wrong", "approximate", "unknown", "unannotated"),
                rows=[
                    (
                        with_interval(found.der),
                        with_interval(found.der_strict),
                        *map(str, (found.right, found.wrong, found.approximate, found.unknown, found.unannotated)),
                    )
                ],
            )
        )
    if evaluation.recognition:
        blocks.append(
            TableBlock(
                caption="Error rates of strings (PER, WER)",
                header=("speakers", "unit", "reference", "hypothesis", "utterances", "length", "errors", "rate (95 %)"),
                rows=[
                    (
                        row.part,
                        row.unit,
                        row.reference,
                        row.hypothesis,
                        *map(str, (row.utterances, row.reference_length, row.errors)),
                        with_interval(row.rate),
                    )
                    for row in evaluation.recognition
                ],
            )
        )
    return Section(title="What was heard", blocks=blocks)


def _confusion_table(caption: str, confusions: Sequence[Confusion]) -> TableBlock:
    """The most frequent confusions."""
    total: dict[str, int] = {}
    for cell in confusions:
        total[cell.canonical] = total.get(cell.canonical, 0) + cell.n
    errors = sorted(
        (cell for cell in confusions if cell.heard != cell.canonical),
        key=lambda cell: (-cell.n, cell.canonical, cell.heard or ""),
    )
    return TableBlock(
        caption=caption,
        header=("should be said", "heard", "times", "of", "called wrong by experts"),
        rows=[
            (cell.canonical, cell.heard or "nothing", str(cell.n), str(total[cell.canonical]), str(cell.wrong))
            for cell in errors[:CONFUSIONS_LISTED]
        ],
        is_folded=True,
    )


def phone_section(evaluation: Evaluation) -> Section:
    """Every phone by itself."""
    rows = [
        (
            row.phone,
            str(row.n),
            str(row.wrong),
            with_interval(row.roc_auc),
            number(row.speaker_mean_roc_auc),
            with_interval(row.pcc),
            number(row.speaker_mean_pcc),
            number(row.human_mean),
            number(row.predicted_mean),
        )
        for row in evaluation.phones
    ]
    header = (
        "phone",
        "n",
        "wrong",
        "ROC AUC (95 %)",
        "speaker mean (oracle)",
        "PCC (95 %)",
        "speaker mean (oracle)",
        "mean by experts",
        "mean predicted",
    )
    return Section(
        title="Phone by phone",
        blocks=[
            Plots(drawings=[plots.phone_auc(evaluation.phones)]),
            TableBlock(caption="Phone by phone", header=header, rows=rows, is_folded=True),
        ],
    )


def human_section(evaluation: Evaluation) -> Section | None:
    """How far people agree."""
    if not evaluation.humans:
        return None
    rows = [
        (
            row.part,
            f"{row.level} {row.score}",
            row.against,
            str(row.items),
            number(row.coverage),
            with_interval(row.pcc),
            with_interval(row.mse),
        )
        for row in evaluation.humans
    ]
    header = ("speakers", "score", "against the others'", "items", "coverage", "PCC (95 %)", "MSE (95 %)")
    return Section(
        title="What people reach",
        blocks=[
            Text(
                content="One expert against the others of the same item. A model is compared with all experts, a "
                "steadier target, so this is an anchor and not a bound."
            ),
            TableBlock(caption="One expert against the others", header=header, rows=rows, is_folded=True),
        ],
    )


def speed_section(latency: Latency) -> Section:
    """Latency, memory, size."""
    stages = list(latency.lengths[0].stages)
    rows = [
        (
            f"{row.length_s:g}",
            number(row.phones, 0),
            str(row.runs),
            number(row.whole.p50_ms, 1),
            number(row.whole.p95_ms, 1),
            number(row.real_time_factor),
            *(number(row.stages[stage].p50_ms, 1) for stage in stages),
            number(row.peak_mb, 0),
        )
        for row in latency.lengths
    ]
    header = ("seconds", "phones", "runs", "p50 ms", "p95 ms", "real-time factor", *stages, "peak MB")
    first = latency.lengths[0]
    total = sum(latency.models.values())
    return Section(
        title="Speed, memory and size",
        blocks=[
            Text(
                content=f"{latency.machine['cpu']}, {latency.machine['threads']} threads on {latency.machine['cores']} "
                f"cores; recordings: {latency.recordings}. Whole `Assessor.assess` on the bytes of a FLAC file, models "
                "loaded; each length in a process of its own."
            ),
            Plots(drawings=[latency_curve(latency), latency_stages(latency)], per_row=2),
            TableBlock(caption="Warm latency, medians of each stage in ms", header=header, rows=rows),
            Text(
                content="Cold start, a new process of `elocute assess` up to its report: p50 "
                f"{number(latency.cold_p50_s, 2)} s, p95 {number(latency.cold_p95_s, 2)} s. Loading the models takes "
                f"{number(first.load_s, 2)} s of it; the process then holds {number(first.loaded_mb, 0)} MB."
            ),
            TableBlock(
                caption="Model files",
                header=("file", "bytes", "MB"),
                rows=[
                    *((name, str(size), number(size / 1e6, 2)) for name, size in latency.models.items()),
                    ("all", str(total), number(total / 1e6, 2)),
                ],
            ),
        ],
    )


def published_section(evaluation: Evaluation) -> Section:
    """What others report, with ours beside it."""
    ours = plots.rows_by_key(evaluation.scores, MODEL)
    phone = ours.get(("phone", "accuracy"))
    split = evaluation.data.get("split", "unknown")
    rows = [
        (
            f"elocute ({split} split, this card)",
            "this card",
            number(None if phone is None else phone.mse.value),
            *(number(ours[key].pcc.value) if key in ours else "-" for key in COLUMNS),
        ),
        *((row.system, row.source, number(row.phone_mse), *map(number, row.pcc)) for row in SCORES),
    ]
    header = ("system", "source", "phone MSE", *(" ".join(key) for key in COLUMNS))
    found = next((row for row in evaluation.detection if (row.part, row.predictor) == ("all", MODEL)), None)
    detection: list[tuple[str, ...]] = []
    if found is not None and found.shipped is not None:
        rates = (found.shipped.precision.value, found.shipped.recall.value, found.shipped.f1.value, found.roc_auc.value)
        detection.append((f"elocute as shipped ({split} split, this card)", "this card", *map(number, rates)))
    detection += [
        (row.system, row.source, *map(number, (row.precision, row.recall, row.f1, row.roc_auc))) for row in DETECTION
    ]
    return Section(
        title="Published systems",
        blocks=[
            Text(
                content="As printed by their authors, on the official test split; nothing was run here. Many kept the "
                "training epoch that was best on that test split, and GOPT alone moves by 0.006 to 0.013 phone PCC "
                "with the seed: differences below 0.02 say nothing.",
                is_caution=True,
            ),
            TableBlock(caption="PCC", header=header, rows=rows),
            TableBlock(
                caption="Wrong phones, the text known",
                header=("system", "source", "precision", "recall", "F1", "ROC AUC"),
                rows=detection,
            ),
        ],
    )
