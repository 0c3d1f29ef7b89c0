"""Files and folders that appear whole or not at all, and weights in files of a bearable size."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elocute.errors import ConfigError
from elocute.mllm.weights import INDEX, SINGLE

if TYPE_CHECKING:
    from torch import Tensor


def write_shards(folder: Path, tensors: Mapping[str, Tensor], *, most_bytes: int) -> None:
    """Weights under the file names of transformers: one file, or several with an index.

    Args:
        folder: where they go.
        tensors: by name, on the CPU and contiguous.
        most_bytes: of a file, unless one tensor alone has more.
    """
    from safetensors.torch import save_file

    shards: list[dict[str, Tensor]] = [{}]
    held = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        if shards[-1] and held + size > most_bytes:
            shards.append({})
            held = 0
        shards[-1][name] = tensor
        held += size
    count = len(shards)
    files = [SINGLE] if count == 1 else [f"model-{n:05d}-of-{count:05d}.safetensors" for n in range(1, count + 1)]
    for file, shard in zip(files, shards, strict=True):
        save_file(shard, str(folder / file), metadata={"format": "pt"})
    if count > 1:
        total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        places = {name: file for file, shard in zip(files, shards, strict=True) for name in shard}
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": places})


def write_json(path: Path, table: Mapping[str, Any]) -> None:
    """A table as JSON, in one step."""
    write_text(path, json.dumps(table, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """A file in one step."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def part_of(folder: Path) -> Path:
    """An empty folder beside one that is to be made."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} exists and is not empty; name a new folder")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def finish(part: Path, folder: Path) -> Path:
    """Give a finished folder its name."""
    if folder.exists():
        folder.rmdir()
    os.replace(part, folder)
    return folder
