"""What a training leaves: a small folder with the adapter and what else learned, which knows on what it stands.

adapter_config.json, adapter_model.safetensors   the adapter, as peft and other programs read it
audio.safetensors                                audio encoder and projector, where they learned
config.json, model*.safetensors, ...             in place of both, the whole model, where all of it learned
tuned.json                                       regime, settings, and which weights it belongs to
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elocute.assets import read_object
from elocute.errors import ConfigError
from elocute.mllm.adapters import NAME, AdapterConfig
from elocute.mllm.assembling import audio_of
from elocute.mllm.layout import AUDIO
from elocute.mllm.weights import read_tensors
from elocute.mllm.writing import write_json, write_shards

if TYPE_CHECKING:
    from torch import Tensor

FILE = "tuned.json"
ADAPTER, AUDIO_FILE = "adapter_model.safetensors", "audio.safetensors"
VERSION = 1
SHARD_BYTES = 5 * 10**9
# What a whole model needs beside its weights, and adapters find in the folder of their base.
_PROCESSOR_FILES = (
    "added_tokens.json", "chat_template.jinja", "generation_config.json", "merges.txt", "preprocessor_config.json",
    "processor_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How a model was loaded, and so what must be saved of it.

    Attributes:
        regime: of `load_model`.
        adapter: its settings; None without one.
        base: folder (or other source) of the weights beneath.
        fingerprint: of these weights.
    """

    regime: str
    adapter: AdapterConfig | None
    base: str
    fingerprint: str


def tuning_of(model: Any) -> Tuning:
    """How a model was loaded.

    Raises:
        ConfigError: `load_model` did not load it.
    """
    found = getattr(model, "elocute_tuning", None)
    if not isinstance(found, Tuning):
        raise ConfigError(
            f"this {type(model).__name__} was not loaded by load_model or is still wrapped; unwrap it "
            "(accelerator.unwrap_model) before saving"
        )
    return found


def save_tuned(model: Any, folder: Path | str, *, state: Mapping[str, Tensor] | None = None) -> Path:
    """Write what learned; the folder takes its name when it is whole, over an older one of the same name.

    Args:
        model: from `load_model`, unwrapped.
        folder: to make.
        state: the model's state dict, where the model cannot give it itself because it lies in parts on several
            devices (FSDP).

    Raises:
        ConfigError: the folder holds something else.
    """
    tuning = tuning_of(model)
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / FILE).is_file():
        raise ConfigError(f"{folder} is not empty and no tuned model; name another folder")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    if tuning.adapter is None or tuning.regime == "full":
        _write_whole(model, part, tuning, state)
    else:
        _write_adapter(model, part, state)
        if tuning.regime in ("unfreeze", "hybrid"):
            _write_audio(model, part, state)
    table = {
        "version": VERSION,
        "regime": tuning.regime,
        "adapter": None if tuning.adapter is None else tuning.adapter.table(),
        "base": tuning.base,
        "base_fingerprint": tuning.fingerprint,
        "kept": _kept(model),
    }
    write_json(part / FILE, table)
    old = folder.with_name(f"{folder.name}.old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(folder, old)
    os.replace(part, folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def read_tuning(folder: Path) -> Tuning:
    """What `tuned.json` says.

    Raises:
        ConfigError: there is none, or it is of another version.
    """
    if not (folder / FILE).is_file():
        raise ConfigError(f"{folder} has no {FILE}; expected a folder that `elocute train phi4` wrote")
    table = read_object(folder / FILE)
    if table.get("version") != VERSION:
        raise ConfigError(f"{folder}/{FILE} has version {table.get('version')!r}; this elocute reads {VERSION}")
    adapter = table["adapter"]
    return Tuning(
        regime=table["regime"],
        adapter=None if adapter is None else AdapterConfig(**adapter),
        base=table["base"],
        fingerprint=table["base_fingerprint"],
    )


def restore(model: Any, folder: Path | str) -> None:
    """Put what was saved back into a model that was loaded with the same settings, for instance to resume.

    Raises:
        ConfigError: the folder is of another regime, other settings or another base.
    """
    import torch

    folder = Path(folder)
    here, there = tuning_of(model), read_tuning(folder)
    for name in ("regime", "adapter", "fingerprint"):
        ours, theirs = getattr(here, name), getattr(there, name)
        if ours != theirs:
            raise ConfigError(
                f"{folder} was saved with {name} {theirs}; the model has {ours}; load it with the same settings"
            )
    if there.adapter is None or there.regime == "full":
        tensors: dict[str, Any] = {}
        for path in sorted(folder.glob("model*.safetensors")):
            tensors |= read_tensors(path)
        _fill(model, tensors, folder)
        return
    fill_adapter(model, folder)
    if is_adalora(model.peft_config[NAME]):
        model.peft_config[NAME].rank_pattern = read_object(folder / FILE)["kept"]
    if there.regime in ("unfreeze", "hybrid"):
        with torch.no_grad():
            fill_audio(model, folder)


def fill_adapter(model: Any, folder: Path) -> None:
    """The saved adapter's tensors into the attached one.

    Raises:
        ConfigError: they do not fit.
    """
    from peft import set_peft_model_state_dict

    config = model.peft_config[NAME]
    if is_adalora(config):
        config.rank_pattern = None  # else peft would cut modules to it, and files hold them whole
    result: Any = set_peft_model_state_dict(model, read_tensors(folder / ADAPTER), adapter_name=NAME)
    absent = [name for name in result.missing_keys if ".lora_" in name]
    if absent or result.unexpected_keys:
        raise ConfigError(
            f"{folder}/{ADAPTER} does not fit the model, first {(absent + list(result.unexpected_keys))[0]}"
        )


def fill_audio(model: Any, folder: Path) -> None:
    """The saved audio encoder and projector into the model."""
    _fill(audio_of(model), {k.removeprefix(AUDIO): v for k, v in read_tensors(folder / AUDIO_FILE).items()}, folder)


def _fill(module: Any, tensors: Mapping[str, Any], folder: Path) -> None:
    """Every one of these tensors into a module, and none else."""
    import torch

    held = {name: tensor for name, tensor in module.state_dict().items() if name != "lm_head.weight"}
    other = sorted(held.keys() ^ (tensors.keys() - {"lm_head.weight"}))
    if other:
        raise ConfigError(
            f"{folder} and the model differ in {len(other)} weights, first {other[0]}; it belongs to another"
        )
    with torch.no_grad():
        for name, tensor in held.items():
            if tensor.shape != tensors[name].shape:
                raise ConfigError(
                    f"{folder}: {name} has shape {tuple(tensors[name].shape)}; the model needs {tuple(tensor.shape)}"
                )
            tensor.copy_(tensors[name])


def is_adalora(config: Any) -> bool:
    """Whether a configuration of peft is of AdaLoRA."""
    return str(getattr(config.peft_type, "value", config.peft_type)) == "ADALORA"


def _kept(model: Any) -> Any:
    """Which directions AdaLoRA has kept, once it has decided; None for others."""
    config = getattr(model, "peft_config", {}).get(NAME)
    return config.rank_pattern if config is not None and is_adalora(config) else None


def _write_adapter(model: Any, folder: Path, state: Mapping[str, Tensor] | None) -> None:
    """The adapter, as peft writes it."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    config = model.peft_config[NAME]
    was = config.inference_mode, config.rank_pattern
    config.inference_mode = True
    if is_adalora(config):
        # Otherwise peft would cut off what is pruned, which can leave nothing of a module, and what was cut off could
        # not be trained on. Pruned directions are zeros, and change nothing.
        config.rank_pattern = None
    try:
        tensors = get_peft_model_state_dict(model, state_dict=state, adapter_name=NAME, save_embedding_layers=False)
        tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
        save_file(tensors, str(folder / ADAPTER), metadata={"format": "pt"})
        config.save_pretrained(str(folder))
    finally:
        config.inference_mode, config.rank_pattern = was


def _write_audio(model: Any, folder: Path, state: Mapping[str, Tensor] | None) -> None:
    """Audio encoder and projector under their names in the whole model."""
    from safetensors.torch import save_file

    if state is None:
        tensors = {f"{AUDIO}{name}": tensor for name, tensor in audio_of(model).state_dict().items()}
    else:
        tensors = {name[name.index(AUDIO) :]: tensor for name, tensor in state.items() if AUDIO in name}
    tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    save_file(tensors, str(folder / AUDIO_FILE), metadata={"format": "pt"})


def _write_whole(model: Any, folder: Path, tuning: Tuning, state: Mapping[str, Tensor] | None) -> None:
    """The model in the files of transformers, with the base's tokenizer and processor beside it."""
    tensors = {
        name: tensor.detach().to("cpu").contiguous()
        for name, tensor in (model.state_dict() if state is None else state).items()
        if name != "lm_head.weight" or not model.config.tie_word_embeddings
    }
    write_shards(folder, tensors, most_bytes=SHARD_BYTES)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(str(folder))
    model.generation_config.save_pretrained(str(folder))
    base = Path(tuning.base)
    for name in _PROCESSOR_FILES:
        if (base / name).is_file() and not (folder / name).exists():
            shutil.copyfile(base / name, folder / name)
