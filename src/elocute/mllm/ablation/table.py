"""The table of an ablation, from the answers that its trainings left: figures, intervals, differences.

A figure is the mean over seeds; its interval comes from drawing speakers and seeds with replacement at once, so that it
holds for other speakers and other trainings. All arms share the draws: the interval of a difference to the reference
is that of a paired comparison. With three seeds the share of the seeds in it is a guess on the low side.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elocute.errors import ConfigError
from elocute.evaluation.bootstrap import Draws, Estimate, estimate, pearson, ratio, sums_by_speaker
from elocute.evaluation.metrics import edit_distance
from elocute.mllm.ablation.files import read_answers, read_record
from elocute.mllm.answers import SCORE_KEYS, Answer, parse_answer
from elocute.mllm.evaluation_measures import filled_with_mean
from elocute.mllm.examples import Example
from elocute.types import Float64

ORDER = 4
"""Longest n-gram of BLEU."""


def bleu(sums: Float64) -> Float64:
    """Corpus BLEU of 0 to 100 from sums (..., 2 + 2 * ORDER): lengths of answer and reference, then matches and totals.

    Source: K. Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002, with
    exponential smoothing of orders without a match, as sacrebleu has it by default.
    """
    said, wanted = sums[..., 0], sums[..., 1]
    matches, totals = sums[..., 2 : 2 + ORDER], sums[..., 2 + ORDER :]
    halves = 0.5 ** np.cumsum(matches == 0, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(matches > 0, matches / totals, halves / totals)
        brevity = np.where(said < wanted, np.exp(1 - wanted / said), 1.0)
        found = 100 * brevity * np.exp(np.log(precision).mean(axis=-1))
    return np.where((matches.sum(axis=-1) > 0) & (totals > 0).all(axis=-1), found, 0.0)


def bleu_row(reference: Sequence[str], said: Sequence[str]) -> tuple[float, ...]:
    """What one sentence adds to the sums of `bleu`."""
    matches, totals = [], []
    for order in range(1, ORDER + 1):
        wanted, given = (
            Counter(tuple(words[start : start + order]) for start in range(len(words) - order + 1))
            for words in (reference, said)
        )
        matches.append(float((wanted & given).total()))
        totals.append(float(given.total()))
    return (float(len(said)), float(len(reference)), *matches, *totals)


def perplexity(sums: Float64) -> Float64:
    """The exponential of nats a token, from sums (..., 2) of nats and tokens."""
    return np.exp(ratio(sums))


def percent(sums: Float64) -> Float64:
    """A share of 100."""
    return 100 * ratio(sums)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A column of the table.

    Attributes:
        title: as it is printed.
        statistic: from sums to the value.
        is_better_high: whether more is better.
        digits: behind the point.
        meaning: in a sentence.
    """

    title: str
    statistic: Callable[[Float64], Float64]
    is_better_high: bool
    digits: int
    meaning: str


METRICS: dict[str, Metric] = {
    "wer": Metric(title="WER %", statistic=percent, is_better_high=False, digits=1,
                  meaning="word errors by words of the sentence; an answer that cannot be read says nothing"),
    "cer": Metric(title="CER %", statistic=percent, is_better_high=False, digits=1,
                  meaning="the same of characters, spaces included"),
    "bleu": Metric(title="BLEU", statistic=bleu, is_better_high=True, digits=1,
                   meaning="of the words, over the corpus, orders 1 to 4, as sacrebleu without tokenisation"),
    "per": Metric(title="PER %", statistic=percent, is_better_high=False, digits=1,
                  meaning="phone errors by phones that were spoken"),
    "ppl": Metric(title="PPL", statistic=perplexity, is_better_high=False, digits=3,
                  meaning="perplexity of the right answers' tokens, of all tasks"),
    **{
        f"pcc_{name}": Metric(title=f"PCC {name[:3]}", statistic=pearson, is_better_high=True, digits=3,
                              meaning=f"correlation with people's {name}, of the mean score that the model expects; an "
                              "answer that cannot be read counts as the mean of the others")
        for name in SCORE_KEYS
    },
    "valid": Metric(title="valid %", statistic=percent, is_better_high=True, digits=1,
                    meaning="answers that are JSON to the letter, with every field"),
}  # fmt: skip
"""What is measured, in the order of the columns."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One arm.

    Attributes:
        name: of the arm.
        seeds: that were trained.
        values: by metric.
        differences: value less that of the reference, by metric; None for the reference itself.
        facts: what its trainings recorded, means over seeds: sizes, seconds, memory, final loss.
    """

    name: str
    seeds: tuple[int, ...]
    values: Mapping[str, Estimate]
    differences: Mapping[str, Estimate] | None
    facts: Mapping[str, float | None]


def words_of(text: str) -> tuple[str, ...]:
    """Words as answers are compared: upper case, without punctuation."""
    return Answer(task="mdd", status="valid", word_transcript=text).words or ()


def sums_of(
    answers: Sequence[Mapping[str, Any]], examples: Mapping[str, Example], speakers: Sequence[str]
) -> dict[str, Float64]:
    """What every metric is made of, summed by speaker; shape (speakers, K) each.

    Raises:
        ConfigError: an answer to a question that is not among the examples.
    """
    unknown = [row["key"] for row in answers if row["key"] not in examples]
    if unknown:
        raise ConfigError(f"{len(unknown)} answers to other questions than the held-out ones, first {unknown[0]}")
    index = {name: number for number, name in enumerate(speakers)}
    collected: dict[str, list[tuple[int, tuple[float, ...]]]] = {name: [] for name in METRICS}
    scored: list[tuple[int, Mapping[str, float], Mapping[str, float | None]]] = []
    for row in answers:
        example, who = examples[row["key"]], index[row["speaker"]]
        read = parse_answer(example.task, row["text"])
        collected["ppl"].append((who, (row["nats"], row["tokens"])))
        collected["valid"].append((who, (float(read.status == "valid"), 1.0)))
        if example.task != "apa":
            for name, values in _transcript_rows(example, read).items():
                collected[name].append((who, values))
        if example.task != "mdd" and example.scores is not None:
            scored.append((who, example.scores, row["expected"]))
    for name in SCORE_KEYS:
        collected[f"pcc_{name}"] = list(_score_rows(scored, name))
    return {
        name: sums_by_speaker(
            np.array([who for who, _ in rows]),
            np.array([values for _, values in rows], dtype=np.float64),
            len(speakers),
        )
        for name, rows in collected.items()
        if rows
    }


def _transcript_rows(example: Example, read: Answer) -> dict[str, tuple[float, ...]]:
    """What one transcript adds."""
    wanted, said = words_of(example.text), read.words or ()
    spoken = tuple(phone for word in example.realised for phone in word)
    return {
        "wer": (edit_distance(wanted, said), len(wanted)),
        "cer": (edit_distance(" ".join(wanted), " ".join(said)), len(" ".join(wanted))),
        "per": (edit_distance(spoken, read.phones or ()), len(spoken)),
        "bleu": bleu_row(wanted, said),
    }


def _score_rows(
    scored: Sequence[tuple[int, Mapping[str, float], Mapping[str, float | None]]], name: str
) -> Iterable[tuple[int, tuple[float, ...]]]:
    """What each rating adds to the sums of a correlation."""
    filled = filled_with_mean([expected.get(name) for _, _, expected in scored])
    if filled is None:
        filled = np.zeros(len(scored))
    for (who, truth, _), y in zip(scored, filled, strict=True):
        x = truth[name]
        yield who, (1.0, x, float(y), x * x, float(y * y), x * float(y))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """All arms of an ablation.

    Attributes:
        reference: the arm to which differences are taken.
        rows: in the order of the grid.
        speakers: how many were held out.
        draws: resamples behind every interval.
    """

    reference: str
    rows: tuple[Row, ...]
    speakers: int
    draws: int

    def json(self) -> str:
        """As a file."""
        return json.dumps(asdict(self), indent=1) + "\n"


def make_table(
    trials: Mapping[str, Mapping[int, Path]],
    examples: Sequence[Example],
    reference: str,
    speeds: Mapping[str, Mapping[str, float | None]],
    draws: int = 500,
) -> Table:
    """The table of an ablation.

    Args:
        trials: folder of each finished training, by arm and seed.
        examples: the held-out questions.
        reference: the arm to compare with; without a finished training of it there are no differences.
        speeds: what was measured of an arm running alone, by arm.
        draws: resamples.
    """
    by_key = {example.key: example for example in examples}
    speakers = sorted({example.speaker for example in examples})
    weights = Draws.of(len(speakers), draws).weights
    rng = np.random.default_rng(1)
    chosen = rng.random((draws, 64))  # one stream for every arm: seeds are drawn alike wherever there are as many
    found: dict[str, dict[str, tuple[float, Float64]]] = {}
    for name, folders in trials.items():
        sums = [sums_of(read_answers(folder), by_key, speakers) for folder in folders.values()]
        found[name] = {
            metric: _drawn([one[metric] for one in sums], METRICS[metric], weights, chosen) for metric in sums[0]
        }
    rows = [
        Row(
            name=name,
            seeds=tuple(folders),
            values={metric: estimate(*pair) for metric, pair in found[name].items()},
            differences=_differences(found[name], found.get(reference)) if name != reference else None,
            facts=_facts([read_record(folder) for folder in folders.values()]) | dict(speeds.get(name, {})),
        )
        for name, folders in trials.items()
    ]
    return Table(reference=reference, rows=tuple(rows), speakers=len(speakers), draws=draws)


def _differences(
    mine: Mapping[str, tuple[float, Float64]], base: Mapping[str, tuple[float, Float64]] | None
) -> dict[str, Estimate] | None:
    """Value less that of the reference, draw by draw."""
    if base is None:
        return None
    return {
        metric: estimate(value - base[metric][0], drawn - base[metric][1]) for metric, (value, drawn) in mine.items()
    }


def _drawn(sums: Sequence[Float64], metric: Metric, weights: Float64, chosen: Float64) -> tuple[float, Float64]:
    """The mean over seeds, and the same on every draw of speakers and seeds."""
    whole = np.array([float(metric.statistic(one.sum(axis=0))) for one in sums])
    by_seed = np.stack([metric.statistic(weights @ one) for one in sums], axis=1)
    picks = (chosen[:, : len(sums)] * len(sums)).astype(int)
    return float(whole.mean()), np.take_along_axis(by_seed, picks, axis=1).mean(axis=1)


def _facts(records: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Means over the seeds of an arm."""

    def mean(values: Iterable[float | None]) -> float | None:
        there = [value for value in values if value is not None]
        return float(np.mean(there)) if there else None

    facts = {name: mean(record[name] for record in records) for name in
             ("parameters", "learned", "kept", "stored_bytes", "peak_bytes", "adapter_entropy")}  # fmt: skip
    facts["loss"] = mean(record["curve"][-1]["loss"] if record["curve"] else None for record in records)
    facts["prepare_s"] = mean(record["seconds"]["prepare"] for record in records)
    learned = facts["kept"]
    facts["compression"] = None if not learned else (facts["parameters"] or math.nan) / learned
    return facts


def markdown(table: Table, title: str, notes: Sequence[str] = ()) -> str:
    """The table as Markdown: figures, differences, efficiency."""
    lines = [f"# {title}", "", *notes, ""]
    names = [name for name in METRICS if any(name in row.values for row in table.rows)]
    lines += _grid(
        ["arm", "runs", *(METRICS[name].title for name in names)],
        [[row.name, str(len(row.seeds)), *(_cell(row.values.get(name), METRICS[name]) for name in names)]
         for row in table.rows],
    )  # fmt: skip
    compared = [row for row in table.rows if row.differences is not None]
    if compared:
        lines += ["", f"Difference to `{table.reference}`, same speakers drawn; `*`: the interval leaves out 0.", ""]
        lines += _grid(
            ["arm", *(METRICS[name].title for name in names)],
            [[row.name, *(_cell((row.differences or {}).get(name), METRICS[name], is_signed=True) for name in names)]
             for row in compared],
        )  # fmt: skip
    lines += ["", "Sizes and speed; speed was measured with nothing else on the device.", ""]
    lines += _grid(
        list(_FACTS), [[row.name, *(show(row.facts) for show in list(_FACTS.values())[1:])] for row in table.rows]
    )
    lines += ["", *(f"- {METRICS[name].title}: {METRICS[name].meaning}." for name in names)]
    lines += [
        f"- Intervals: 95 %, {table.draws} draws of the {table.speakers} held-out speakers and of the seeds with "
        "replacement.",
        "- compression: parameters of the base by those that are learned and kept (AdaLoRA learns more than it keeps).",
    ]
    return "\n".join(lines) + "\n"


def _number(name: str, scale: float = 1.0, digits: int = 1) -> Callable[[Mapping[str, float | None]], str]:
    """A cell that shows one fact."""

    def show(facts: Mapping[str, float | None]) -> str:
        value = facts.get(name)
        return "-" if value is None else f"{value / scale:,.{digits}f}"

    return show


_FACTS: dict[str, Callable[[Mapping[str, float | None]], str]] = {
    "arm": lambda facts: "",
    "learned": _number("learned", 1, 0),
    "kept": _number("kept", 1, 0),
    "compression": _number("compression", 1, 1),
    "weights MB": _number("stored_bytes", 1e6),
    "peak MB": _number("peak_bytes", 1e6),
    "examples/s": _number("examples_per_s"),
    "answer ms": _number("latency_ms", 1, 0),
    "tokens/s": _number("tokens_per_s"),
    "J/update": _number("joules_per_update", 1, 2),
    "set-up s": _number("prepare_s"),
    "loss": _number("loss", 1, 3),
    "adapter entropy": _number("adapter_entropy", 1, 3),
}


def _cell(value: Estimate | None, metric: Metric, *, is_signed: bool = False) -> str:
    """A figure with its interval."""
    if value is None or value.value is None:
        return "-"
    sign = "+" if is_signed else ""
    text = f"{value.value:{sign}.{metric.digits}f}"
    if value.low is None or value.high is None:
        return text
    is_clear = is_signed and (value.low > 0 or value.high < 0)
    return (
        f"{text}{'*' if is_clear else ''} ({value.low:{sign}.{metric.digits}f} to {value.high:{sign}.{metric.digits}f})"
    )


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, names left and numbers right."""
    rule = "|---|" + "---:|" * (len(head) - 1)
    return ["| " + " | ".join(head) + " |", rule, *("| " + " | ".join(row) + " |" for row in rows)]
