"""What `benchmarks/latency.py` measured: read from its JSON file, drawn for the benchmark card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elocute.errors import ConfigError
from elocute.evaluation.plots import WIDTH, short
from elocute.evaluation.svg import Drawing, Scale, ticks

FORMAT = "elocute latency 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and 95th percentile of a time, milliseconds."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthRow:
    """One length of recording.

    Attributes:
        length_s: of the recordings, seconds.
        phones: mean number of canonical phones.
        runs: timed.
        whole: `Assessor.assess`, models loaded.
        stages: the parts of it, in the order of the pipeline.
        real_time_factor: seconds of computing a second of recording, median.
        loaded_mb: resident memory with the models loaded, before the first recording.
        peak_mb: largest resident memory.
        load_s: loading the models, seconds.
    """

    length_s: float
    phones: float
    runs: int
    whole: Spread
    stages: Mapping[str, Spread]
    real_time_factor: float
    loaded_mb: float
    peak_mb: float
    load_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Everything in the file.

    Attributes:
        machine: processor, cores, threads, versions, commit, date.
        recordings: what was assessed.
        lengths: in ascending order.
        cold_p50_s: from nothing to the first report, a new process of the command line, median seconds.
        cold_p95_s: the same, 95th percentile.
        models: bytes of every model file.
    """

    machine: Mapping[str, Any]
    recordings: str
    lengths: tuple[LengthRow, ...]
    cold_p50_s: float
    cold_p95_s: float
    models: Mapping[str, int]


def read_latency(path: Path) -> Latency:
    """Read the file that `benchmarks/latency.py --json` writes.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ConfigError(f"{path}: format is {found['format']!r}; expected {FORMAT!r}")
        return Latency(
            machine=found["machine"],
            recordings=found["recordings"],
            lengths=tuple(
                LengthRow(
                    **{key: row[key] for key in LengthRow.__slots__ if key not in ("whole", "stages")},
                    whole=Spread(**row["whole"]),
                    stages={stage: Spread(**spread) for stage, spread in row["stages"].items()},
                )
                for row in sorted(found["lengths"], key=lambda row: row["length_s"])
            ),
            cold_p50_s=found["cold_start"]["p50_s"],
            cold_p95_s=found["cold_start"]["p95_s"],
            models={model["file"]: model["bytes"] for model in found["models"]},
        )
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; make it with benchmarks/latency.py --json") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{path} holds no latencies ({type(error).__name__}: {error}); make it with benchmarks/latency.py --json"
        ) from error


def latency_curve(latency: Latency) -> Drawing:
    """Median and 95th percentile against the length of the recording."""
    rows = latency.lengths
    drawing = Drawing(
        "latency",
        WIDTH,
        330,
        title="Time to assess a recording, models loaded",
        description="Median and 95th percentile in milliseconds against the length of the recording, both axes "
        "logarithmic; below the dashed line elocute is faster than the recording.",
    )
    low, high = rows[0].length_s, rows[-1].length_s
    least, most = min(row.whole.p50_ms for row in rows), max(row.whole.p95_ms for row in rows)
    x = Scale(low=low / 1.25, high=high * 1.25, start=56, end=WIDTH - 20, is_log=True)
    floor, ceiling = 10.0 ** (len(str(int(least))) - 1), 10.0 ** len(str(int(most)))
    y = Scale(low=floor, high=ceiling, start=284, end=14, is_log=True)
    for row in rows:
        drawing.line(x(row.length_s), 14, x(row.length_s), 284, "grid")
        drawing.text(x(row.length_s), 298, short(row.length_s), "muted", anchor="middle")
    drawing.text((56 + WIDTH - 20) / 2, 313, "length of the recording, seconds", "muted", anchor="middle")
    mark = floor
    while mark <= ceiling:
        drawing.line(56, y(mark), WIDTH - 20, y(mark), "grid")
        drawing.text(51, y(mark) + 4, short(mark), "muted", anchor="end")
        for part in (2, 5):
            if part * mark < ceiling:
                drawing.line(56, y(part * mark), WIDTH - 20, y(part * mark), "grid")
                drawing.text(51, y(part * mark) + 4, short(part * mark), "small", anchor="end")
        mark *= 10
    drawing.text(12, 149, "milliseconds", "muted", anchor="middle", turn=-90)
    fast = [length for length in (low, high) if floor <= 1000 * length <= ceiling]
    if fast:
        left = max(low, floor / 1000)
        right = min(high, ceiling / 1000)
        drawing.line(x(left), y(1000 * left), x(right), y(1000 * right), "ideal")
        drawing.text(x(left) + 24, y(1000 * left) + 6, "as long as the recording", "small")
    drawing.path([(x(row.length_s), y(row.whole.p95_ms)) for row in rows], "faint")
    drawing.path([(x(row.length_s), y(row.whole.p50_ms)) for row in rows], "model")
    for row in rows:
        tip = f"{row.length_s:g} s: p50 {row.whole.p50_ms:.0f} ms, p95 {row.whole.p95_ms:.0f} ms"
        drawing.circle(x(row.length_s), y(row.whole.p50_ms), 4, "model", tip=tip)
        drawing.text(x(row.length_s), y(row.whole.p50_ms) + 17, f"{row.whole.p50_ms:.0f}", anchor="middle")
    return drawing


def latency_stages(latency: Latency) -> Drawing:
    """Where the time goes: milliseconds of each stage for a second of recording."""
    rows, step, top, left = latency.lengths, 30.0, 10.0, 46.0
    bottom = top + step * len(rows)
    stages = list(rows[0].stages)
    drawing = Drawing(
        "latency-stages",
        WIDTH,
        bottom + 48 + 17 * ((len(stages) + 2) // 3),
        title="Where the time goes",
        description="Milliseconds of computing for each second of recording, by stage, one bar a length; the sum of "
        "the stages' medians.",
    )
    sums = [sum(spread.p50_ms for spread in row.stages.values()) / row.length_s for row in rows]
    scale = Scale(low=0.0, high=max(sums) * 1.05, start=left, end=WIDTH - 14)
    for value in ticks(0, max(sums) * 1.05):
        drawing.line(scale(value), top, scale(value), bottom, "grid")
        drawing.text(scale(value), bottom + 14, short(value), "muted", anchor="middle")
    drawing.text((left + WIDTH - 14) / 2, bottom + 29, "ms for each second of recording", "muted", anchor="middle")
    for index, row in enumerate(rows):
        y, done = top + step * index, 0.0
        drawing.text(left - 6, y + 19, f"{row.length_s:g} s", anchor="end")
        for place, (stage, spread) in enumerate(row.stages.items()):
            each = spread.p50_ms / row.length_s
            width = scale(done + each) - scale(done)
            tip = f"{row.length_s:g} s, {stage}: {spread.p50_ms:.1f} ms"
            drawing.rect(scale(done), y + 4, width, step - 8, f"s{place % 8}", tip=tip)
            done += each
    for place, stage in enumerate(stages):
        x, y = 12 + 130 * (place % 3), bottom + 46 + 17 * (place // 3)
        drawing.rect(x, y - 8, 10, 10, f"s{place % 8}")
        drawing.text(x + 15, y + 1, stage)
    return drawing
