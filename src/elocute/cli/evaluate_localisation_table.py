"""What became of planted errors as tables for a terminal, 80 columns wide, trivial baselines beside every figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from elocute.cli.figures import NONE, interval, new_table, number, with_interval, with_note
from elocute.evaluation.localisation import QUANTILES, Localisation, PartRow, found_share, is_canonical_heard, is_heard
from elocute.evaluation.localisation_measures import SOURCES
from elocute.evaluation.localisation_planting import KINDS

_MOST_PAIRS = 24
_SHORT = {"substitution": "subst.", "deletion": "del.", "insertion": "ins."}


def render(result: Localisation) -> Iterator[RenderableType]:
    """Everything, from the data to what could not be planted."""
    data = result.data
    yield Text(f"{data['corpus']} {data['split'] or ''}".strip(), style="bold")
    spread = ", ".join(f"{row.part} {row.n}" for row in result.parts if row.part in SOURCES)
    yield Text(
        f"{len(result.outcomes)} planted errors ({spread}) in {data['recordings']} recordings, "
        f"{data['speakers']} speakers; seed {result.settings['seed']}"
    )
    yield ""
    for table in (_place, _drops, _names, _detector, _insertions):
        rows = [row for row in result.parts if table is not _insertions or row.inserted]
        if rows:
            yield table(rows)
            yield ""
    yield _heard(result)
    yield ""
    yield _pairs(result)
    for reason, count in result.skipped.items():
        yield Text(f"Not planted: {count} x {reason}", style="yellow")
    for reason, count in data["left_out"].items():
        if count:
            yield Text(f"Recordings left out: {count} x {reason}", style="yellow")
    for note in result.notes:
        yield Text(f"Note: {note}")


def _short(part: str) -> str:
    """Name of a part in a narrow column."""
    return " ".join(_SHORT.get(name, name) for name in part.split())


def _place(parts: Sequence[PartRow]) -> Group:
    """Whether the planted phone is the lowest."""
    table = new_table(
        "Substitutions and deletions: the planted phone has the lowest score",
        "errors", "n", "of its word", "95 %", "chance", "of sentence", "95 %", "chance",
    )  # fmt: skip
    for row in parts:
        if row.replaced:
            table.add_row(
                _short(row.part),
                str(row.replaced),
                number(row.lowest_in_word.value),
                interval(row.lowest_in_word),
                number(row.lowest_in_word_naive),
                number(row.lowest_in_utterance.value),
                interval(row.lowest_in_utterance),
                number(row.lowest_in_utterance_naive),
            )
    return with_note(table, "chance: a phone drawn at random. Where k phones share the lowest score each counts 1/k.")


def _drops(parts: Sequence[PartRow]) -> Group:
    """How far scores fall."""
    shown = [QUANTILES.index(quantile) for quantile in (10, 50, 90)]
    names = [f"p{QUANTILES[index]}" for index in shown]
    table = new_table(
        "Drop against the clean recording, points of 100, and how far it spreads",
        "errors", "own", *names, "same", "beside / own", "others / own",
    )  # fmt: skip
    for row in parts:
        if row.own_drop_quantiles is not None:
            table.add_row(
                _short(row.part),
                number(row.own_drop.value, 1),
                *(number(row.own_drop_quantiles[index], 0) for index in shown),
                number(row.control_drop.value, 1),
                with_interval(row.beside_share),
                with_interval(row.others_share),
            )
    return with_note(
        table,
        "own: the planted phone's mean drop and its quantiles; same: where the same splice puts in the phone that "
        "belongs there, which is what splicing alone does; beside: mean drop of the two phones beside it, others: of "
        "all other phones of its word, as shares of own (1: the whole word sinks; 0: only the error).",
    )


def _names(parts: Sequence[PartRow]) -> Group:
    """Whether what was said is named."""
    table = new_table(
        "What was said instead is named",
        "errors", "n", "actual", "top 1 (95 %)", "naive", "top 3 (95 %)", "naive", "if flag.",
    )  # fmt: skip
    for row in parts:
        table.add_row(
            _short(row.part),
            str(row.n),
            number(row.actual_named.value, 2),
            with_interval(row.top1),
            number(row.top1_naive, 2),
            with_interval(row.top3),
            number(row.top3_naive, 2),
            number(row.top1_of_flagged.value, 2),
        )
    return with_note(
        table,
        "actual: of a flagged phone; top 1, 3: of the candidates other than the canonical phone, over all errors; if "
        "flag.: top 1 over the flagged ones; naive: the commonest confusions of the canonical phone, which are also "
        "those planted most, so that three of them are right most often.",
    )


def _detector(parts: Sequence[PartRow]) -> Group:
    """Flags on the error and elsewhere."""
    table = new_table(
        "Flags",
        "errors", "recall (95 %)", "+uns.", "prec.", "naive", "before", "after", "beside", "omit", "word",
    )  # fmt: skip
    for row in parts:
        table.add_row(
            _short(row.part),
            with_interval(row.recall),
            number(row.recall_or_unsure.value, 2),
            number(row.precision.value, 2),
            number(row.precision_naive, 2),
            *(number(share.value) for share in (row.alarms_before, row.alarms_after, row.alarms_beside)),
            number(row.omitted.value, 2),
            number(row.flagged_before.value, 2),
        )
    return with_note(
        table,
        "+uns.: flagged, or called unsure; prec.: planted errors of all flags in planted recordings (naive: a phone "
        "drawn at random); before, after, beside: well-said phones flagged in clean recordings, with the error, and "
        "beside it; omit: its word called left out; word: a phone of its word was flagged before.",
    )


def _insertions(parts: Sequence[PartRow]) -> Group:
    """Phones that were said although the text has none there."""
    table = new_table(
        "Insertions", "errors", "n", "reported there (95 %)", "neighbour lowest", "either", "neighbours' drop"
    )
    for row in parts:
        table.add_row(
            _short(row.part),
            str(row.inserted),
            with_interval(row.place_reported),
            number(row.neighbour_lowest.value),
            number(row.found_either.value),
            number(row.inserted_beside_drop.value, 1),
        )
    extra = parts[0]
    return with_note(
        table,
        f"inserted phones reported where there are none, a recording: {number(extra.inserted_before)} clean, "
        f"{number(extra.inserted_after)} planted; extra words: {number(extra.extra_before)} clean, "
        f"{number(extra.extra_after)} planted. neighbour: one of the two phones around it is lowest of the word.",
    )


def _heard(result: Localisation) -> Group:
    """Whether the acoustic model hears the errors at all."""
    table = new_table(
        "Heard: what the acoustic model hears at the place, left to itself",
        "errors", "n", "donor heard", "error heard", "canonical", "found if heard", "found if not",
    )  # fmt: skip

    def mean(values: Sequence[float]) -> str:
        return number(sum(values) / len(values)) if values else NONE

    for source in SOURCES:
        for kind in KINDS:
            some = [one for one in result.outcomes if (one.source, one.kind) == (source, kind)]
            some = [one for one in some if one.heard_at_place is not None]
            if some:
                table.add_row(
                    _short(f"{source} {kind}"),
                    str(len(some)),
                    mean([float(one.said_was_heard) for one in some if one.said_was_heard is not None]),
                    mean([float(is_heard(one)) for one in some]),
                    mean([float(is_canonical_heard(one)) for one in some]),
                    mean([found_share(one) for one in some if is_heard(one)]),
                    mean([found_share(one) for one in some if not is_heard(one)]),
                )
    return with_note(
        table,
        "donor heard: the phone in its own recording; error heard: what was said is among the phones heard there, and "
        "the canonical one is not; canonical: that is heard, though it was not said. More of it in splice than in "
        "flite: what the splice left of it, or what the model knows of the recording. found: lowest of its word, or "
        "the insertion reported.",
    )


def _pairs(result: Localisation) -> Group:
    """The confusions that are missed most."""
    table = new_table(
        "Confusions missed most often",
        "source", "canonical", "said", "n", "missed", "flagged", "first", "heard", "canonical", left=3,
    )  # fmt: skip
    for row in result.pairs[:_MOST_PAIRS]:
        table.add_row(
            row.source,
            row.canonical or "nothing",
            row.said or "nothing",
            str(row.n),
            number(row.missed, 1),
            str(row.flagged),
            str(row.top1),
            NONE if row.error_heard is None else str(row.error_heard),
            NONE if row.canonical_heard is None else str(row.canonical_heard),
        )
    return with_note(
        table,
        "missed: not the lowest of its word, or the insertion not reported; first: named first; heard, canonical: as "
        "above. All pairs are in --json.",
    )
