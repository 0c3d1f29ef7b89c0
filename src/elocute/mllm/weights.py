"""Where weights come from, one tensor at a time: a folder in either layout, or a random generator.

Reading by tensor keeps memory at the size of the model: what is dropped is never read, what is merged or quantised
becomes so before the next tensor comes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from elocute.assets import read_object
from elocute.errors import ConfigError
from elocute.mllm.layout import NATIVE, REMOTE, SPEECH_FOLDER, is_dropped, native_config, native_table, remote_name

if TYPE_CHECKING:
    from torch import Tensor

    from elocute.mllm.low_rank import LowRank

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"


class Source(Protocol):
    """Weights of a Phi-4-multimodal under their native names."""

    @property
    def place(self) -> str:
        """What to call it in messages."""

    def config(self) -> Any:
        """A Phi4MultimodalConfig."""

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """ConfigError unless every one of these weights is there in its shape."""

    def read(self, name: str, shape: tuple[int, ...], device: Any) -> Tensor:
        """One weight."""

    def speech(self) -> LowRank | None:
        """The speech adapter, where there is one."""

    def fingerprint(self) -> str:
        """Tells these weights from others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A folder with weights, in the native or the remote-code layout.

    Attributes:
        folder: as users download it.
        table: its config.json.
        shards: file of every weight, by the name in the file.
        shapes: shape of every weight, likewise.
    """

    folder: Path
    table: Mapping[str, Any]
    shards: Mapping[str, Path]
    shapes: Mapping[str, tuple[int, ...]]
    _open: dict[Path, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """What to call it in messages."""
        return str(self.folder)

    @property
    def is_remote(self) -> bool:
        """Whether names are those of the remote-code layout."""
        return bool(self.table["model_type"] == REMOTE)

    def config(self) -> Any:
        """The configuration, native whatever the layout."""
        return native_config(native_table(self.table) if self.is_remote else self.table)

    def stored_name(self, name: str) -> str:
        """What the files call a weight."""
        if self.is_remote:
            renamed = remote_name(name)
            return renamed if renamed in self.shards else renamed.replace(".base_layer.", ".")
        return name

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """ConfigError unless every one of these weights is there in its shape."""
        absent = [name for name in shapes if self.stored_name(name) not in self.shapes]
        if absent:
            raise ConfigError(
                f"{self.folder} lacks {len(absent)} weights, first {absent[0]}; expected all {len(shapes)} of "
                "Phi-4-multimodal's language model and audio encoder, so fetch it again"
            )
        for name, shape in shapes.items():
            stored = self.shapes[self.stored_name(name)]
            if stored != shape:
                raise ConfigError(
                    f"{self.folder}: {name} has shape {stored}, and by config.json {shape}; the files do not belong "
                    "together, so fetch them again"
                )

    def read(self, name: str, shape: tuple[int, ...], device: Any) -> Tensor:
        """One weight, on a device."""
        from safetensors import safe_open

        stored = self.stored_name(name)
        path = self.shards[stored]
        if path not in self._open:
            self._open[path] = safe_open(str(path), framework="pt", device=str(device))
        tensor: Tensor = self._open[path].get_tensor(stored)
        return tensor

    def speech(self) -> LowRank | None:
        """The speech adapter: from its folder, else (remote-code layout) from among the weights."""
        from elocute.mllm.low_rank import low_rank, read_adapter

        folder = self.folder / SPEECH_FOLDER
        if folder.is_dir():
            return read_adapter(folder)
        inside = [name for name in self.shards if ".lora_A.speech." in name or ".lora_B.speech." in name]
        if not inside or "speech_lora" not in self.table:
            return None
        settings = self.table["speech_lora"]
        config = {
            "peft_type": "LORA",
            "r": settings["r"],
            "lora_alpha": settings["lora_alpha"],
            "lora_dropout": settings.get("dp", 0.0),
        }
        tensors = {}
        for name in inside:
            with _whole(self.shards[name]) as handle:
                tensors[name] = handle.get_tensor(name)
        return low_rank(tensors, config, place=f"{self.folder} (speech adapter)")

    def fingerprint(self) -> str:
        """Says whether two folders hold the same weights, without reading them all: headers and samples of bytes."""
        digest = hashlib.sha256()
        for path in sorted(set(self.shards.values())):
            size = path.stat().st_size
            digest.update(f"{path.name} {size}\n".encode())
            with path.open("rb") as file:
                for start in range(0, size, max(1, size // 64)):
                    file.seek(start)
                    digest.update(file.read(512))
        return digest.hexdigest()[:16]


def open_checkpoint(folder: Path | str) -> Checkpoint:
    """A folder with weights, every file of which was looked at.

    Raises:
        ConfigError: it is no folder of Phi-4-multimodal, or a file is missing, cut off or only a pointer to one.
    """
    folder = Path(folder).absolute()  # what is tuned remembers it, and may be used from elsewhere
    if not folder.is_dir():
        raise ConfigError(
            f"no folder {folder}; expected that of Phi-4-multimodal-instruct, fetched from its repository"
        )
    table = read_object(folder / "config.json")
    kind = table.get("model_type")
    if kind not in (NATIVE, REMOTE):
        raise ConfigError(
            f"{folder}/config.json has model_type {kind!r}; expected {NATIVE!r}, or {REMOTE!r} (remote code)"
        )
    if "quantization_config" in table:
        raise ConfigError(
            f"{folder} is already quantised; give the folder of the model in bf16, it is quantised on loading"
        )
    shards: dict[str, Path] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for path in _files(folder):
        for name, shape in tensor_shapes(path).items():
            shards[name], shapes[name] = path, shape
    return Checkpoint(folder=folder, table=table, shards=shards, shapes=shapes)


def _files(folder: Path) -> list[Path]:
    """The weight files: those that the index names, or the only one."""
    if not (folder / INDEX).is_file():
        if not (folder / SINGLE).is_file():
            raise ConfigError(f"{folder} has neither {INDEX} nor {SINGLE}; fetch the weights, too")
        return [folder / SINGLE]
    mapping = read_object(folder / INDEX).get("weight_map")
    if not isinstance(mapping, dict) or not mapping:
        raise ConfigError(f"{folder}/{INDEX} has no weight_map; fetch it again")
    names = sorted(set(mapping.values()))
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise ConfigError(
            f"{folder} lacks {', '.join(absent)} of {len(names)} weight files that its index names; fetch them"
        )
    return [folder / name for name in names]


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors of a file of safetensors, from its header.

    Raises:
        ConfigError: the file is missing, a pointer of Git LFS, cut off, or of another kind.
    """
    with _whole(path) as handle:
        return {name: tuple(handle.get_slice(name).get_shape()) for name in handle.keys()}  # noqa: SIM118 (no mapping)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a small file of safetensors.

    Raises:
        ConfigError: as `tensor_shapes`.
    """
    with _whole(path) as handle:
        return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (no mapping)


@contextmanager
def _whole(path: Path) -> Iterator[Any]:
    """An open file of safetensors."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ConfigError(f"no file {path}; fetch it")
    with path.open("rb") as file:
        if file.read(24).startswith(b"version https://git-lfs"):
            raise ConfigError(
                f"{path} is only a pointer of Git LFS, {path.stat().st_size} bytes; run 'git lfs pull' there"
            )
    try:
        with safe_open(str(path), framework="pt") as handle:
            yield handle
    except SafetensorError as error:
        raise ConfigError(f"{path} is cut off or no safetensors file ({error}); fetch it again") from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomWeights:
    """Random weights of a given configuration, drawn on the device where they will stay.

    Attributes:
        settings: a Phi4MultimodalConfig.
        seed: of all draws; each tensor has a generator of its own, so that leaving some out changes no other.
        speech_rank: of the random stand-in for the released speech adapter; 0 is none.
    """

    settings: Any
    seed: int = 1
    speech_rank: int = 0

    @property
    def place(self) -> str:
        """What to call it in messages."""
        return "random weights"

    def config(self) -> Any:
        """A copy of the configuration."""
        return native_config(self.settings.to_dict())

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Nothing is ever missing."""

    def read(self, name: str, shape: tuple[int, ...], device: Any) -> Tensor:
        """One weight.

        Matrices have the variance that keeps a layer's output as large as its input (He et al. 2015, where a ReLU
        follows), those that add to the residual stream less, by the number of layers (GPT-2); biases are 0, scales 1.
        """
        import torch

        if name.endswith(("norm.weight", "norm_att.weight", "global_invstd")):
            return torch.ones(shape, device=device)
        if name.endswith((".bias", ".b1", ".b2", "global_mean", "img_feature_extensor")):
            return torch.zeros(shape, device=device)
        text = self.settings
        if name.endswith(("embed_tokens.weight", "bias_values.weight", "lm_head.weight")):
            deviation = text.initializer_range
        else:
            deviation = math.prod(shape[1:]) ** -0.5 * (math.sqrt(2) if ".embed.conv." in name else 1.0)
        if name.startswith("model.layers.") and name.endswith(("o_proj.weight", "down_proj.weight")):
            deviation /= math.sqrt(2 * text.num_hidden_layers)
        return self._normal(name, shape, deviation, device)

    def speech(self) -> LowRank | None:
        """A random adapter in the place of the released one, which is small beside the weights."""
        from elocute.mllm.low_rank import LowRank

        if not self.speech_rank:
            return None
        rank, a, b = self.speech_rank, {}, {}
        for module, (d_out, d_in) in language_linears(self.settings).items():
            a[module] = self._normal(f"{module} A", (rank, d_in), d_in**-0.5, _likely_device())
            b[module] = self._normal(f"{module} B", (d_out, rank), 0.1 * rank**-0.5, _likely_device())
        return LowRank(rank=rank, alpha=2.0 * rank, dropout=0.01, a=a, b=b, scale=dict.fromkeys(a, 2.0))

    def fingerprint(self) -> str:
        """Tells these weights from others: what they are drawn from."""
        settings = self.settings.to_json_string(use_diff=False)
        return hashlib.sha256(f"{self.seed} {self.speech_rank} {settings}".encode()).hexdigest()[:16]

    def _normal(self, name: str, shape: tuple[int, ...], deviation: float, device: Any) -> Tensor:
        """Normal deviates that depend on seed and name alone (and on the kind of device)."""
        import torch

        seed = int.from_bytes(hashlib.sha256(f"{self.seed} {name}".encode()).digest()[:8], "little") >> 1
        generator = torch.Generator(device=device).manual_seed(seed)
        return torch.empty(shape, device=device).normal_(0.0, deviation, generator=generator)


def _likely_device() -> str:
    """Where random adapters are drawn: the GPU, where there is one, else they would take a minute."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def language_linears(config: Any) -> dict[str, tuple[int, int]]:
    """Shapes (d_out, d_in) of the linears of the language model, by module name."""
    hidden, head = config.hidden_size, config.hidden_size // config.num_attention_heads
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    shapes = {
        "self_attn.qkv_proj": (queries + 2 * keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_up_proj": (2 * config.intermediate_size, hidden),
        "mlp.down_proj": (hidden, config.intermediate_size),
    }
    return {
        f"model.layers.{layer}.{name}": shape
        for layer in range(config.num_hidden_layers)
        for name, shape in shapes.items()
    }


def kept(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Without what speech never runs."""
    return {name: shape for name, shape in shapes.items() if not is_dropped(name)}
