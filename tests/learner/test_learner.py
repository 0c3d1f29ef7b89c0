"""A learner over past reports: planted changes are found, luck is not called progress, and bad input is refused."""

from __future__ import annotations

import json
from datetime import date
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from tests.planted import ListeningScorer, RatedBackend, recording
from typer.testing import CliRunner

from elocute.assessor import Assessor
from elocute.cli.app import app
from elocute.config import AssessorConfig
from elocute.errors import ConfigError
from elocute.learner.attempts import read_history
from elocute.learner.page import learner_html
from elocute.learner.progress import Rate, discoveries, progress_of, randomisation_p
from elocute.phones import PHONES
from elocute.phones.l1 import l1_profile

runner = CliRunner()
RIGHT = ["V", "EH", "R", "IY", "R", "EH", "D"]
WITH_W = ["W", *RIGHT[1:]]


def report_json(said: list[str]) -> str:
    backend = RatedBackend(PHONES, said)
    assessor = Assessor(AssessorConfig(), backend=backend, scorer=ListeningScorer())
    return assessor.assess(recording(2.0), "very red").to_json()


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """A report of the text said well, and of V said as W."""
    return {"right": report_json(RIGHT), "w": report_json(WITH_W)}


def write_rows(path: Path, reports: list[str], dates: list[str] | None = None) -> Path:
    rows = []
    for number, report in enumerate(reports):
        day = {} if dates is None else {"date": dates[number]}
        rows.append(json.dumps({"id": f"try {number}", "report": json.loads(report)} | day))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def improved(said: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven attempts with W for V, then seven without."""
    return write_rows(tmp_path_factory.mktemp("past") / "reports.jsonl", [said["w"]] * 7 + [said["right"]] * 7)


def test_a_planted_improvement_is_found_and_nothing_else_is(improved: Path) -> None:
    learner = progress_of(read_history([improved]))
    by_phone = {sound.phone: sound for sound in learner.sounds}
    v = by_phone["V"]
    assert (v.before.wrong, v.before.n, v.after.wrong, v.after.n) == (7, 7, 0, 7)
    assert v.verdict == "better"
    assert v.p == pytest.approx(2 / 3432)  # of all divisions of 14 attempts, this one and its mirror image
    assert v.heard == (("W", 7, 0),)
    assert {sound.verdict for phone, sound in by_phone.items() if phone != "V"} == {"no clear change"}
    assert "V" in learner.next_phones


def test_the_other_way_round_it_is_worse(said: dict[str, str], tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", [said["right"]] * 7 + [said["w"]] * 7)
    learner = progress_of(read_history([path]))
    assert learner.sounds[0].phone == "V"  # what goes wrong most often now comes first
    assert learner.sounds[0].verdict == "worse"
    assert {score.name: score.verdict for score in learner.scores}["accuracy"] == "worse"


def test_a_visit_saved_by_the_web_page_is_a_list_of_reports(said: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "visit.json"
    path.write_text(json.dumps([json.loads(said["w"]), json.loads(said["right"])]), encoding="utf-8")
    assert progress_of(read_history([path])).attempts == ("visit:1", "visit:2")


def test_three_attempts_say_too_little(said: dict[str, str], tmp_path: Path) -> None:
    learner = progress_of(read_history([write_rows(tmp_path / "a.jsonl", [said["w"], said["right"], said["right"]])]))
    assert {sound.verdict for sound in learner.sounds} == {"too little to tell"}
    assert any("too few" in note for note in learner.notes)


def test_one_attempt_has_a_profile_too(said: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(json.loads(said["w"]), indent=2), encoding="utf-8")
    learner = progress_of(read_history([path]))
    assert learner.attempts == ("one",)
    assert learner.all_sounds.before.value is None
    assert "<svg" in learner_html(learner)


def test_luck_is_seldom_called_progress() -> None:
    """No change at all: of 200 learners few may have a sound that is called changed."""
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(200):
        p_values = {}
        for phone in range(10):
            said = rng.integers(1, 4, size=12).astype(np.float64)
            wrong = rng.binomial(said.astype(int), 0.3).astype(np.float64)
            p_values[str(phone)] = randomisation_p(np.column_stack([wrong, said]), 6)
        alarms += bool(discoveries(p_values))
    assert alarms <= 30  # 20 are expected at most


def test_the_randomisation_test_looks_at_every_division() -> None:
    table = np.array([[3.0, 4.0], [2.0, 3.0], [1.0, 4.0], [0.0, 2.0], [1.0, 5.0]])

    def gap(first: tuple[int, ...]) -> float:
        rest = [row for row in range(5) if row not in first]
        one, other = table[list(first)].sum(axis=0), table[rest].sum(axis=0)
        return abs(float(one[0] / one[1] - other[0] / other[1]))

    gaps = [gap(first) for first in combinations(range(5), 2)]
    expected = np.mean([found >= gap((0, 1)) - 1e-12 for found in gaps])
    assert randomisation_p(table, 2) == pytest.approx(expected)
    many = np.column_stack([np.r_[np.ones(15), np.zeros(15)], np.ones(30)])
    assert randomisation_p(many, 15) == pytest.approx(1 / 5000)  # drawn: the division itself counts


def test_wilson_interval() -> None:
    rate = Rate.of(1, 10)
    assert rate.low == pytest.approx(0.0179, abs=1e-4)
    assert rate.high == pytest.approx(0.4042, abs=1e-4)
    assert Rate.of(0, 0).value is None


def test_days_order_the_attempts(said: dict[str, str], tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", [said["w"], said["right"]], ["2026-03-02", "2026-03-01T10:00:00Z"])
    history = read_history([path])
    assert history.is_dated
    assert [attempt.day for attempt in history.attempts] == [date(2026, 3, 1), date(2026, 3, 2)]
    row = json.dumps({"id": "2026-02-28 evening", "report": json.loads(said["w"])})
    other = tmp_path / "b.jsonl"
    other.write_text(row + "\n", encoding="utf-8")
    assert [attempt.id for attempt in read_history([path, other]).attempts] == ["2026-02-28 evening", "try 1", "try 0"]
    plain = write_rows(tmp_path / "c.jsonl", [said["right"]])
    assert not read_history([path, plain]).is_dated


def test_rows_without_a_report_are_counted(said: dict[str, str], improved: Path, tmp_path: Path) -> None:
    failed = tmp_path / "failed.jsonl"
    unscored = json.loads(said["right"])
    unscored["utterance"] = dict.fromkeys(unscored["utterance"])
    rows = [{"id": "x", "error": {"type": "AudioError", "message": "empty"}}, {"id": "y", "report": unscored}]
    failed.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    history = read_history([improved, failed])
    assert len(history.attempts) == 14
    assert sum(history.skipped.values()) == 2
    with pytest.raises(ConfigError, match=r"no report with scores in .*failed.jsonl; rows without"):
        read_history([failed])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("[1, 2]", "holds a JSON list"),
        ('{"id": "a"}\n{"id"', ":2 is not JSON"),
        ('{"id": "a"}', "neither a report nor an error"),
        ('{"RecognitionStatus": "Success", "NBest": []}', "shape of Azure"),
        ('{"id": "a", "report": {"schema_version": "0"}}', "schema_version '0'"),
    ],
)
def test_bad_files_are_refused_in_a_sentence(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content, encoding="utf-8")
    done = runner.invoke(app, ["profile", str(path)])
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_file_and_a_bad_date(said: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere.jsonl"):
        read_history([tmp_path / "nowhere.jsonl"])
    with pytest.raises(ConfigError, match="date is 'yesterday'; expected one like 2026-03-01"):
        read_history([write_rows(tmp_path / "a.jsonl", [said["right"]], ["yesterday"])])


class _Page(HTMLParser):
    """Ids, references and outside addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name == "aria-labelledby":
                self.labels += str(value).split()
            if name in ("src", "href", "action") and not str(value).startswith("#"):
                self.outside.append(str(value))


def test_the_page_asks_nothing_of_a_server_and_names_its_drawings(improved: Path, tmp_path: Path) -> None:
    out = tmp_path / "me.html"
    done = runner.invoke(app, ["profile", str(improved), "--html", str(out), "--l1", "zh"], env={"COLUMNS": "100"})
    assert done.exit_code == 0
    assert "better" in done.stdout
    assert "Practise next:" in done.stdout
    text = out.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.outside == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.labels) <= set(page.ids)
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text
    assert l1_profile("zh").phones["V"].reason in text


def test_json_is_the_whole_profile(improved: Path) -> None:
    done = runner.invoke(app, ["profile", str(improved), "--format", "json"])
    plain = json.loads(done.stdout)
    assert plain["format"] == "elocute learner 1"
    assert len(plain["attempts"]) == 14
    assert next(sound for sound in plain["sounds"] if sound["phone"] == "V")["verdict"] == "better"


def test_texts_cannot_smuggle_markup_into_the_page(said: dict[str, str], tmp_path: Path) -> None:
    plain = json.loads(said["right"])
    path = tmp_path / "a.jsonl"
    row = {"id": "<script>alert(1)</script>", "report": plain | {"text": "<img src=x>"}}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    page = learner_html(progress_of(read_history([path])))
    assert "<script" not in page
    assert "<img" not in page
