"""An evaluation of mispronunciation detection as tables for a terminal, 80 columns wide, each with its definitions."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from elocute.cli.figures import NONE, new_table, number, with_interval, with_note
from elocute.evaluation.mdd_result import (
    ALIGNED,
    FREE,
    MODEL,
    PHONES,
    STRICT,
    DetectionRow,
    MddEvaluation,
)

WHOLE = "all"


def render(result: MddEvaluation) -> Iterator[RenderableType]:
    """Everything, from the data to what a reader should know."""
    yield from _head(result)
    for labels, note in _LABELS.items():
        rows = [row for row in result.detection if row.part == WHOLE and row.labels == labels]
        if rows:
            yield ""
            yield _detection(labels, rows, note)
    yield from _ranking(result)
    if result.insertions:
        yield ""
        yield _insertions(result)
    yield ""
    yield _strings(result)
    yield ""
    yield _groups(result)
    yield ""
    for note in result.notes:
        yield Text(f"Note: {note}")


_LABELS = {
    PHONES: "Positives: mispronounced phones. Said well: TA passed, FR flagged; mispronounced: FA missed, TR found. "
    "P = TR/(TR+FR), R = TR/(TR+FA), F1 = 2TR/(2TR+FR+FA), FRR = FR/(TA+FR), FAR = FA/(FA+TR), acc = (TA+TR)/all. Of "
    "the found, CD are named right and DE wrong: DER = DE/(CD+DE), DA = 1-DER. Nothing is aligned.",
    STRICT: "The same, but a canonical phone said with an accent (X,X*,s) counts as mispronounced.",
    ALIGNED: "The literature's protocol: counts from alignments of canonical, perceived and hypothesised phones; added "
    "phones are positives, false additions count nowhere. Compare published figures with this.",
}


def _head(result: MddEvaluation) -> Iterator[RenderableType]:
    """What was evaluated."""
    data = result.data
    yield Text("L2-ARCTIC, mispronunciation detection and diagnosis", style="bold")
    yield Text(
        f"{data['utterances']} annotated utterances of {len(data['speakers'])} speakers, {data['words']} words, "
        f"{data['phones']} phones: {data['substituted']} substituted, {data['deleted']} deleted, {data['unknown']} "
        f"err, {data['distorted']} with an accent; {data['inserted']} added"
    )
    if result.provenance.get("protocol"):
        yield Text(f"Predictions: {result.provenance['protocol']}")
    oddities = {
        "annotations left out": len(data["unusable"]),
        "labels read against their tag": len(data["slips"]),
        "words without canonical phones": data["unknown_words"],
        "utterances not scored, counted as not flagged": len(result.unscored),
    }
    if any(oddities.values()):
        yield Text("; ".join(f"{what}: {count}" for what, count in oddities.items() if count), style="yellow")


def _detection(labels: str, rows: list[DetectionRow], note: str) -> Group:
    """Counts, then rates, of every predictor."""
    counts = new_table(f"Detection: {labels}", "whose", "TA", "FR", "FA", "TR", "CD", "DE", "acc")
    rates = new_table("", "whose", "P", "R", "F1 (95 %)", "FRR", "FAR", "DER", "DA")
    for row in rows:
        values = (row.ta, row.fr, row.fa, row.tr, row.cd, row.de)
        counts.add_row(row.predictor, *map(str, values), number(row.accuracy.value))
        rates.add_row(
            row.predictor,
            number(row.precision.value),
            number(row.recall.value),
            with_interval(row.f1),
            number(row.frr.value),
            number(row.far.value),
            number(row.der.value),
            number(row.da.value),
        )
    rates.title = None
    return Group(with_note(counts), rates, Text(note, style="dim"))


def _ranking(result: MddEvaluation) -> Iterator[RenderableType]:
    """Areas under the ROC curve."""
    for row in result.ranking:
        if row.part == WHOLE:
            yield Text(
                f"ROC AUC of the probability, {row.labels}: {with_interval(row.roc_auc)} ({row.wrong} wrong of "
                f"{row.n}; of a constant .500)"
            )


def _insertions(result: MddEvaluation) -> Group:
    """Added sounds."""
    table = new_table("Added sounds", "whose", "found", "named", "missed", "false", "P", "R", "F1 (95 %)")
    for row in result.insertions:
        if row.part == WHOLE:
            values = (row.found, row.named, row.missed, row.false)
            rates = (number(row.precision.value), number(row.recall.value), with_interval(row.f1))
            table.add_row(row.predictor, *map(str, values), *rates)
    return with_note(table, "found: in the gap between canonical phones where annotators hear one; named: the same one")


def _strings(result: MddEvaluation) -> Group:
    """Error rates of strings."""
    table = new_table(
        "Strings against what annotators heard", "whose", "phones", "S", "D", "I", "PER (95 %)", "correct", "accuracy"
    )
    for row in result.strings:
        if row.part == WHOLE:
            values = (row.length, row.substitutions, row.deletions, row.insertions)
            rates = (with_interval(row.per), number(row.correct.value), number(row.accuracy.value))
            table.add_row(row.hypothesis, *map(str, values), *rates)
    return with_note(table, "PER = (S+D+I)/N; correct = (N-S-D)/N; accuracy = 1-PER; err equals no hypothesis")


def _groups(result: MddEvaluation) -> Group:
    """By first language and speaker."""
    table = new_table(
        "By speaker and first language", "who", "phones", "wrong", "P", "R", "F1", "DA", "AUC", "F1 al.", "PER"
    )
    model = {row.part: row for row in result.detection if (row.labels, row.predictor) == (PHONES, MODEL)}
    aligned = {row.part: row for row in result.detection if (row.labels, row.predictor) == (ALIGNED, FREE)}
    area = {row.part: row for row in result.ranking if row.labels == PHONES}
    free = {row.part: row for row in result.strings if row.hypothesis == FREE}
    for part in dict.fromkeys(row.part for row in result.detection):
        own, strings = model.get(part), aligned.get(part)
        rates = (own.precision, own.recall, own.f1, own.da) if own else ()
        table.add_row(
            part,
            NONE if own is None else str(own.ta + own.fr + own.fa + own.tr),
            NONE if own is None else str(own.fa + own.tr),
            *([number(rate.value) for rate in rates] or [NONE] * 4),
            NONE if part not in area else number(area[part].roc_auc.value),
            NONE if strings is None else number(strings.f1.value),
            NONE if part not in free else number(free[part].per.value),
        )
    return with_note(table, "canonical phones; F1 al. and PER: free decoding, by aligned strings")
