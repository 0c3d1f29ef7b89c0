"""Folders and settings that cannot be used, each with its sentence; where weights come from."""

from __future__ import annotations

import builtins
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

import torch
from safetensors.torch import load_file, save_file

from elocute.errors import ConfigError, ElocuteError, MissingExtraError
from elocute.mllm.adapters import AdapterConfig
from elocute.mllm.low_rank import read_adapter
from elocute.mllm.model import load_model, load_tuned, restore, save_tuned, trainable
from elocute.mllm.released import write_released_layout
from elocute.mllm.sizes import build_random, configuration, random_source
from elocute.mllm.weights import open_checkpoint
from tiny_phi4 import FRESH, RANK, SPEECH, released

SHARD = "model-00002-of-00003.safetensors"
AUDIO = "model.embed_tokens_extend.audio_embed."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(released(), tmp_path / "model"))


def edit(path: Path, **changes: Any) -> None:
    """Set keys of a JSON file; None takes one away."""
    table = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in table.items() if value is not None}))


def without_last_bytes(path: Path) -> None:
    """Cut a file off."""
    path.write_bytes(path.read_bytes()[:-100])


def reshaped(folder: Path) -> None:
    """Make a tensor of the language model one row longer."""
    name = "model.layers.0.mlp.down_proj.weight"
    path = folder / json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"][name]
    save_file({**load_file(path), name: torch.zeros(65, 64)}, path)


def without_one(path: Path, pattern: str) -> None:
    """Take the first tensor with such a name away."""
    tensors = load_file(path)
    name = next(name for name in tensors if re.search(pattern, name))
    save_file({key: tensor for key, tensor in tensors.items() if key != name}, path)


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "no folder .*; expected that of Phi-4-multimodal-instruct"),
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json; expected all files"),
    "config is no JSON": (lambda f: (f / "config.json").write_text("{"), "config.json is not JSON"),
    "config is a list": (lambda f: (f / "config.json").write_text("[]"), "holds list; expected a JSON object"),
    "another model": (lambda f: edit(f / "config.json", model_type="whisper"), "model_type 'whisper'; expected"),
    "quantised before": (lambda f: edit(f / "config.json", quantization_config={}), "already quantised"),
    "no weights": (lambda f: [p.unlink() for p in f.glob("model*")], "has neither model.safetensors.index.json nor"),
    "no map": (lambda f: (f / "model.safetensors.index.json").write_text("{}"), "has no weight_map"),
    "missing shard": (lambda f: (f / SHARD).unlink(), f"lacks {SHARD} of 3 weight files"),
    "pointer": (lambda f: (f / SHARD).write_text("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "cut off": (lambda f: without_last_bytes(f / SHARD), f"{SHARD} is cut off"),
    "weight missing": (
        lambda f: without_one(f / SHARD, "conv.weight"),
        "lacks 1 weights, first model.embed_tokens_extend.audio_embed.",
    ),
    "another shape": (
        reshaped,
        r"down_proj.weight has shape \(65, 64\), and by config.json \(64, 64\)",
    ),
    "no speech adapter": (lambda f: shutil.rmtree(f / "speech-lora"), "has no speech adapter .folder speech-lora."),
    "half an adapter": (
        lambda f: (f / "speech-lora" / "adapter_model.safetensors").unlink(),
        "no file .*speech-lora/adapter_model.safetensors",
    ),
    "adapter without partner": (
        lambda f: without_one(f / "speech-lora" / "adapter_model.safetensors", "lora_B"),
        "is no whole adapter: model.layers.0.mlp.down_proj lacks A or B",
    ),
    "adapter of another rank": (
        lambda f: edit(f / "speech-lora" / "adapter_config.json", r=4),
        r"adapter_config.json says rank 4, the weights \[8\]",
    ),
    "adapter of another kind": (
        lambda f: edit(f / "speech-lora" / "adapter_config.json", peft_type="IA3"),
        "holds a IA3 adapter; expected LORA or ADALORA",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_folder_is_refused_in_one_sentence(case: str, folder: Path) -> None:
    spoil, message = SPOILT[case]
    spoil(folder)
    with pytest.raises(ConfigError, match=message) as caught:
        load_model(folder, adapter=SPEECH)
    assert "\n" not in str(caught.value)


def test_without_the_speech_adapter_a_fresh_one_does(folder: Path) -> None:
    shutil.rmtree(folder / "speech-lora")
    report = trainable(load_model(folder, adapter=AdapterConfig(start="fresh", rank=2)))
    assert report.learns == report.parts["adapter"][1] > 0


def test_the_remote_layout_needs_no_adapter_folder(tmp_path: Path) -> None:
    """Its adapters lie among the weights as well."""
    copy = Path(shutil.copytree(released("released"), tmp_path / "model"))
    beside = open_checkpoint(copy).speech()
    shutil.rmtree(copy / "speech-lora")
    inside = open_checkpoint(copy).speech()
    assert beside is not None
    assert inside is not None
    assert (inside.rank, inside.alpha, inside.scale) == (beside.rank, beside.alpha, beside.scale)
    assert all(torch.equal(inside.b[name], beside.b[name]) for name in beside.b)


def test_a_remote_configuration_without_its_audio_part_is_refused(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(released("released"), tmp_path / "model"))
    edit(copy / "config.json", audio_processor=None)
    with pytest.raises(ConfigError, match="remote-code layout lacks 'audio_processor'"):
        load_model(copy, adapter=SPEECH)


@pytest.mark.parametrize(("package", "regime"), [("peft", "lora"), ("bitsandbytes", "qlora")])
def test_a_missing_extra_is_named(package: str, regime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return usual(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed.*elocute\[phi4\]"):
        load_model(released(), regime=regime, adapter=FRESH)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, "adapter.rank is 0; expected a whole number from 1 on"),
        ({"rank": 2.5}, "adapter.rank is 2.5"),
        ({"rank_pattern": {"o_proj": -1}, "start": "fresh"}, r"rank_pattern\['o_proj'\] is -1"),
        ({"alpha": 0.0}, "adapter.alpha is 0.0; expected a number above 0"),
        ({"alpha": float("nan")}, "adapter.alpha is nan"),
        ({"dropout": 1.0}, "adapter.dropout is 1.0"),
        ({"start": "cold"}, "adapter.start is 'cold'; expected one of speech, merged, fresh"),
        ({"method": "ia3"}, "adapter.method is 'ia3'; expected one of lora, eva, adalora"),
        ({"method": "eva"}, "goes on as plain LoRA"),
        ({"rslora": True}, "take away rank_pattern and rslora"),
        ({"method": "adalora", "start": "fresh"}, "must know how many updates follow"),
        ({"method": "adalora", "start": "fresh", "updates": 99, "first_rank": 8}, "first_rank is 8; expected at least"),
        ({"method": "adalora", "start": "fresh", "updates": 99, "rslora": True}, "take away rslora"),
        ({"eva_rho": 0.5}, "eva_rho is 0.5; expected at least 1"),
    ],
)
def test_adapter_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AdapterConfig(**settings)


def test_a_tuned_model_knows_its_base(tmp_path: Path) -> None:
    other = write_released_layout(tmp_path / "other", seed=2, rank=RANK)
    base = Path(shutil.copytree(released(), tmp_path / "base"))
    tuned = save_tuned(load_model(base, adapter=FRESH), tmp_path / "tuned")
    with pytest.raises(ConfigError, match=f"was trained on other weights than {other} holds"):
        load_tuned(tuned, other)
    load_tuned(tuned)
    # Moved, it is asked for, and known again by what it holds.
    moved = base.rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match="which is not there; say where its base model is now"):
        load_tuned(tuned)
    load_tuned(tuned, moved)
    with pytest.raises(ConfigError, match="was saved with adapter .*rank=4.*; the model has .*rank=2"):
        restore(load_model(moved, adapter=AdapterConfig(rank=2, start="merged")), tuned)
    edit(tuned / "tuned.json", version=9)
    with pytest.raises(ConfigError, match="has version 9; this elocute reads 1"):
        load_tuned(tuned, moved)
    with pytest.raises(ConfigError, match=r"has no tuned.json; expected a folder that `elocute train phi4` wrote"):
        load_tuned(moved)


def test_a_base_is_found_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(released().parent)
    tuned = save_tuned(load_model(released().name, adapter=FRESH), tmp_path / "tuned")
    monkeypatch.chdir(tmp_path)
    load_tuned(tuned)


def test_wrapped_models_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ElocuteError, match="DataParallel was not loaded by load_model or is still wrapped"):
        save_tuned(torch.nn.DataParallel(torch.nn.Linear(1, 1)), tmp_path / "tuned")


def test_random_weights_depend_on_seed_and_name_alone() -> None:
    source = random_source("tiny", seed=3, processor=released(), speech_rank=RANK)
    name, shape = "model.layers.1.mlp.down_proj.weight", (64, 64)
    first = source.read(name, shape, "cpu")
    source.read("model.layers.0.mlp.down_proj.weight", shape, "cpu")
    assert torch.equal(source.read(name, shape, "cpu"), first)
    other = random_source("tiny", seed=4, processor=released(), speech_rank=RANK)
    assert not torch.equal(other.read(name, shape, "cpu"), first)
    assert other.fingerprint() != source.fingerprint()


def test_vision_is_never_read() -> None:
    class Watched:
        """A source that remembers what was asked of it."""

        def __init__(self) -> None:
            self.inner, self.asked = open_checkpoint(released()), set[str]()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def read(self, name: str, shape: tuple[int, ...], device: Any) -> Any:
            self.asked.add(name)
            return self.inner.read(name, shape, device)

    source = Watched()
    load_model(source, adapter=SPEECH)  # type: ignore[arg-type]
    assert {"model.embed_tokens.weight", f"{AUDIO}up_proj_for_speech.bias"} < source.asked
    assert not [name for name in source.asked if "image" in name or "vision" in name]


def test_a_small_model_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    made = build_random("tiny", tmp_path / "made", seed=5)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    report = trainable(load_model(made, regime="scratch", dtype="float32"))
    assert report.learns == report.every
    assert report.parts["language model"][0] > 0
    with pytest.raises(ConfigError, match="exists and is not empty"):
        build_random("tiny", made)
    with pytest.raises(ConfigError, match="would write 11 GB"):
        build_random("full", tmp_path / "full")
    with pytest.raises(ConfigError, match="size is 'huge'; expected one of tiny, small, full"):
        configuration("huge")  # type: ignore[arg-type]


def test_an_adapter_of_rank_stabilised_lora_has_its_scale(folder: Path) -> None:
    plain = read_adapter(folder / "speech-lora")
    edit(folder / "speech-lora" / "adapter_config.json", use_rslora=True, alpha_pattern={r"1\.mlp\.down_proj": 4})
    changed = read_adapter(folder / "speech-lora")
    name = "model.layers.0.mlp.down_proj"
    assert plain.scale[name] == 2 * RANK / RANK
    assert changed.scale[name] == pytest.approx(2 * RANK / RANK**0.5)
    assert changed.scale["model.layers.1.mlp.down_proj"] == pytest.approx(4 / RANK**0.5)
