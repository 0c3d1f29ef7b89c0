"""The benchmark card: everything that an evaluation found, as a Markdown page, an HTML page and their drawings.

The card is made of stored results alone (predictions, labels, the latency file) and never looks at the machine, the
clock or the folder it runs in, so that anyone can make it again byte for byte; `check_card` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from elocute.errors import ConfigError
from elocute.evaluation.card_details import (
    heard_section,
    human_section,
    phone_section,
    published_section,
    speed_section,
)
from elocute.evaluation.card_sections import (
    agreement_section,
    detection_section,
    group_section,
    number,
    with_interval,
)
from elocute.evaluation.document import (
    Block,
    Document,
    Items,
    Section,
    TableBlock,
    Text,
    Tile,
    Tiles,
    to_html,
    to_markdown,
)
from elocute.evaluation.latency import Latency
from elocute.evaluation.plots import human_ceiling, rows_by_key
from elocute.evaluation.published import GOPT
from elocute.evaluation.result import MODEL, Evaluation

NAME = "benchmark"
"""Of the pages, and of the folder of their drawings."""

HEADLINES = (
    ("phone", "accuracy"),
    ("word", "total"),
    ("utterance", "total"),
    ("utterance", "fluency"),
    ("utterance", "prosodic"),
)


def make_card(evaluation: Evaluation, latency: Latency | None, sources: Mapping[str, str]) -> dict[str, str]:
    """The card's files by their paths relative to its folder.

    Args:
        evaluation: of the stored predictions.
        latency: speed, memory and size; None leaves that chapter out.
        sources: what the card was made of, by name: command, files and their digests.
    """
    document = describe(evaluation, latency, sources)
    package = files("elocute.evaluation")
    plots = package.joinpath("plots.css").read_text(encoding="utf-8")
    page = package.joinpath("card.css").read_text(encoding="utf-8")
    made = {f"{NAME}.md": to_markdown(document, NAME), f"{NAME}.html": to_html(document, page + plots)}
    return made | {f"{NAME}/{drawing.name}.svg": drawing.file(plots) for drawing in document.drawings()}


def write_card(folder: Path, made: Mapping[str, str]) -> None:
    """Write the card's files into a folder, and delete drawings of an earlier card that it no longer has.

    Raises:
        ConfigError: the folder cannot be written.
    """
    try:
        for stale in set(_drawings(folder)) - set(made):
            (folder / stale).unlink()
        for name, content in made.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot write the card into {folder}: {error.strerror}; name a writable folder") from error


def check_card(folder: Path, made: Mapping[str, str]) -> None:
    """Compare the card in a folder with a fresh one.

    Raises:
        ConfigError: a file of it is missing, differs or is of another card.
    """
    differences = []
    for name, content in made.items():
        path = folder / name
        if not path.is_file():
            differences.append(f"{name} is missing")
        elif path.read_bytes() != content.encode("utf-8"):
            differences.append(f"{name} differs{_first_difference(path, content)}")
    differences += [f"{name} belongs to no plot" for name in sorted(set(_drawings(folder)) - set(made))]
    if differences:
        raise ConfigError(
            f"the card in {folder} is not the one that these predictions make: {'; '.join(differences)}; make it again "
            "without --check"
        )


def _drawings(folder: Path) -> Iterator[str]:
    """SVG files beside the pages."""
    return (f"{NAME}/{path.name}" for path in (folder / NAME).glob("*.svg"))


def _first_difference(path: Path, content: str) -> str:
    """Where a text file begins to differ; nothing for a file that is no text."""
    try:
        old = path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return ""
    new = content.split("\n")
    line = next((k for k, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    return f" from line {line + 1} on"


def describe(evaluation: Evaluation, latency: Latency | None, sources: Mapping[str, str]) -> Document:
    """The card's contents."""
    sections = [
        agreement_section(evaluation),
        group_section(evaluation),
        detection_section(evaluation),
        heard_section(evaluation),
        phone_section(evaluation),
        human_section(evaluation),
        None if latency is None else speed_section(latency),
        published_section(evaluation),
        _provenance_section(evaluation, latency, sources),
        _methods_section(evaluation),
    ]
    return Document(
        title="elocute: benchmark card",
        opening=_opening(evaluation, latency),
        sections=[section for section in sections if section is not None],
    )


def _opening(evaluation: Evaluation, latency: Latency | None) -> list[Block]:
    """What was measured, in a few sentences and figures."""
    data, provenance = evaluation.data, evaluation.provenance
    blocks: list[Block] = [
        Text(
            content="How well elocute's scores of pronunciation agree with those of human experts, how well it finds "
            f"wrong sounds, and how fast it is. Measured on {data.get('corpus', 'a corpus')}, split "
            f"{data.get('split', 'unknown')}: {data['utterances']} sentences read by {data['speakers']} learners of "
            f"English ({data['children']} children, {data['adults']} adults), every sound scored by experts."
        ),
    ]
    if "protocol" in provenance:
        blocks.append(Text(content=f"Predictions: {provenance['protocol']}."))
    if evaluation.settings.get("shuffle_seed") is not None:
        blocks.append(Text(content="The labels were shuffled on purpose: nothing here is a result.", is_caution=True))
    if provenance.get("seen_in_training"):
        blocks.append(
            Text(content="The model trained on these very speakers: these figures flatter it.", is_caution=True)
        )
    if data.get("limit"):
        blocks.append(
            Text(content=f"Only the first {data['limit']} utterances of the split were evaluated.", is_caution=True)
        )
    blocks.append(Tiles(tiles=_tiles(evaluation, latency)))
    return blocks


def _tiles(evaluation: Evaluation, latency: Latency | None) -> list[Tile]:
    """The figures to look at first."""
    ours, people = rows_by_key(evaluation.scores, MODEL), human_ceiling(evaluation)
    tiles = []
    for key in HEADLINES:
        if key in ours:
            beside = [] if key not in people else [f"one expert {number(people[key].pcc.value)}"]
            beside.append(f"GOPT {number(GOPT.of(*key))} on test, published")
            detail = f"{_interval(ours[key].pcc)}; {'; '.join(beside)}"
            tiles.append(Tile(label=f"{' '.join(key)}, PCC", value=number(ours[key].pcc.value), detail=detail))
    for row in evaluation.detection:
        if (row.part, row.predictor) == ("all", MODEL):
            detail = f"{_interval(row.roc_auc)}; {row.wrong} of {row.n} phones are wrong"
            tiles.append(Tile(label="wrong phones, ROC AUC", value=number(row.roc_auc.value), detail=detail))
            if row.shipped is not None:
                point = row.shipped
                detail = f"precision {number(point.precision.value)}, recall {number(point.recall.value)}, as shipped"
                tiles.append(Tile(label="wrong phones, F1", value=number(point.f1.value), detail=detail))
    if latency is not None:
        near = min(latency.lengths, key=lambda row: abs(row.length_s - 4.0))
        detail = f"p95 {near.whole.p95_ms:.0f} ms, models loaded, {latency.machine['threads']} threads"
        tiles.append(
            Tile(label=f"{near.length_s:g} s recording, p50", value=f"{near.whole.p50_ms:.0f} ms", detail=detail)
        )
        size = sum(latency.models.values()) / 1e6
        detail = (
            f"{len(latency.models)} files; peak memory {latency.lengths[-1].peak_mb:.0f} MB at {_longest(latency)} s"
        )
        tiles.append(Tile(label="models in all", value=f"{size:.1f} MB", detail=detail))
    return tiles


def _longest(latency: Latency) -> str:
    return f"{latency.lengths[-1].length_s:g}"


def _interval(estimate: Any) -> str:
    """The interval alone."""
    whole = with_interval(estimate)
    return f"95 % {whole[whole.index('(') + 1 : -1]}" if "(" in whole else "no interval"


def _provenance_section(evaluation: Evaluation, latency: Latency | None, sources: Mapping[str, str]) -> Section:
    """Where everything came from, as stored with it."""
    unscored = evaluation.unscored
    withheld: dict[str, object] = {"utterances not scored": unscored.utterances, **dict(unscored.reasons)}
    if unscored.ids:
        withheld["not scored"] = ", ".join(unscored.ids)
    withheld["single scores withheld"] = unscored.values
    tables = [
        _facts("Made of", sources),
        _facts("Predictions, from their header", evaluation.provenance),
        _facts("Data", evaluation.data),
        _facts("Evaluation", evaluation.settings),
        _facts("Not scored", withheld),
    ]
    if latency is not None:
        tables.append(_facts("Machine of the latencies, from their file", latency.machine))
    intro = Text(
        content="All of it is stored with the predictions and the latencies; this page is made of them and of the "
        "corpus's labels, without looking at the machine, and comes out byte for byte alike anywhere."
    )
    return Section(title="Data, protocol and provenance", blocks=[intro, *tables])


def _facts(caption: str, facts: Mapping[str, Any]) -> TableBlock:
    """Names and values."""
    return TableBlock(caption=caption, header=("what", "value"), rows=[(key, _value(facts[key])) for key in facts])


def _value(value: Any) -> str:
    """A stored value in words."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return " ".join(str(value).split())


def _methods_section(evaluation: Evaluation) -> Section:
    """Definitions, and what could not be measured."""
    blocks: list[Block] = [Items(entries=list(evaluation.methods.items()))]
    if evaluation.notes:
        blocks += [Text(content="What is not here:"), Items(entries=[("", note) for note in evaluation.notes])]
    return Section(title="Methods", blocks=blocks)
