"""A whole ablation of a tiny random model on real recordings: what each arm trains, what is left, and going on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")
pytest.importorskip("transformers")

import torch

from elocute.errors import ConfigError
from elocute.mllm.ablation.bench import Bench, prepare_bank, read_parts
from elocute.mllm.ablation.entropy import calibrate, linear_sites
from elocute.mllm.ablation.ranks import applied
from elocute.mllm.ablation.recipe import AblationRecipe, Arm, Trial, read_ablation
from elocute.mllm.ablation.run import AblationRun, run_ablation, write_table
from elocute.mllm.ablation.trial import Training, prepare, ranks_of, schedule, sizes
from elocute.mllm.adapters import NAME
from elocute.mllm.model import load_model
from elocute.mllm.sizes import build_random
from elocute.training.ctc_data import Source
from tiny_corpus import write_corpus

RANK = 4
SETTINGS = (
    *("adaptation.updates=12", "adaptation.batch=4", "adaptation.calibration=6", "adaptation.report_every=4"),
    *("data.folds=2", "data.style=short", "evaluation.longest_answer=4", "evaluation.batch=8"),
    *(f"grid.ranks=[{RANK}]", "grid.seeds=[1]"),
)


def recipe_of(*changes: str) -> AblationRecipe:
    return read_ablation(None, [*SETTINGS, *changes])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of examples/ and a tiny model."""
    place = tmp_path_factory.mktemp("ablation")
    write_corpus(place / "corpus", "train")
    build_random("tiny", place / "base")
    return place


@pytest.fixture(scope="module")
def bench(folder: Path) -> Bench:
    recipe = recipe_of()
    parts = read_parts(sources(folder), recipe.data)
    prepare_bank(folder / "base", parts, folder / "bank.pt", workers=1)
    return Bench(recipe, folder / "base", parts, folder / "bank.pt", "cpu")


def sources(folder: Path) -> list[Source]:
    return [Source(kind="speechocean762", path=folder / "corpus")]


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_nobody_who_is_measured_is_learned_from(bench: Bench) -> None:
    learned, held = ({example.speaker for example in side} for side in (bench.parts.training, bench.parts.held))
    assert learned
    assert held
    assert not learned & held


@pytest.mark.parametrize("allocation", ["uniform", "entropy", "inverse", "eva", "adalora"])
def test_an_arm_changes_nothing_at_first_and_then_its_adapters_alone(bench: Bench, allocation: Any) -> None:
    trial = Trial(arm=Arm(allocation=allocation, rank=RANK), seed=1)
    prepared = prepare(bench, trial)
    model = prepared.model
    plain = load_model(bench.base, regime="full", dtype="float32")
    batch = bench.batch(list(bench.parts.held)[:2])
    with torch.no_grad():
        same, wanted = (one.eval()(**batch.inputs).logits for one in (model, plain))
    torch.testing.assert_close(same, wanted, atol=1e-5, rtol=1e-4)
    before = weights(model)
    training = Training(bench, trial, model)
    losses = [float(training.update(number)) for number in range(1, 4)]
    assert all(map(torch.isfinite, map(torch.tensor, losses)))
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert changed
    assert all(".lora_" in name for name in changed)
    budget = sum(
        RANK * (site.inputs + site.outputs)
        for site in linear_sites(plain, lambda name: name.startswith("model.layers."))
    )
    learned = sum(value.numel() for value in model.parameters() if value.requires_grad)
    assert all(value.dtype == torch.float32 for value in model.parameters() if value.requires_grad)
    if allocation in ("uniform", "entropy", "inverse"):
        assert budget - 64 < learned <= budget
        assert {one.scaling for one in applied(model, NAME).values()} == {bench.recipe.adaptation.scaling}
    found = sizes(model, ranks_of(model))
    assert found["parameters"] == sum(value.numel() for value in plain.parameters())
    assert found["learned"] == found["kept"] == learned or allocation == "adalora"
    if allocation == "adalora":  # begins with half as many ranks again, and a factor for each
        assert learned == found["learned"] == 3 * budget // 2 + 8 * 6
        assert found["kept"] == sum(
            rank * (site.cost + 1)
            for site in linear_sites(plain, lambda name: name.startswith("model.layers."))
            for rank in [ranks_of(model)[site.name]]
        )
    if allocation == "eva":  # shares out ranks, not parameters
        assert sum(one.rank for one in applied(model, NAME).values()) == RANK * 8


def test_more_entropy_is_more_rank_and_the_control_turns_it_round(bench: Bench) -> None:
    ranks, entropies = {}, {}
    for allocation in ("entropy", "inverse"):
        prepared = prepare(bench, Trial(arm=Arm(allocation=allocation, rank=8), seed=1))  # type: ignore[arg-type]
        ranks[allocation] = {name: one.rank for name, one in applied(prepared.model, NAME).items()}
        entropies[allocation] = {one.site.name: one.mixed() for one in prepared.entropies}
    found = entropies["entropy"]
    assert found == entropies["inverse"]
    least, most = min(found, key=lambda name: found[name]), max(found, key=lambda name: found[name])
    assert found[most] - found[least] > 0.05
    assert ranks["entropy"][most] > ranks["entropy"][least]
    assert ranks["inverse"][most] < ranks["inverse"][least]


def test_entropies_are_of_what_the_layers_hear(bench: Bench) -> None:
    """The query projection's inputs, taken from the hidden states that transformers gives out, by numpy."""
    import numpy as np

    model = load_model(bench.base, regime="full", dtype="float32")
    batches = bench.calibration(1)
    sites = linear_sites(model, lambda name: name.endswith("layers.1.self_attn.qkv_proj"))
    found = calibrate(model, batches, sites, audio_token_id=bench.ids.audio)[0].places["audio"]
    gathered = []
    with torch.no_grad():
        for batch in batches:
            hidden = model(**batch, output_hidden_states=True).hidden_states[1].double()
            normal = hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + model.config.rms_norm_eps)
            normal = normal * model.model.layers[1].input_layernorm.weight.double()
            gathered.append(normal[batch["input_ids"] == bench.ids.audio].numpy())
    vectors = np.concatenate(gathered)
    shares = np.linalg.svd(vectors - vectors.mean(0), compute_uv=False) ** 2
    shares = shares / shares.sum()
    assert found.positions == len(vectors)
    assert found.effective_rank == pytest.approx(float(np.exp(-(shares * np.log(shares)).sum())), rel=1e-3)


def test_four_bits_and_placement(bench: Bench) -> None:
    pytest.importorskip("bitsandbytes")
    trial = Trial(arm=Arm(rank=2, bits=4, placement="attention"), seed=1)
    model = prepare(bench, trial).model
    names = set(applied(model, NAME))
    assert {name.rsplit(".", 1)[1] for name in names} == {"qkv_proj", "o_proj"}
    linear = model.get_submodule("base_model.model.model.layers.0.mlp.gate_up_proj")
    assert linear.weight.quant_state.quant_type == "nf4"
    training = Training(bench, trial, model)
    training.update(1)


def test_the_penalty_reaches_the_adapters(bench: Bench) -> None:
    found = {}
    for penalty in (0.0, 5.0):
        trial = Trial(arm=Arm(rank=RANK, penalty=penalty), seed=1)
        training = Training(bench, trial, prepare(bench, trial).model)
        for number in range(1, 4):
            training.update(number)
        found[penalty] = weights(training.model)
    assert any(not torch.equal(value, found[5.0][name]) for name, value in found[0.0].items())


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [schedule(update, 100, 0.1) for update in range(1, 101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[-1] == pytest.approx(0.0)
    assert all(a > b for a, b in zip(rates[9:], rates[10:], strict=False))


@pytest.fixture(scope="module")
def finished(folder: Path) -> Path:
    """A small ablation that was stopped at once and then went on."""
    out = folder / "out"
    recipe = recipe_of('grid.allocations=["uniform","entropy","full","none"]')
    stopped = run_ablation(
        AblationRun(recipe=recipe, base=folder / "base", sources=sources(folder), out=out, minutes=0.0)
    )
    assert stopped.table is None
    assert stopped.pending == ("uniform-r4.1", "entropy-r4.1", "full.1", "none.1")
    names: list[str] = []
    outcome = run_ablation(
        AblationRun(
            recipe=recipe,
            base=folder / "base",
            sources=sources(folder),
            out=out,
            with_speed=False,
            on_trial=lambda name, seconds: names.append(name),
        )
    )
    assert outcome.failed == {}
    assert outcome.finished == 4
    assert names == list(stopped.pending)
    return out


def test_an_ablation_leaves_a_table_and_drawings(finished: Path) -> None:
    table = json.loads((finished / "table.json").read_text())
    assert [row["name"] for row in table["rows"]] == ["uniform-r4", "entropy-r4", "full", "none"]
    by_name = {row["name"]: row for row in table["rows"]}
    # Twelve updates of every weight make the right answers likelier than the model with none.
    assert by_name["full"]["values"]["ppl"]["value"] < 0.98 * by_name["none"]["values"]["ppl"]["value"]
    assert by_name["none"]["facts"]["learned"] == 0
    assert by_name["uniform-r4"]["facts"]["kept"] == by_name["uniform-r4"]["facts"]["learned"]
    record = json.loads((finished / "trials" / "entropy-r4.1" / "trial.json").read_text())
    assert len(record["ranks"]) == len(record["entropies"]) == 8
    assert [point["update"] for point in record["curve"]] == [4, 8, 12]
    for name in ("figures.svg", "ranks.svg", "entropies.svg"):
        drawing = (finished / name).read_text()
        assert drawing.startswith("<svg")
    assert drawing.count('class="heat"') == 3 * 8  # three kinds of positions, eight modules
    assert "| uniform-r4 | 1 |" in (finished / "table.md").read_text()


def test_a_finished_ablation_trains_nothing_again(finished: Path, folder: Path) -> None:
    recipe = recipe_of('grid.allocations=["uniform","entropy","full","none"]')
    before = (finished / "table.json").read_bytes()
    trained: list[str] = []
    outcome = run_ablation(
        AblationRun(
            recipe=recipe,
            base=folder / "base",
            sources=sources(folder),
            out=finished,
            with_speed=False,
            on_trial=lambda name, seconds: trained.append(name),
        )
    )
    assert trained == []
    assert outcome.finished == 4
    assert (finished / "table.json").read_bytes() == before


def test_another_ablation_in_the_same_folder_is_refused(finished: Path, folder: Path) -> None:
    run = AblationRun(
        recipe=recipe_of("adaptation.updates=13"), base=folder / "base", sources=sources(folder), out=finished
    )
    with pytest.raises(ConfigError, match=r"holds an ablation with another \[adaptation\]"):
        run_ablation(run)


def test_a_training_that_breaks_off_is_told_and_the_others_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import elocute.mllm.ablation.trial as module

    real = module.run_trial

    def broken(bench: Bench, trial: Trial, place: Path) -> dict[str, Any]:
        if trial.arm.rate == 3:
            raise torch.OutOfMemoryError("no memory for this")
        return real(bench, trial, place)

    monkeypatch.setattr(module, "run_trial", broken)
    recipe = recipe_of('grid.allocations=["none"]', "grid.rates=[1.0, 3.0]")
    outcome = run_ablation(
        AblationRun(
            recipe=recipe, base=folder / "base", sources=sources(folder), out=tmp_path / "out", with_speed=False
        )
    )
    assert outcome.finished == 1
    assert "no memory for this" in outcome.failed["uniform-r4-rate3.1"]
    assert "no memory for this" in (tmp_path / "out" / "failed-uniform-r4-rate3.1.txt").read_text()


def test_a_table_of_nothing_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no finished training"):
        write_table(recipe_of(), sources(folder), tmp_path)
