"""Native speech for the scorer: full marks for its own text, zeros only where an error was planted."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from elocute.acoustic import load_backend
from elocute.audio import load_audio
from elocute.corpora.speechocean762 import ScoredUtterance
from elocute.training import scorer_data
from elocute.training.native_rows import INSERTED_EVERY, Natives, native_rows, native_utterances
from elocute.types import Posteriors

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
GOOD = ("weather", "car", "zoo")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three of the example recordings as transcribed native speech, and one whose text holds an unknown word."""
    manifest = (EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {row["id"]: row["text"] for row in map(json.loads, manifest)}
    native = tmp_path / "native"
    (native / "audio").mkdir(parents=True)
    lines = []
    for name in GOOD:
        shutil.copy(EXAMPLES / f"{name}.flac", native / "audio")
        lines.append(f"{name}\t{texts[name]}")
    shutil.copy(EXAMPLES / "car.flac", native / "audio" / "odd.flac")
    (native / "transcripts.tsv").write_text("\n".join([*lines, "odd\tMy blorptangle drives."]) + "\n")
    return native


def test_utterances_have_full_marks_and_known_words(folder: Path):
    found = native_utterances(folder, 10, np.random.default_rng(0))
    assert {one.id for one in found} == {f"native/{name}" for name in GOOD}
    assert all(set(one.phone_accuracy) == {2.0} for one in found)
    assert len(native_utterances(folder, 2, np.random.default_rng(0))) == 2


def test_rows_score_zero_where_an_error_was_planted(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scorer_data.os, "cpu_count", lambda: 1)
    backend = load_backend("embedded")

    def hear(utterances: Sequence[ScoredUtterance]) -> Mapping[str, Posteriors]:
        return {one.id: backend.posteriors(load_audio(one.audio)) for one in utterances}

    found = native_rows((folder,), 10, np.random.default_rng(0), hear)
    assert len(found.spoken) == len(GOOD)
    assert len(found.planted) == len(GOOD) + len(range(0, len(GOOD), INSERTED_EVERY))
    assert all((row.phone == 2.0).all() for row in found.spoken)
    assert all((row.phone == 0.0).any() and (row.phone == 2.0).any() for row in found.planted)
    assert all(row.is_planted for row in (*found.spoken, *found.planted))  # nobody scored these utterances
    assert native_rows((), 10, np.random.default_rng(0), hear) == Natives()


def test_synthetic_recordings_score_zero_where_something_else_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scorer_data.os, "cpu_count", lambda: 1)
    backend = load_backend("embedded")
    samples, rate = soundfile.read(EXAMPLES / "zoo.flac")
    for name in ("0", "1"):
        soundfile.write(tmp_path / f"{name}.opus", samples, rate, format="OGG", subtype="OPUS")
    (tmp_path / "phones.tsv").write_text(
        "id\tvoice\tcanonical\tsaid\n"
        "0\tflite slt\tDH AH0 | Z UW1\tDH AH0 | S UW1\n"
        "1\tflite slt\tDH AH0 | Z UW1\tDH AH0 | Z UW1\n"
    )

    def hear(utterances: Sequence[ScoredUtterance]) -> Mapping[str, Posteriors]:
        return {one.id: backend.posteriors(load_audio(one.audio)) for one in utterances}

    found = native_rows((), 10, np.random.default_rng(0), hear, synthetic=(tmp_path,))
    assert [row.phone.tolist() for row in found.planted] == [[2.0, 2.0, 0.0, 2.0]]
    assert [row.phone.tolist() for row in found.spoken] == [[2.0] * 4]
    assert all(row.is_planted for row in (*found.planted, *found.spoken))
