"""`elocute ablate`: what it says before it loads anything, and how it ends when a training breaks off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.mllm.ablation import run as ablation_run

RECIPE = Path(__file__).parent.parent.parent / "recipes" / "phi4-ablation.toml"


def run(tmp_path: Path, *more: str) -> Any:
    (tmp_path / "corpus").mkdir(exist_ok=True)
    corpus = ["--corpus", f"speechocean762:{tmp_path / 'corpus'}", "--out", str(tmp_path / "out")]
    return CliRunner().invoke(app, ["ablate", str(RECIPE), *corpus, *more])


def test_a_dry_run_names_every_training(tmp_path: Path) -> None:
    result = run(tmp_path, "--dry-run", "--set", "grid.seeds=[1, 2]")
    assert result.exit_code == 0, result.output
    names = result.stdout.split()
    assert names[:4] == ["uniform-r8.1", "uniform-r8.2", "entropy-r8.1", "entropy-r8.2"]
    assert len(set(names)) == len(names) == 2 * 17 + 1  # what is not trained needs no second seed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "no model to adapt; give --base DIR, or base.folder in the recipe"),
        (["--set", "grid.rank=[3]"], "rank: unknown key; did you mean 'ranks'?"),
        (["--table-only"], "not found; expected the official layout of speechocean762"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, more: list[str], message: str) -> None:
    result = run(tmp_path, *more)
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_trainings_that_broke_off_fail_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def stub(run: ablation_run.AblationRun) -> ablation_run.Outcome:
        given.append(run)
        return ablation_run.Outcome(
            table=None, finished=2, pending=("full.3",), failed={"eva-r8.1": "Traceback\n  line\nOutOfMemoryError: no"}
        )

    monkeypatch.setattr(ablation_run, "run_ablation", stub)
    result = run(tmp_path, "--base", str(tmp_path), "--device", "cpu", "--workers", "3", "--minutes", "2", "--no-speed")
    assert result.exit_code == 1
    assert "not trained yet: full.3" in result.stderr
    assert "1 of 3 trainings broke off, first eva-r8.1: OutOfMemoryError: no" in result.stderr
    (one,) = given
    assert (one.workers, one.minutes, one.device, one.with_speed) == (3, 2.0, "cpu", False)
