"""The benchmark card: its figures are the evaluation's, its bytes depend on nothing else, its pages are well formed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.corpora.experts import ExpertUtterance, ExpertWord
from elocute.errors import ConfigError
from elocute.evaluation import published
from elocute.evaluation.card import check_card, describe, make_card, write_card
from elocute.evaluation.document import TableBlock
from elocute.evaluation.evaluate import Protocol, evaluate
from elocute.evaluation.latency import Latency, read_latency
from elocute.evaluation.predictions import write_predictions
from elocute.evaluation.result import MODEL, PHONE_PRIOR, SPEAKER_MEAN, Evaluation
from elocute.evaluation.svg import Scale, number, ticks
from scored_corpus import noisy, perfect, stored, utterances
from tiny_corpus import write_corpus

CORPUS = utterances(annotated=True)
SOURCES = {"command": "elocute evaluate", "predictions": "p.jsonl.gz, sha256 0123456789abcdef"}
STAGES = ("decode", "acoustic network", "rest")


def latency_file(path: Path) -> Path:
    """A file as `benchmarks/latency.py` writes it."""

    def spread(ms: float) -> dict[str, float]:
        return {"p50_ms": ms, "p95_ms": 1.37 * ms}

    rows = [
        {
            "length_s": s, "clips": 3, "runs": 30, "phones": 8.3 * s, "whole": spread(17.7 * s),
            "stages": {stage: spread(5.9 * s) for stage in STAGES}, "real_time_factor": 0.0177, "load_s": 0.219,
            "loaded_mb": 107.3, "peak_mb": 110.4 + s,
        }
        for s in (1.0, 4.0, 30.0)
    ]  # fmt: skip
    content = {
        "format": "elocute latency 1", "recordings": "planted", "lengths": rows,
        "machine": {"cpu": "Some <CPU> & more", "cores": 2, "threads": 2, "commit": "0123456789ab"},
        "cold_start": {"p50_s": 0.913, "p95_s": 1.022}, "models": [{"file": "acoustic.onnx", "bytes": 11_736_446}],
    }  # fmt: skip
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def latency(tmp_path_factory: pytest.TempPathFactory) -> Latency:
    return read_latency(latency_file(tmp_path_factory.mktemp("latency") / "latency.json"))


def experts() -> list[ExpertUtterance]:
    """Five experts: one generous, one strict, three like the corpus."""

    def each(score: float, step: float = 1.0) -> tuple[float, ...]:
        return tuple(max(score + step * {0: 1, 1: -1}.get(k, 0), 0.0) for k in range(5))

    names = ("accuracy", "completeness", "fluency", "prosodic", "total")
    made = []
    for utterance in CORPUS:
        words = []
        for word in utterance.words:
            phones = zip(*(each(score, 0.2) for score in word.phone_accuracy), strict=True)
            scores = {name: each(getattr(word, name)) for name in ("accuracy", "stress", "total")}
            words.append(ExpertWord(**scores, phones=tuple(phones)))
        whole = {name: each(getattr(utterance, name)) for name in names}
        made.append(ExpertUtterance(id=utterance.id, words=tuple(words), **whole))
    return made


@pytest.fixture(scope="module")
def result() -> Evaluation:
    rng = np.random.default_rng(5)
    predictions = [noisy(utterance, rng) for utterance in CORPUS]
    provenance = {"protocol": "planted", "model": {"name": "noise"}, "seeds": [1, 2], "note": "a|b <i>"}
    return evaluate(
        CORPUS,
        stored(predictions, 0.5, **provenance),
        experts=experts(),
        protocol=Protocol(folds=2, draws=30),
        data={"corpus": "speechocean762", "split": "train"},
    )


@pytest.fixture(scope="module")
def made(result: Evaluation, latency: Latency) -> dict[str, str]:
    return make_card(result, latency, SOURCES)


def tables(markdown: str) -> dict[str, list[dict[str, str]]]:
    """Rows of every table of a Markdown page by its caption."""
    found: dict[str, list[dict[str, str]]] = {}
    caption, header = "", None
    for line in markdown.splitlines():
        if match := re.fullmatch(r"\*\*(.+)\*\*|<details><summary>(.+)</summary>", line):
            caption = match[1] or match[2]
        if not line.startswith("| "):
            header = None
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if header is None:
            header = cells
        elif not set(line) <= set("| :-"):
            found.setdefault(caption, []).append(dict(zip(header, cells, strict=True)))
    return found


def shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".replace("-0.000", "0.000")


def test_agreement_is_the_evaluations(result: Evaluation, made: dict[str, str]) -> None:
    rows = tables(made["benchmark.md"])["Agreement with the experts"]
    of = {(row.predictor, f"{row.level} {row.score}"): row for row in result.scores if row.part == "all"}
    people = {f"{row.level} {row.score}": row for row in result.humans if (row.part, row.against) == ("all", "mean")}
    assert {row["score"] for row in rows} == {score for predictor, score in of if predictor == MODEL}
    for row in rows:
        name = row["score"]
        model = of[MODEL, name]
        assert row["PCC (95 %)"].startswith(f"{shown(model.pcc.value)} ({shown(model.pcc.low)} to ")
        assert row["PCC (95 %)"].endswith(f" to {shown(model.pcc.high)})")
        assert (row["SCC"], row["MSE"]) == (shown(model.scc.value), shown(model.mse.value))
        assert row["phone prior"] == shown(of[PHONE_PRIOR, name].pcc.value)
        assert row["speaker mean (oracle)"] == shown(of[SPEAKER_MEAN, name].pcc.value)
        assert row["one expert vs others, PCC"].split()[0] == shown(people[name].pcc.value)
        assert row["GOPT, published"] == shown(published.GOPT.of(*name.split()))


def test_operating_points_are_the_evaluations(result: Evaluation, made: dict[str, str]) -> None:
    rows = {row["who flags"]: row for row in tables(made["benchmark.md"])["Operating points"]}
    model = next(row for row in result.detection if (row.part, row.predictor) == ("all", MODEL))
    for name, point in (("model, as shipped", model.shipped), ("model, best F1 on these labels", model.best)):
        assert point is not None
        row = rows[name]
        assert [row[key].split()[0] for key in ("threshold", "precision", "recall", "F1", "FAR", "FRR")] == [
            shown(point.threshold),
            *(shown(rate.value) for rate in (point.precision, point.recall, point.f1, point.far, point.frr)),
        ]
        assert [int(row[key]) for key in ("TR", "FR", "FA", "TA")] == [
            point.true_rejections, point.false_rejections, point.false_acceptances, point.true_acceptances,
        ]  # fmt: skip


def figures(value: object) -> Iterator[str]:
    """Every number inside a value, as a table may write it: with 0 to 4 decimals, in a text as it stands."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, (int, float)):
        yield from (f"{abs(value):.{digits}f}" for digits in range(5))
        yield f"{abs(value):g}"
    elif isinstance(value, str):
        yield from re.findall(r"\d+(?:\.\d+)?", value)
    elif is_dataclass(value):
        for field in fields(value):
            yield from figures(getattr(value, field.name))
    elif isinstance(value, dict):
        yield from figures([*value.keys(), *value.values()])
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from figures(item)


def test_every_number_of_the_tables_is_in_what_the_card_is_made_of(
    result: Evaluation, latency: Latency, made: dict[str, str]
) -> None:
    known = set(figures((result, latency, SOURCES, published.SCORES, published.DETECTION)))
    total = sum(latency.models.values())
    known |= {str(total), f"{total / 1e6:.1f}", f"{total / 1e6:.2f}", "95", "762", "1"}
    counts: dict[str, int] = {}
    for cell in (*result.confusions, *(replace(c, canonical=f"{c.canonical}*") for c in result.annotated_confusions)):
        counts[cell.canonical] = counts.get(cell.canonical, 0) + cell.n
    known |= set(map(str, counts.values()))
    seen = 0
    for caption, rows in tables(made["benchmark.md"]).items():
        for row in rows:
            for column, cell in row.items():
                for token in re.findall(r"\d+(?:\.\d+)?", cell):
                    assert token in known, f"{caption}, {column}: {cell!r}"
                    seen += 1
    assert seen > 1000


def test_both_pages_have_the_same_tables(result: Evaluation, latency: Latency, made: dict[str, str]) -> None:
    document = describe(result, latency, SOURCES)
    blocks = [block for section in document.sections for block in section.blocks if isinstance(block, TableBlock)]
    parser = Outline()
    parser.feed(made["benchmark.html"])
    parser.close()
    cells = {cell for block in blocks for row in (block.header, *block.rows) for cell in row if cell}
    assert len(blocks) > 10
    assert cells <= set(parser.cells)
    assert parser.tables == len(blocks)
    for cell in cells:
        assert cell.replace("|", "\\|") in made["benchmark.md"]


class Outline(HTMLParser):
    """Checks that tags close in order and collects cells, ids and what the page would load."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.cells: list[str] = []
        self.tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.tables += tag == "table"
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"] or "")
        if tag == "a":
            self.links.append(found["href"] or "")
        elif "src" in found or "href" in found:
            self.loads.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def test_the_page_is_well_formed_and_self_contained(made: dict[str, str]) -> None:
    parser = Outline()
    parser.feed(made["benchmark.html"])
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert parser.loads == []
    assert {link.removeprefix("#") for link in parser.links} <= set(parser.ids)
    assert "@import" not in made["benchmark.html"]
    assert "url(" not in made["benchmark.html"]
    assert "Some &lt;CPU&gt; &amp; more" in made["benchmark.html"]
    assert "a\\|b" in made["benchmark.md"]


def test_drawings_are_xml_with_a_title_and_stay_inside_their_box(made: dict[str, str]) -> None:
    drawings = {name: content for name, content in made.items() if name.endswith(".svg")}
    assert {name.split("/")[1] for name in drawings} >= {
        "agreement.svg", "density-phone-accuracy.svg", "calibration.svg", "heard.svg", "annotated.svg", "phone-auc.svg",
        "groups.svg", "latency.svg", "latency-stages.svg",
    }  # fmt: skip
    for name, content in drawings.items():
        root = ElementTree.fromstring(content)
        assert name in made["benchmark.md"]
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        title = root[0]
        assert title.tag.endswith("title")
        assert title.text
        assert "nan" not in content
        for shape in root.iter():
            for key, limit in (("x", width), ("cx", width), ("x2", width), ("y", height), ("cy", height)):
                if key in shape.attrib:
                    assert 0 <= float(shape.attrib[key]) <= limit, f"{name}: {shape.attrib}"
            if shape.tag.endswith("rect") and not shape.attrib["width"].endswith("%"):
                assert float(shape.attrib["x"]) + float(shape.attrib["width"]) <= width + 0.01
                assert min(float(shape.attrib["width"]), float(shape.attrib["height"])) >= 0


def test_a_card_without_latencies_people_or_probabilities() -> None:
    predictions = [replace(perfect(u), phone_error=None, heard=None, perceived=None, transcript=None) for u in CORPUS]
    bare = evaluate(CORPUS, stored(predictions, None), protocol=Protocol(draws=10, shuffle_seed=3))
    made = make_card(bare, None, SOURCES)
    page = made["benchmark.md"]
    assert "shuffled on purpose" in page
    for absent in ("Speed, memory and size", "What people reach", "Calibration", "What was heard"):
        assert absent not in page
    Outline().feed(made["benchmark.html"])


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"provenance": {"seen_in_training": True}}, "trained on these very speakers"),
        ({"data": {"limit": 7}}, "Only the first 7 utterances"),
    ],
)
def test_cautions_are_said_first(result: Evaluation, facts: dict[str, dict[str, object]], words: str) -> None:
    changed = replace(result, **{key: {**getattr(result, key), **value} for key, value in facts.items()})
    page = make_card(changed, None, SOURCES)["benchmark.md"]
    assert words in page.split("\n## ")[0]
    assert words not in make_card(result, None, SOURCES)["benchmark.md"]


def test_check_finds_every_difference(tmp_path: Path, made: dict[str, str]) -> None:
    write_card(tmp_path, made)
    check_card(tmp_path, made)
    page = tmp_path / "benchmark.md"
    page.write_bytes(page.read_bytes().replace(b"0.5", b"0.6", 1))
    with pytest.raises(ConfigError, match=r"benchmark\.md differs from line \d+ on"):
        check_card(tmp_path, made)
    write_card(tmp_path, made)
    (tmp_path / "benchmark" / "agreement.svg").unlink()
    with pytest.raises(ConfigError, match="agreement.svg is missing"):
        check_card(tmp_path, made)
    write_card(tmp_path, made)
    (tmp_path / "benchmark" / "old.svg").write_text("<svg/>")
    with pytest.raises(ConfigError, match="old.svg belongs to no plot"):
        check_card(tmp_path, made)
    write_card(tmp_path, made)
    check_card(tmp_path, made)
    assert not (tmp_path / "benchmark" / "old.svg").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, made: dict[str, str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write the card into"):
        write_card(tmp_path / "file", made)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"format": "other"}', "no json", '{"format": "elocute latency 1", "machine": {}}']
)
def test_other_files_are_no_latencies(tmp_path: Path, content: str) -> None:
    (tmp_path / "l.json").write_text(content)
    with pytest.raises(ConfigError, match="l.json"):
        read_latency(tmp_path / "l.json")
    with pytest.raises(ConfigError, match="cannot read"):
        read_latency(tmp_path / "none.json")


@pytest.mark.parametrize("stages", [[], "decode", None, {"decode": 3.0}])
def test_stages_without_their_times_are_no_latencies(tmp_path: Path, stages: object) -> None:
    path = latency_file(tmp_path / "l.json")
    content = json.loads(path.read_text())
    content["lengths"][1]["stages"] = stages
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"l\.json holds no latencies .*; make it with benchmarks/latency\.py --json"):
        read_latency(path)


def card_by_command(corpus: Path, folder: Path, cwd: Path, arguments: list[str], **environment: str) -> str:
    """What the command says on stderr when it makes or checks a card."""
    command = [sys.executable, "-m", "elocute.cli", "evaluate", "speechocean762", str(corpus), "--draws", "10"]
    done = subprocess.run(
        [*command, "--card", str(folder), *arguments],
        cwd=cwd, env={**os.environ, **environment}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stderr


def test_the_command_makes_the_same_bytes_anywhere(tmp_path: Path) -> None:
    from elocute.corpora.layouts import read_corpus

    corpus = write_corpus(tmp_path / "corpus")
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        items = [perfect(item) for item in read_corpus(corpus, "test").utterances]
        write_predictions(tmp_path / place / "p.jsonl.gz", {"protocol": "planted", "threshold": 0.5}, items)
        latency_file(tmp_path / place / "latency.json")
    here, there = tmp_path / "here", tmp_path / "there"
    card_by_command(
        corpus, here, here, ["--predictions", "p.jsonl.gz", "--latency", "latency.json"],
        TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="1",
    )  # fmt: skip
    files = ["--predictions", str(there / "p.jsonl.gz"), "--latency", str(there / "latency.json")]
    card_by_command(
        corpus, there, tmp_path, files, TZ="America/Lima", LC_ALL="C.UTF-8", PYTHONHASHSEED="2", OMP_NUM_THREADS="1"
    )
    made = {path.relative_to(here): path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert len(made) > 10
    assert made == {path.relative_to(there): path.read_bytes() for path in there.rglob("*") if path.is_file()}
    assert str(tmp_path).encode() not in b"".join(made.values())
    assert "is the one that these predictions make" in card_by_command(corpus, there, here, [*files, "--check"])


def test_scales_and_ticks() -> None:
    assert ticks(0, 1) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(0.5, 1.0) == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    even, log = Scale(low=0, high=2, start=10, end=30), Scale(low=1, high=100, start=0, end=10, is_log=True)
    assert (even(1), even(-5), even(9)) == (20, 10, 30)
    assert (log(1), log(10), log(100)) == (0.0, pytest.approx(5.0), 10.0)
    assert [number(value) for value in (-0.001, 2.0, 1.505, 10.25)] == ["0", "2", "1.5", "10.25"]


@pytest.mark.parametrize("option", [["--check"], ["--latency", "l.json"]])
def test_options_of_the_card_need_a_card(tmp_path: Path, option: list[str]) -> None:
    done = CliRunner().invoke(app, ["evaluate", "speechocean762", str(tmp_path), *option])
    assert done.exit_code == 1
    assert "without --card" in done.stderr
