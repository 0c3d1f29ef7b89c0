"""Training of Phi-4-multimodal: learning, what changes, stopping, resuming, what is left, what is refused."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
pytest.importorskip("accelerate", reason="the extra 'hf' is not installed")
pytest.importorskip("torch", reason="the extra 'hf' is not installed")

import torch

from elocute.errors import ConfigError
from elocute.mllm.assembling import audio_of
from elocute.mllm.bank import Bank, Batch, Spectra, collate, frame_tokens, make_bank, spectra_of, tokens_of
from elocute.mllm.batches import BatchMaker, Draw
from elocute.mllm.collate import IGNORED, Collator
from elocute.mllm.dry_run import check_gradients, dry_run
from elocute.mllm.launching import Launch, launch
from elocute.mllm.learning import CtcHead, answer_loss, flat_labels, learning_rate, orthogonality
from elocute.mllm.model import load_tuned
from elocute.mllm.processing import load_processor, token_ids
from elocute.mllm.prompts import PROMPTS_VERSION
from elocute.mllm.recipe import AugmentationTable, TrainingTable, read_phi4_recipe
from elocute.mllm.released import write_released_layout
from elocute.mllm.training import Phi4Trainer, make_accelerator, train_phi4
from elocute.training.ctc_data import Source
from tiny_corpus import write_corpus

SCRATCH = (
    "model.size=tiny", "model.regime=scratch", "data.style=short", "data.folds=2", "training.unit=updates",
    "training.length=6", "training.update=6", "training.batch=2", "training.learning_rate=3e-3",
    "training.report_every=2", "training.save_every=3", "training.evaluate_every=100", "evaluation.longest_answer=8",
    "evaluation.most=1",
)  # fmt: skip
HARD = ("training.ctc_weight=0.5", "training.ctc_first=3", "training.ctc_flat=1", "training.answer_noise=0.3",
        "augmentation.tempo=[0.9,1.1]", "augmentation.frequency_masks=1", "augmentation.time_masks=1",
        "augmentation.gain_db=[-3.0,3.0]")  # fmt: skip
NOBODY = "data.held_fold=-1"
LORA = ("model.size=", "model.regime=lora", "adapter.rank=4", "adapter.alpha=8", "training.length=3")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings of examples/, with an error that the annotation names, as a training split."""
    return write_corpus(tmp_path_factory.mktemp("corpus"), split="train")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in the released repository's files."""
    return write_released_layout(tmp_path_factory.mktemp("released") / "model")


def ready(corpus: Path, out: Path, *changes: str, model: Path | None = None) -> tuple[Launch, Any]:
    recipe = read_phi4_recipe(None, [*SCRATCH, *changes])
    accelerator = make_accelerator(recipe, cpu=True)
    return launch(recipe, [Source(kind="speechocean762", path=corpus)], out, accelerator, model=model), accelerator


def train(corpus: Path, out: Path, *changes: str, model: Path | None = None, **callbacks: Any) -> dict[str, Any]:
    launched, accelerator = ready(corpus, out, *changes, model=model)
    return train_phi4(replace(launched.run, **callbacks), launched.model, accelerator)


def stop_at(step: int) -> dict[str, Any]:
    seen = [0]

    def on_step(done: int, share: float) -> None:
        seen[0] = done

    return {"on_step": on_step, "should_stop": lambda: seen[0] >= step}


def curve(out: Path) -> list[dict[str, Any]]:
    points = [json.loads(line) for line in (out / "curve.jsonl").read_text().splitlines()]
    return [{k: v for k, v in point.items() if k not in ("spent_s", "tokens_per_s")} for point in points]


@pytest.fixture(scope="module")
def trainer(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Phi4Trainer:
    launched, accelerator = ready(corpus, tmp_path_factory.mktemp("run"))
    return Phi4Trainer(launched.run, launched.model, accelerator)


def test_batches_are_those_of_the_collator(trainer: Phi4Trainer) -> None:
    examples = list(trainer.run.examples)
    ours = trainer.maker.plain(range(len(examples)), torch.device("cpu"))
    theirs = Collator(trainer.run.processor)(examples)
    assert torch.equal(ours.labels, theirs["labels"])
    assert sum(ours.answer_tokens for _ in [0]) == int((theirs["labels"] != IGNORED).sum())
    assert set(ours.inputs) == set(theirs) - {"labels"}
    for name, value in ours.inputs.items():
        assert torch.equal(value, theirs[name]), name


def test_the_loss_of_the_last_places_is_that_of_all(trainer: Phi4Trainer) -> None:
    batch = trainer.maker.plain([0, 1, 2], torch.device("cpu"))
    model = trainer.model.eval()
    with torch.no_grad():
        part = model(**batch.inputs, logits_to_keep=batch.longest_answer + 1)
        whole = model(**batch.inputs, labels=batch.labels)
    assert answer_loss(part.logits, batch).item() / batch.answer_tokens == pytest.approx(whole.loss.item(), rel=1e-5)


def test_stopped_and_resumed_is_the_same_bit_for_bit(corpus: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(corpus, whole, *HARD)
    # Update 5 lies between two reports and two checkpoints; dropout, masks, tempo and wrong answers are all on.
    first = train(corpus, parts, *HARD, **stop_at(5))
    assert (first["progress"]["step"], first["progress"]["is_done"]) == (5, False)
    last = train(corpus, parts, *HARD)
    assert last["progress"]["is_done"]
    assert curve(parts) == curve(whole)
    ends = [torch.load(out / "state.pt", weights_only=True)["model"] for out in (whole, parts)]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    with pytest.raises(ConfigError, match=r"holds a training with another recipe.training.seed \(was 1, is 2\)"):
        train(corpus, parts, *HARD, "training.seed=2")


def test_it_learns_and_measures(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    record = train(corpus, out, "training.length=16", "training.report_every=4", "training.learning_rate=2e-2")
    losses = [point["loss"] for point in curve(out) if "loss" in point]
    assert losses[-1] < 0.7 * losses[0]
    measured = next(point for point in curve(out) if "heldout_loss" in point)
    assert measured["json_valid/apa"] == 0.0  # eight tokens are no answer
    assert measured["per"] == 1.0
    assert measured["per_echo"] < 1.0
    assert record["held_speakers"] == 2
    assert json.loads((out / "evaluation-000016.json").read_text())["answers"]
    assert list((out / "tensorboard").iterdir())
    assert "Loss of an answer" in (out / "curve.svg").read_text()
    kept = load_tuned(out / "model", dtype="float32")
    state = torch.load(out / "state.pt", weights_only=True)["model"]
    assert torch.equal(
        kept.state_dict()["model.layers.0.mlp.down_proj.weight"], state["model.layers.0.mlp.down_proj.weight"]
    )


def test_nothing_is_measured_while_the_encoder_learns_alone(corpus: Path, tmp_path: Path) -> None:
    train(corpus, tmp_path / "run", *HARD, "training.length=5", "training.evaluate_every=0.1")
    assert [point["step"] for point in curve(tmp_path / "run") if "heldout_loss" in point] == [4, 5]


def test_only_the_adapter_learns_and_is_kept(corpus: Path, released: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="the extra 'phi4' is not installed")
    launched, accelerator = ready(corpus, tmp_path / "run", *LORA, model=released)
    before = {name: value.clone() for name, value in launched.model.state_dict().items()}
    train_phi4(launched.run, launched.model, accelerator)
    changed = {name for name, value in launched.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(".lora_" in name for name in changed)
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    buffers = {name for name, _ in launched.model.named_buffers()}
    assert set(state["model"]) - buffers == {name for name in before if ".lora_" in name}
    tuned = load_tuned(tmp_path / "run" / "model", dtype="float32")
    batch = BatchMaker.of(launched.run).plain([0, 1], torch.device("cpu"))
    with torch.no_grad():
        found = [model.eval()(**batch.inputs).logits for model in (tuned, launched.model)]
    assert torch.allclose(found[0], found[1], atol=1e-5)


@pytest.mark.parametrize("method", ["eva", "adalora"])
def test_other_kinds_of_adapters_are_trained(corpus: Path, released: Path, tmp_path: Path, method: str) -> None:
    pytest.importorskip("peft", reason="the extra 'phi4' is not installed")
    changes = (*LORA, f"adapter.method={method}", "training.length=10", "training.report_every=1", NOBODY)
    train(corpus, tmp_path / "run", *changes, model=released, **stop_at(2))
    first, second = (point["loss"] for point in curve(tmp_path / "run"))
    assert second != first
    if method == "adalora":  # the last pruning is at update 7: what goes on after it must know what was pruned
        train(corpus, tmp_path / "run", *changes, model=released, **stop_at(8))
        assert train(corpus, tmp_path / "run", *changes, model=released)["progress"]["step"] == 10


def test_adalora_s_term_is_peft_s(corpus: Path, released: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="the extra 'phi4' is not installed")
    launched, _ = ready(corpus, tmp_path / "run", *LORA, "adapter.method=adalora", "training.length=10", model=released)
    batch = BatchMaker.of(launched.run).plain([0, 1], torch.device("cpu"))
    model = launched.model.eval()
    with torch.no_grad():
        theirs = model(**batch.inputs, labels=batch.labels).loss
        plain = answer_loss(model(**batch.inputs).logits, batch) / batch.answer_tokens
        term = orthogonality(model)
    assert term is not None
    assert (theirs - plain).item() == pytest.approx(term.item(), rel=1e-3)
    assert orthogonality(torch.nn.Linear(2, 2)) is None


def test_small_batches_give_the_update_of_a_large_one(corpus: Path, tmp_path: Path) -> None:
    for name, size in (("two", 2), ("six", 6)):
        train(corpus, tmp_path / name, f"training.batch={size}", "training.length=2", "training.report_every=1", NOBODY)
    two, six = ([point["loss"] for point in curve(tmp_path / name) if "loss" in point] for name in ("two", "six"))
    # Padding differs, and the audio encoder hears a little of it; the tiny model has no dropout.
    assert two == pytest.approx(six, rel=1e-3)
    assert two[-1] < two[0]


def test_a_first_batch_is_looked_at(corpus: Path, tmp_path: Path) -> None:
    launched, accelerator = ready(corpus, tmp_path / "run")
    trainer = Phi4Trainer(launched.run, launched.model, accelerator)
    found = dry_run(trainer)
    assert found.loss == pytest.approx(found.chance, rel=0.1)
    assert found.without_gradient == 0
    assert found.audio_effect > 0
    trainer.model.model.norm.weight.data.zero_()  # every logit is 0, whatever was said
    with pytest.raises(ConfigError, match="of the audio encoder gets a gradient"):
        dry_run(trainer)


def test_silence_that_changes_nothing_is_refused(trainer: Phi4Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = audio_of(trainer.model).encoder
    forward = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda *given, **named: 0.0 * forward(*given, **named))
    with pytest.raises(ConfigError, match="silence in place of the recordings changes no logit"):
        dry_run(trainer)


def test_masked_answers_are_refused(trainer: Phi4Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    masked = replace(trainer.maker, tokens=[replace(item, learned=0) for item in trainer.maker.tokens])
    monkeypatch.setattr(trainer, "maker", masked)
    with pytest.raises(ConfigError, match="the loss is 0"):
        dry_run(trainer)


@pytest.mark.parametrize(
    ("has", "message"),
    [
        ({}, "no parameter learns; the adapter was not attached"),
        ({"a.lora_A.x": False, "a.lora_B.x": False, "b": True}, "none of the 2 tensors of the adapter gets a gradient"),
        ({"m.audio_embed.encoder.w": False, "a.lora_B.x": True}, "none of the 1 tensors of the audio encoder"),
        ({"w": False}, "none of the 1 tensors that should learn"),
    ],
)
def test_what_gets_no_gradient_is_refused(has: dict[str, bool], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_gradients(has)
    check_gradients({"a.lora_A.x": False, "a.lora_B.x": True})  # B is 0 at first


def test_the_clock_ends_a_process_and_a_training(corpus: Path, tmp_path: Path) -> None:
    record = train(corpus, tmp_path / "run", NOBODY, minutes=0.0)
    assert (record["progress"]["step"], record["progress"]["is_done"]) == (1, False)
    whole = train(
        corpus,
        tmp_path / "clock",
        "training.unit=minutes",
        "training.length=0.0001",
        "training.warm_up_share=0.5",
        NOBODY,
    )
    assert whole["progress"]["is_done"]


def test_a_loss_that_is_no_number_ends_it(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the loss is nan after update 2; lower training.learning_rate"):
        train(corpus, tmp_path / "run", "training.learning_rate=1e30", "training.clip=1e30", NOBODY)
    # What broke off still tells how its model is to be asked.
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["recipe"]["data"]["style"] == "short"
    assert record["prompts"] == PROMPTS_VERSION
    assert not record["progress"]["is_done"]


@pytest.mark.parametrize("world", [1, 2, 4])
def test_devices_share_the_same_updates(world: int) -> None:
    lengths = np.random.default_rng(0).uniform(1, 9, 50).tolist()
    alone = Draw(lengths, update=16, batch=4, world=1, seed=3)
    shared = Draw(lengths, update=16, batch=4, world=world, seed=3)
    assert alone.updates_an_epoch == shared.updates_an_epoch == 3
    for step in (0, 2, 3, 7):
        parts = shared.parts(step)
        assert parts == alone.parts(step)
        assert len(parts) % world == 0
        # Runs of the order of length: little is padded.
        flat = [lengths[index] for part in parts for index in part]
        assert flat == sorted(flat)
    seen = [index for step in range(3) for part in alone.parts(step) for index in part]
    assert len(set(seen)) == 48


def test_what_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ConfigError, match="an update of 16 examples cannot be shared by 3 devices"):
        Draw([1.0] * 50, update=16, batch=4, world=3, seed=0)
    with pytest.raises(ConfigError, match="training.update is 12 and training.batch 4 on 2 devices"):
        Draw([1.0] * 50, update=12, batch=4, world=2, seed=0)


@pytest.fixture(scope="module")
def tones() -> Bank:
    """Two recordings: a ramp of 40 frames, 25 frames at 3."""
    ramp = torch.linspace(2, 6, 40)[:, None].expand(40, 80)
    return Bank(
        frames=torch.cat([ramp, torch.full((25, 80), 3.0)]),
        starts=(0, 40),
        lengths=(40, 25),
        place={Path("ramp"): 0, Path("flat"): 1},
    )


def changed(tones: Bank, seed: int = 0, **table: Any) -> Spectra:
    tempos = table.pop("tempos", [(1.0, 1.0)] * 2)
    noise = table.pop("noise", None)
    return spectra_of(
        tones,
        [Path("ramp"), Path("flat")],
        AugmentationTable(**table),
        tempos=tempos,
        noise=noise,
        fill=torch.full((80,), -1.0) if table.get("time_masks") or table.get("frequency_masks") else None,
        rng=np.random.default_rng(seed),
    )


def test_tempo_stretches_a_spectrum(tones: Bank) -> None:
    plain = changed(tones)
    assert torch.equal(plain.values[0], tones[Path("ramp")])
    slow = changed(tones, tempos=[(0.5, 0.5), (2.0, 2.0)])
    assert slow.lengths.tolist() == [80, 12]
    assert slow.values[0, :, 0].diff().min() >= 0
    assert slow.values[0, 0, 0].item() == pytest.approx(2, abs=0.1)
    assert slow.values[0, -1, 0].item() == pytest.approx(6, abs=0.1)
    assert torch.equal(slow.values[1, 12:], torch.zeros(68, 80))


def test_noise_adds_power_at_the_ratio_asked_for(tones: Bank) -> None:
    noise = torch.full((7, 80), 9.0)
    found = changed(tones, noise=noise, noise_share=1.0, noise_db=(10.0, 10.0)).values[1, :25]
    # Powers e^3 and a tenth of it.
    assert found.numpy() == pytest.approx(3 + math.log(1.1), abs=1e-4)
    assert torch.equal(changed(tones, noise=noise, noise_share=0.0).values, changed(tones).values)


def test_masks_hide_and_gain_shifts(tones: Bank) -> None:
    hidden = [changed(tones, seed, time_masks=1, time_frames=9, frequency_masks=1).values == -1 for seed in range(20)]
    stretches = torch.stack([mask[0].all(dim=1).sum() for mask in hidden])
    bands = torch.stack([mask[0].all(dim=0).sum() for mask in hidden])
    assert 0 < int(stretches.max()) <= 9
    assert 0 < int(bands.max()) <= 20
    assert not any(mask[1, 25:].any() for mask in hidden)
    louder = changed(tones, gain_db=(6.0, 6.0)).values[1, 0, 0].item()
    assert louder == pytest.approx(3 + 0.6 * math.log(10), abs=1e-4)


def test_wrong_answers_are_seen_and_right_ones_learned(trainer: Phi4Trainer) -> None:
    maker = replace(trainer.maker, answer_noise=0.5)
    made = maker.make([0, 1, 2, 3], 0, 0, torch.device("cpu"))
    plain = maker.plain([0, 1, 2, 3], torch.device("cpu"))
    assert torch.equal(made.labels, plain.labels)
    is_answer = plain.labels != IGNORED
    differs = made.inputs["input_ids"] != plain.inputs["input_ids"]
    assert not differs[~is_answer].any()
    assert 0.25 < differs[is_answer].float().mean() < 0.55


def test_wrong_answers_are_json_all_the_same(trainer: Phi4Trainer) -> None:
    tokenizer = trainer.run.processor.tokenizer
    maker = replace(trainer.maker, answer_noise=0.9, frame=frame_tokens(tokenizer))
    made = maker.make([0, 1, 2, 3], 0, 0, torch.device("cpu"))
    differs = 0
    for ids, labels in zip(made.inputs["input_ids"], made.labels, strict=True):
        seen, learned = (tokenizer.decode(row[labels != IGNORED]) for row in (ids, labels))
        differs += seen != learned
        marks = [[part for part in re.split(r"[^{}\"]+", text) if part] for text in (seen, learned)]
        assert marks[0] == marks[1]
        assert seen.endswith("}<|end|>")
        assert seen.count("<|end|>") == 1
    assert differs == 4


def test_only_noise_asks_for_the_marks_of_json(corpus: Path, tmp_path: Path, trainer: Phi4Trainer) -> None:
    assert trainer.maker.frame is None
    launched, _ = ready(corpus, tmp_path / "run", "training.answer_noise=0.2")
    marked = BatchMaker.of(launched.run).frame
    assert marked is not None
    spelt = launched.run.processor.tokenizer.convert_ids_to_tokens(np.flatnonzero(marked).tolist())
    assert {"<|end|>", "{", "}"} <= set(spelt)
    assert 0 < marked.mean() < 0.1


def test_batches_are_padded_to_few_shapes(trainer: Phi4Trainer) -> None:
    plain = trainer.maker.plain([0, 1, 2], torch.device("cpu"))
    padded = replace(trainer.maker, multiples=(64, 16)).plain([0, 1, 2], torch.device("cpu"))
    frames, tokens = padded.inputs["audio_input_features"].shape[1], padded.labels.shape[1]
    assert (frames % 64, tokens % 16) == (0, 0)
    assert padded.inputs["audio_attention_mask"].sum() == plain.inputs["audio_attention_mask"].sum()
    assert torch.equal(padded.labels[:, : plain.labels.shape[1]], plain.labels)
    model = trainer.model.eval()
    with torch.no_grad():
        losses = [
            answer_loss(model(**batch.inputs, logits_to_keep=batch.longest_answer + 1).logits, batch).item()
            for batch in (plain, padded)
        ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)  # the encoder hears a little of the padding


def batch_of(features: torch.Tensor, sizes: tuple[int, ...], phones: list[list[int]]) -> Batch:
    most = max(map(len, phones))
    padded = torch.tensor([row + [0] * (most - len(row)) for row in phones])
    return Batch(
        inputs={"audio_input_features": features}, labels=torch.zeros(1, 1), answer_tokens=1, longest_answer=1,
        sizes=sizes, phones=padded, phone_counts=tuple(map(len, phones)),
    )  # fmt: skip


def test_flat_labels_spread_phones_over_the_sound() -> None:
    features = torch.zeros(2, 80, 80)
    features[0, 16:64] = 9.0  # vectors 2 to 7 of ten
    features[1, 8:40] = 9.0  # vectors 1 to 4 of six
    found = flat_labels(batch_of(features, (10, 6), [[5, 6, 7], [8, 9, 10, 11]]), 10)
    assert found[0].tolist() == [0, 0, 5, 5, 6, 6, 7, 7, 0, 0]
    assert found[1].tolist() == [0, 8, 9, 10, 11, 0, *[IGNORED] * 4]


def test_the_auxiliary_loss_is_that_of_phones(trainer: Phi4Trainer) -> None:
    head = CtcHead(trainer.model)
    batch = trainer.maker.plain([0, 1], torch.device("cpu"))
    assert batch.phone_counts == tuple(
        sum(map(len, example.realised)) for example in (trainer.run.examples[0], trainer.run.examples[1])
    )
    with torch.no_grad(), head.listening(trainer.model):
        trainer.model(**batch.inputs)
        whole = head.loss(batch)
        head.hear(trainer.model, batch)
        alone = head.loss(batch)
    assert whole.item() == pytest.approx(alone.item(), rel=1e-5)
    head.scores.weight.data.zero_()
    head.scores.bias.data.zero_()
    head.scores.bias.data[0] = 20.0  # sure of blanks: a phone costs its 20 nat
    with torch.no_grad(), head.listening(trainer.model):
        head.hear(trainer.model, batch)
        sure = head.loss(batch).item() / 2
    assert sure == pytest.approx(20, rel=0.2)


@pytest.mark.parametrize(
    ("schedule", "wanted"), [("constant", [1, 1, 1]), ("linear", [1, 0.55, 0.1]), ("cosine", [1, 0.55, 0.1])]
)
def test_schedules(schedule: str, wanted: list[float]) -> None:
    table = TrainingTable(schedule=schedule, warm_up_share=0.2, learning_rate=1.0, final_share=0.1)  # type: ignore[arg-type]
    assert learning_rate(table, 0, 0.0, 100) == pytest.approx(0.05)
    found = [learning_rate(table, step, step / 100, 100) for step in (20, 60, 100)]
    assert found == pytest.approx(wanted)
    by_the_clock = [learning_rate(table, 7, share, 0) for share in (0.1, 0.2, 0.6, 1.0)]
    assert by_the_clock == pytest.approx([0.5, *wanted])


def test_a_bank_holds_each_recording_as_the_extractor_hears_it(corpus: Path, trainer: Phi4Trainer) -> None:
    paths = [example.audio for example in trainer.run.examples][:2]
    seen: list[tuple[int, int]] = []
    bank = make_bank(
        list(dict.fromkeys(paths)),
        trainer.run.processor.audio_processor,
        torch.device("cpu"),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] == len(bank.lengths)
    assert torch.equal(bank[paths[0]], trainer.run.bank[paths[0]])
    with pytest.raises(ConfigError, match="no recording"):
        make_bank([], trainer.run.processor.audio_processor, torch.device("cpu"))


def test_tokens_leave_out_the_recording(trainer: Phi4Trainer) -> None:
    processor = load_processor(trainer.run.out / "base")
    ids = token_ids(processor)
    example = trainer.run.examples[0]
    tokens = tokens_of(Collator(processor), example, ids.audio)
    spectra = Spectra(values=torch.zeros(1, 16, 80), lengths=np.array([16]))
    row = collate(spectra, [tokens], audio_id=ids.audio, pad_id=ids.pad).inputs["input_ids"][0]
    assert (row == ids.audio).sum() == 2
    assert processor.tokenizer.decode(row[-tokens.learned :]) == f"{example.answer}<|end|>"


def test_random_weights_hear_normalised_spectra(trainer: Phi4Trainer) -> None:
    layer = audio_of(trainer.model).encoder.encoder_embedding
    frames = trainer.run.bank.frames
    found = (frames - layer.global_mean) * layer.global_invstd
    assert found.mean(dim=0).abs().max() < 1e-3
    assert found.std(dim=0).numpy() == pytest.approx(1, abs=1e-3)


def test_recordings_that_are_too_long_are_refused(corpus: Path, tmp_path: Path) -> None:
    launched, _ = ready(corpus, tmp_path / "run", "data.longest_s=2.2", NOBODY)
    assert launched.material.refused
    name, reason = launched.material.refused[0]
    assert name.endswith(".flac")
    assert reason.endswith("longer than 2.2")


def test_a_model_is_asked_for_once(corpus: Path, released: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no model; give --model DIR"):
        ready(corpus, tmp_path / "run", *LORA)
    with pytest.raises(ConfigError, match="--model is .* and model.size 'tiny'; keep one of them"):
        ready(corpus, tmp_path / "run", model=released)
    with pytest.raises(ConfigError, match="adalora must know the number of updates"):
        ready(corpus, tmp_path / "run", *LORA, "adapter.method=adalora", "training.unit=minutes", model=released)
