"""Native speech for the scorer: full marks for its own text, zeros only where an error was planted."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.training import scorer_data
from elocute.training.native_rows import INSERTED_EVERY, Natives, hear_all, native_rows, native_utterances
from planted import RatedBackend

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
    found = native_rows((folder,), 10, np.random.default_rng(0))
    assert len(found.spoken) == len(GOOD)
    assert len(found.planted) == len(GOOD) + len(range(0, len(GOOD), INSERTED_EVERY))
    assert all((row.phone == 2.0).all() for row in found.spoken)
    assert all((row.phone == 0.0).any() and (row.phone == 2.0).any() for row in found.planted)
    assert all(row.is_planted for row in (*found.spoken, *found.planted))  # nobody scored these utterances
    assert native_rows((), 10, np.random.default_rng(0)) == Natives()


def test_a_backend_without_ratings_is_refused(folder: Path):
    class Unrated(RatedBackend):
        def posteriors(self, audio):
            return replace(super().posteriors(audio), ratings=None)

    (one, *_) = native_utterances(folder, 1, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="gives no ratings"):
        hear_all(Unrated(PHONES, ["AA"]), [one])
