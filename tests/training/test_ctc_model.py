"""Every CTC family of transformers: frames, freezing, heads, what is saved and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")

import torch
import transformers

from elocute.acoustic import load_backend
from elocute.acoustic.protocol import bare_audio
from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.training.ctc_files import save_model
from elocute.training.ctc_model import VOCABULARY, Masking, PhoneModel, freeze, load_model, trainable
from elocute.training.ctc_recipe import CtcTraining, Freeze, ModelRecipe

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
WAVE = SMALL | {"conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "wav2vec2": WAVE,
    "wavlm": WAVE,
    "hubert": WAVE,
    "data2vec-audio": WAVE,
    "wav2vec2-conformer": WAVE,
    "wav2vec2-bert": SMALL,
    "parakeet_ctc": {"encoder_config": SMALL | {"subsampling_conv_channels": 8}},
}
FEATURE_ENCODER = {"wav2vec2-bert": "feature_projection", "parakeet_ctc": "subsampling"}


def built(family: str, **overrides: Any) -> PhoneModel:
    return load_model(None, ModelRecipe(config={"model_type": family, **FAMILIES[family]}, overrides=overrides))


def pretrained(family: str, folder: Path, vocabulary: int = 50) -> Path:
    """A tiny model with random weights and another head, in the layout that users download."""
    config = transformers.AutoConfig.for_model(family, **FAMILIES[family], vocab_size=vocabulary)
    torch.manual_seed(5)
    transformers.AutoModelForCTC.from_config(config).save_pretrained(folder)
    built(family).extractor.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_frames_are_those_of_the_model(family: str) -> None:
    phones = built(family)
    phones.model.eval()
    rng = np.random.default_rng(0)
    waves = [rng.normal(size=count).astype(np.float32) for count in (1_600, 8_000, 16_319, 16_320, 33_333)]
    counts = phones.frames(np.array([len(wave) for wave in waves]))
    assert phones.frames.frame_s == 0.02
    for wave, count in zip(waves, counts, strict=True):
        inputs = phones.extractor([wave], sampling_rate=16_000, padding=True, return_tensors="pt")
        with torch.inference_mode():
            logits = phones.model(**inputs).logits
        assert logits.shape[2] == len(VOCABULARY) * phones.upsampling
        # Parakeet's extractor gives a frame more than its mask counts.
        spare = phones.upsampling if family == "parakeet_ctc" else 0
        assert count <= logits.shape[1] * phones.upsampling <= count + spare
    assert phones.frames(np.array([0, 10, 100])).tolist() == [0, 0, 0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("what", ["nothing", "feature_encoder", "encoder"])
def test_frozen_weights_stay_and_the_others_learn(family: str, what: Freeze, tmp_path: Path) -> None:
    phones = load_model(f"hf:{pretrained(family, tmp_path)}", ModelRecipe(overrides={"layerdrop": 0.0}))
    assert phones.is_new_head
    freeze(phones, CtcTraining(freeze=what, freeze_layers=1 if what == "feature_encoder" else 0))
    part = FEATURE_ENCODER.get(family, "feature_extractor")
    before = {name: value.detach().clone() for name, value in phones.model.named_parameters()}
    phones.model.train()
    Masking(phones.model).set(49, wanted=True)
    wave = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    inputs = phones.extractor([wave], sampling_rate=16_000, padding=True, return_tensors="pt")
    optimizer = torch.optim.SGD([value for value in phones.model.parameters() if value.requires_grad], lr=10.0)
    phones.model(**inputs).logits.square().mean().backward()
    optimizer.step()
    moved = {name for name, value in phones.model.named_parameters() if not torch.equal(value, before[name])}
    is_head = {name: name.startswith(("lm_head", "ctc_head")) for name in before}
    assert any(is_head[name] for name in moved)
    assert any(f".{part}." in name for name in moved) == (what == "nothing")
    assert any("encoder.layers.0." in name for name in moved) == (what == "nothing")
    assert any("encoder.layers.1." in name for name in moved) == (what != "encoder")
    counts = trainable(phones.model)
    learning = {name: value.numel() for name, value in phones.model.named_parameters() if value.requires_grad}
    assert sum(learns for learns, _ in counts.values()) == sum(learning.values())
    assert sum(every for _, every in counts.values()) == sum(value.numel() for value in phones.model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_saved_is_a_backend(family: str, tmp_path: Path) -> None:
    phones = built(family)
    save_model(phones, phones.model, tmp_path)
    assert json.loads((tmp_path / "vocab.json").read_text()) == {label: n for n, label in enumerate(VOCABULARY)}
    assert not (tmp_path / ".writing").exists()
    again = load_model(f"hf:{tmp_path}", ModelRecipe())
    assert not again.is_new_head
    assert again.frames == phones.frames
    wave = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    inputs = phones.extractor([wave], sampling_rate=16_000, padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = [one.model.eval()(**inputs).logits for one in (phones, again)]
    assert torch.equal(*logits)
    backend = load_backend(f"hf:{tmp_path}")
    assert backend.phone_set.symbols == tuple(PHONES)
    # Frames that the head divides stand one after the other.
    expected = torch.log_softmax(logits[0][0].reshape(-1, len(VOCABULARY)), dim=-1).numpy()
    found = backend.posteriors(bare_audio(wave))
    assert np.allclose(found.log_probs, expected, atol=1e-4)
    assert found.frame_shift_s == 0.02


def test_upsampling_head() -> None:
    phones = built("parakeet_ctc")
    assert phones.upsampling == 4
    assert phones.model.config.frame_upsampling == 4
    assert phones.model.config.vocab_size == 4 * len(VOCABULARY)
    coarse = load_model(
        None, ModelRecipe(config={"model_type": "parakeet_ctc", **FAMILIES["parakeet_ctc"]}, frame_upsampling=1)
    )
    assert coarse.frames.frame_s == 0.08


def test_adapters_are_left_out(tmp_path: Path) -> None:
    config = transformers.AutoConfig.for_model("wav2vec2-bert", **SMALL, add_adapter=True, vocab_size=50)
    transformers.AutoModelForCTC.from_config(config).save_pretrained(tmp_path)
    built("wav2vec2-bert").extractor.save_pretrained(tmp_path)
    assert load_model(f"hf:{tmp_path}", ModelRecipe()).frames.frame_s == 0.02


def test_weights_of_another_class_are_refused(tmp_path: Path) -> None:
    folder = pretrained("wav2vec2", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "wavlm", "architectures": ["WavLMForCTC"]}))
    with pytest.raises(ConfigError, match=r"lacks \d+ weights of its class.*expected a whole encoder"):
        load_model(f"hf:{folder}", ModelRecipe())


def test_encoder_without_head(tmp_path: Path) -> None:
    """What is published for WavLM: the bare encoder, saved from the class without a head."""
    config = transformers.AutoConfig.for_model("wavlm", **WAVE)
    bare = transformers.WavLMModel(config)
    bare.save_pretrained(tmp_path)
    phones = load_model(f"hf:{tmp_path}", ModelRecipe())  # no preprocessor_config.json either
    assert phones.is_new_head
    assert not phones.is_random
    mine = dict(phones.model.wavlm.named_parameters())
    assert all(torch.equal(value, mine[name]) for name, value in bare.named_parameters())


def test_masks_are_switched_and_restored() -> None:
    phones = built("wav2vec2", mask_time_prob=0.3, mask_time_length=10)
    masking = Masking(phones.model)
    masking.set(49, wanted=True)
    assert phones.model.config.mask_time_prob == 0.3
    for frames, wanted in ((10, True), (49, False)):
        masking.set(frames, wanted=wanted)
        assert phones.model.config.mask_time_prob == 0
    masking.restore()
    assert phones.model.config.mask_time_prob == 0.3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "no model; give --model"),
        ("wavlm", "model is 'wavlm'; expected hf:DIR_OR_NAME or config:FILE.json"),
        ("hf:", "expected hf:DIR_OR_NAME"),
        ("config:nowhere.json", "cannot read nowhere.json"),
        ("hf:./nowhere", "cannot load ./nowhere: .*; expected a model of transformers"),
    ],
)
def test_names_that_are_no_models(
    name: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        load_model(name, ModelRecipe())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"hidden_size": 3}, "has no model_type"),
        ({"model_type": "bert"}, "model_type is 'bert'; expected one of wav2vec2"),
        ({"model_type": "wavlm", "hiden_size": 3}, "a wavlm has no setting hiden_size"),
    ],
)
def test_configurations_that_are_none(table: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(table))
    with pytest.raises(ConfigError, match=message):
        load_model(f"config:{tmp_path / 'c.json'}", ModelRecipe())


def test_what_cannot_be_changed_or_frozen(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model.overrides.mask_time_prop: a hubert has no such setting"):
        built("hubert", mask_time_prop=0.1)
    with pytest.raises(ConfigError, match="random weights, which must not be frozen"):
        freeze(built("wav2vec2"), CtcTraining())
    phones = load_model(f"hf:{pretrained('hubert', tmp_path)}", ModelRecipe())
    with pytest.raises(ConfigError, match="freeze_layers is 3; the model has 2"):
        freeze(phones, CtcTraining(freeze_layers=3))


def test_the_weights_of_one_seed_are_the_same(tmp_path: Path) -> None:
    recipe = ModelRecipe(config={"model_type": "hubert", **WAVE})
    first, second, other = (load_model(None, recipe, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.model.lm_head.weight, second.model.lm_head.weight)
    assert not torch.equal(first.model.lm_head.weight, other.model.lm_head.weight)
    shutil.rmtree(tmp_path)
