"""`benchmarks/latency.py` still knows the pipeline's stages, and the card can read what it writes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from elocute.audio import load_audio
from elocute.evaluation.latency import read_latency
from tiny_corpus import write_corpus

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "latency.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("latency_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_short_run(tmp_path: Path) -> None:
    out = tmp_path / "latency.json"
    command = [sys.executable, str(SCRIPT), "--lengths", "2", "1", "--runs", "2", "--clips", "1", "--cold-runs", "1"]
    done = subprocess.run([*command, "--json", str(out)], check=True, capture_output=True, text=True, cwd=tmp_path)
    found = read_latency(out)
    assert [row.length_s for row in found.lengths] == [1.0, 2.0]
    for row in found.lengths:
        assert 0 < row.whole.p50_ms <= row.whole.p95_ms
        assert row.real_time_factor == pytest.approx(row.whole.p50_ms / 1000 / row.length_s, rel=0.5)
        for stage in ("decode", "text", "acoustic network", "lattice and GOP", "scorer", "diagnosis"):
            assert row.stages[stage].p50_ms > 0
        assert sum(stage.p50_ms for stage in row.stages.values()) == pytest.approx(row.whole.p50_ms, rel=0.5)
        assert 20 < row.loaded_mb <= row.peak_mb
    assert found.cold_p50_s > found.lengths[0].whole.p50_ms / 1000
    assert found.models["acoustic.onnx"] > 1_000_000
    assert "acoustic.onnx" in done.stdout


def test_clips_have_their_length_and_their_words(benchmark: ModuleType) -> None:
    clips = list(benchmark.example_clips(5.0))
    assert len(clips) == 3
    assert {len(load_audio(clip.audio).samples) for clip in clips} == {80_000}
    texts = [clip.text for clip in clips]
    assert texts[0].startswith("I think the weather is nice today My father drives")
    assert "zoo" not in texts[0]


def test_a_corpus_is_joined_to_the_length(benchmark: ModuleType, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", "train")
    clips = list(benchmark.corpus_clips(corpus, 4.3))
    assert len(clips) == 3
    for clip in clips:
        assert clip.duration_s == pytest.approx(4.3, rel=0.1)
        assert clip.duration_s == pytest.approx(len(load_audio(clip.audio).samples) / 16_000)
        assert len(clip.text.split()) > 8
    assert list(benchmark.corpus_clips(corpus, 1.0)) == []
