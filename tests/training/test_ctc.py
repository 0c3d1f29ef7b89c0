"""Training of CTC models: learning, stopping, resuming, the model that comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctc_corpora import write_librispeech

pytest.importorskip("transformers")
pytest.importorskip("accelerate")

import torch

from elocute.acoustic import check_backend, load_backend
from elocute.errors import ConfigError
from elocute.training.ctc import CtcRun, make_accelerator, train_ctc
from elocute.training.ctc_data import Source
from elocute.training.ctc_learning import learning_rate
from elocute.training.ctc_model import load_model
from elocute.training.ctc_prepare import prepare
from elocute.training.ctc_recipe import CtcRecipe, CtcTraining, ModelRecipe, WaveAugmentation

TINY = {
    "model_type": "wav2vec2",
    "conv_dim": [16] * 7,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer",
    "mask_time_prob": 0.1,
    "mask_time_length": 2,
    "layerdrop": 0.1,
}
SPECTRAL = {
    "model_type": "wav2vec2-bert",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "hidden_dropout": 0.0,
    "layerdrop": 0.0,
    "mask_time_prob": 0.0,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_librispeech(tmp_path_factory.mktemp("libri"))


def recipe_of(**changes: Any) -> CtcRecipe:
    values: dict[str, Any] = {
        "length": 8, "batch_s": 6.0, "accumulate": 2, "learning_rate": 3e-3, "freeze": "nothing", "held_out": 0.3,
        "report_every": 1, "evaluate_every": 4, "save_every": 3, "warm_up_share": 0.1, "flat_start_steps": 2,
    }  # fmt: skip
    return CtcRecipe(
        model=ModelRecipe(config=TINY), training=CtcTraining(**(values | changes)), augmentation=WaveAugmentation()
    )


def make_run(corpus: Path, out: Path, recipe: CtcRecipe, **changes: Any) -> tuple[CtcRun, Any]:
    phones = load_model(None, recipe.model, seed=recipe.training.seed)
    prepared = prepare([Source(kind="librispeech", path=corpus)], recipe.training, phones.frames, corpus / "pcm")
    noise = (np.random.default_rng(0).normal(0, 3000, 40_000)).astype(np.int16)
    run = CtcRun(
        recipe=recipe,
        out=out,
        examples=prepared.examples.kept,
        store=prepared.store,
        training=prepared.training,
        held=prepared.held,
        noise=noise,
    )
    return replace(run, **changes), phones


def train(corpus: Path, out: Path, recipe: CtcRecipe, **changes: Any) -> dict[str, Any]:
    run, phones = make_run(corpus, out, recipe, **changes)
    return train_ctc(run, phones, make_accelerator(recipe.training, cpu=True))


def stop_at(step: int) -> dict[str, Any]:
    seen = [0]

    def on_step(done: int, share: float) -> None:
        seen[0] = done

    return {"on_step": on_step, "should_stop": lambda: seen[0] >= step}


def curve(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "curve.jsonl").read_text().splitlines()]


def without_time(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in point.items() if key != "spent_s"} for point in points]


def test_stopped_and_resumed_is_the_same_bit_for_bit(corpus: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    recipe = recipe_of(report_every=2)
    train(corpus, whole, recipe)
    # Step 5 lies between two reports and two checkpoints; dropout, dropped layers, masks, speed, noise are all on.
    first = train(corpus, parts, recipe, **stop_at(5))
    assert not first["progress"]["is_done"]
    assert first["progress"]["step"] == 5
    resumed: list[dict[str, Any]] = []
    last = train(corpus, parts, recipe, on_point=resumed.append)
    assert last["progress"]["is_done"]
    assert without_time(curve(parts)) == without_time(curve(whole))
    # The first point of the resumed process measures the checkpoint itself.
    assert resumed[0]["resumed"]
    ends = [torch.load(out / "state.pt", weights_only=True)["model"] for out in (whole, parts)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_killed_after_a_checkpoint_goes_back_to_it(corpus: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(corpus, whole, recipe_of())

    def die(step: int, share: float) -> None:
        if step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(corpus, killed, recipe_of(), on_step=die)
    assert curve(killed)[-1]["step"] == 6
    (killed / "state.pt.new").write_bytes(b"cut short")  # a kill while writing
    train(corpus, killed, recipe_of())
    assert without_time(curve(killed)) == without_time(curve(whole))


def test_another_training_in_the_folder_is_refused(corpus: Path, tmp_path: Path) -> None:
    train(corpus, tmp_path, recipe_of(length=2))
    with pytest.raises(ConfigError, match=r"another recipe.training.learning_rate \(was 0.003, is 0.001\)"):
        train(corpus, tmp_path, recipe_of(length=2, learning_rate=1e-3))
    (tmp_path / "state.pt").write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match=r"state.pt is damaged: .*; delete it to begin anew"):
        train(corpus, tmp_path, recipe_of(length=2))


def test_a_finished_training_is_not_repeated(corpus: Path, tmp_path: Path) -> None:
    train(corpus, tmp_path, recipe_of(length=2))
    before = curve(tmp_path)
    steps: list[int] = []
    record = train(corpus, tmp_path, recipe_of(length=2), on_step=lambda step, share: steps.append(step))
    assert record["progress"]["is_done"]
    assert not steps
    assert curve(tmp_path) == before


def test_workers_make_the_same_batches(corpus: Path, tmp_path: Path) -> None:
    alone, helped = tmp_path / "alone", tmp_path / "helped"
    train(corpus, alone, recipe_of(length=4))
    train(corpus, helped, recipe_of(length=4), workers=2)
    assert without_time(curve(alone)) == without_time(curve(helped))


def test_it_learns_and_the_folder_is_a_backend(corpus: Path, tmp_path: Path) -> None:
    recipe = recipe_of(length=60, accumulate=1, batch_s=12.0, flat_start_steps=40, evaluate_every=20, report_every=20)
    recipe = replace(recipe, model=ModelRecipe(config=SPECTRAL))
    record = train(corpus, tmp_path, recipe)
    points = curve(tmp_path)
    losses = [point["loss"] for point in points if "loss" in point]
    rates = [point["per"] for point in points if "per" in point]
    assert losses[0] > losses[1]
    assert record["progress"]["best_per"] == min(rates) < 0.5
    assert list((tmp_path / "tensorboard").iterdir())
    backend = load_backend(f"hf:{tmp_path}")
    assert {"deterministic", "batch"} <= set(check_backend(backend))
    # What the backend hears in held-out recordings is what the training measured.
    run, phones = make_run(corpus, tmp_path, recipe)
    from elocute.audio import load_audio
    from elocute.evaluation import edit_distance

    wrong = total = 0
    for index in run.held:
        best = backend.posteriors(load_audio(run.examples[index].audio)).log_probs.argmax(axis=1)
        heard = [label for label, before in zip(best, [0, *best[:-1]], strict=True) if label and label != before]
        wrong += edit_distance(heard, run.examples[index].phones)
        total += len(run.examples[index].phones)
    assert wrong / total == pytest.approx(record["progress"]["best_per"], abs=0.02)
    # A model of ours keeps its head when it is trained on.
    again = load_model(f"hf:{tmp_path}", ModelRecipe())
    assert not again.is_new_head


def test_early_stop(corpus: Path, tmp_path: Path) -> None:
    record = train(corpus, tmp_path, recipe_of(length=50, learning_rate=1e-9, evaluate_every=1, patience=2))
    assert record["progress"]["is_done"]
    assert record["progress"]["step"] < 10


def test_the_clock_stops_a_process(corpus: Path, tmp_path: Path) -> None:
    record = train(corpus, tmp_path, recipe_of(), minutes=0.0)
    assert record["progress"]["step"] == 1
    assert not record["progress"]["is_done"]
    assert (tmp_path / "state.pt").is_file()


def test_length_by_the_clock(corpus: Path, tmp_path: Path) -> None:
    record = train(corpus, tmp_path, recipe_of(length=0.001, unit="minutes"))
    assert record["progress"]["is_done"]
    assert record["progress"]["best_per"] is not None


def test_a_loss_that_is_no_number_ends_it(corpus: Path, tmp_path: Path) -> None:
    run, phones = make_run(corpus, tmp_path, recipe_of())
    with torch.no_grad():
        phones.model.lm_head.weight.fill_(np.nan)
    with pytest.raises(ConfigError, match=r"the loss is nan after update 1; lower training.learning_rate"):
        train_ctc(run, phones, make_accelerator(run.recipe.training, cpu=True))
    assert not (tmp_path / "state.pt").exists()


@pytest.mark.parametrize("schedule", ["linear", "cosine", "tri-stage", "constant"])
def test_schedules(schedule: str) -> None:
    training = CtcTraining(learning_rate=1.0, warm_up_steps=10, schedule=schedule)  # type: ignore[arg-type]
    rates = [learning_rate(training, step, step / 100, 100) for step in range(101)]
    assert np.allclose(rates[:10], np.arange(1, 11) / 10)
    assert rates[10] == pytest.approx(1.0)
    assert all(a >= b - 1e-12 for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] == pytest.approx({"tri-stage": 0.05, "constant": 1.0}.get(schedule, 0.0))


def test_clock_warm_up() -> None:
    training = CtcTraining(learning_rate=1.0, unit="minutes", warm_up_share=0.1, schedule="constant")
    rates = [learning_rate(training, step, step / 100, 0) for step in (1, 5, 10, 50)]
    assert rates == pytest.approx([0.1, 0.5, 1.0, 1.0])
