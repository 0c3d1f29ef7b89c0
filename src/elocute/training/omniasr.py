"""omniASR's CTC checkpoints (fairseq2) as `Wav2Vec2ForCTC` of transformers.

Both are wav2vec 2.0 with layer norm in every convolution and before every layer (Baevski et al. 2020); only the names
of the weights differ. Omnilingual ASR: arXiv 2511.09690, Apache-2.0.

Deviates: fairseq2's pipeline adds 1e-5 to the variance of a recording that it normalises, transformers' feature
extractor 1e-7; a recording of -60 dB of full scale comes out 7 times louder here, one of -30 dB 0.5 %.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elocute.errors import ConfigError

HEADS = 16
"""Attention heads of every published size, 300M to 7B; the weights do not tell."""
SHARD_BYTES = 2 * 1024**3
_KERNELS = (10, 3, 3, 3, 3, 2, 2)
_STRIDES = (5, 2, 2, 2, 2, 2, 2)

_RENAMED = (
    (
        r"encoder_frontend\.feature_extractor\.layers\.(\d+)\.(conv|layer_norm)",
        r"wav2vec2.feature_extractor.conv_layers.\1.\2",
    ),
    (r"encoder_frontend\.post_extract_layer_norm", r"wav2vec2.feature_projection.layer_norm"),
    (r"encoder_frontend\.model_dim_proj", r"wav2vec2.feature_projection.projection"),
    (r"encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj", r"wav2vec2.encoder.layers.\1.attention.\2_proj"),
    (r"encoder\.layers\.(\d+)\.self_attn\.output_proj", r"wav2vec2.encoder.layers.\1.attention.out_proj"),
    (r"encoder\.layers\.(\d+)\.self_attn_layer_norm", r"wav2vec2.encoder.layers.\1.layer_norm"),
    (r"encoder\.layers\.(\d+)\.ffn\.inner_proj", r"wav2vec2.encoder.layers.\1.feed_forward.intermediate_dense"),
    (r"encoder\.layers\.(\d+)\.ffn\.output_proj", r"wav2vec2.encoder.layers.\1.feed_forward.output_dense"),
    (r"encoder\.layers\.(\d+)\.ffn_layer_norm", r"wav2vec2.encoder.layers.\1.final_layer_norm"),
    (r"encoder\.layer_norm", r"wav2vec2.encoder.layer_norm"),
    (r"final_proj", r"lm_head"),
)
_POSITION = "encoder_frontend.pos_encoder.conv"
_THERE = "wav2vec2.encoder.pos_conv_embed.conv"
_WHOLE = {
    f"{_POSITION}.bias": f"{_THERE}.bias",
    f"{_POSITION}.weight_g": f"{_THERE}.parametrizations.weight.original0",
    f"{_POSITION}.weight_v": f"{_THERE}.parametrizations.weight.original1",
    f"{_POSITION}.parametrizations.weight.original0": f"{_THERE}.parametrizations.weight.original0",
    f"{_POSITION}.parametrizations.weight.original1": f"{_THERE}.parametrizations.weight.original1",
    "masker.temporal_mask_embed": "wav2vec2.masked_spec_embed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was written.

    Attributes:
        parameters: their number.
        dtypes: of the weights, as in the checkpoint.
        shards: files of weights.
        hidden_size: width of the encoder.
        layers: its layers.
        vocab_size: labels of the head.
        has_labels: whether a vocabulary was written.
    """

    parameters: int
    dtypes: tuple[str, ...]
    shards: int
    hidden_size: int
    layers: int
    vocab_size: int
    has_labels: bool


def new_name(name: str) -> str | None:
    """The name in `Wav2Vec2ForCTC` of a weight of fairseq2; None if there is none."""
    if name in _WHOLE:
        return _WHOLE[name]
    stem, dot, kind = name.rpartition(".")
    if dot and kind in ("weight", "bias"):
        for old, new in _RENAMED:
            if (match := re.fullmatch(old, stem)) is not None:
                return f"{match.expand(new)}.{kind}"
    return None


def convert_omniasr(
    checkpoint: Path,
    out: Path,
    *,
    tokenizer: Path | None = None,
    heads: int = HEADS,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Write a folder that `Wav2Vec2ForCTC.from_pretrained` loads; types of numbers are kept.

    The checkpoint is mapped, not read: no more than a file of weights is in memory at a time. The folder takes its name
    when it is whole.

    Args:
        checkpoint: `.pt` file of a CTC model, or of its state dictionary.
        out: folder that does not exist yet.
        tokenizer: SentencePiece `.model`, or lines of label and number; None writes no vocabulary, which only
            fine-tuning to a new head can do without.
        heads: of the attention.
        shard_bytes: most bytes of weights in one file; more only for a single weight that is larger.
        progress: called with weights written and their number.

    Raises:
        ConfigError: the checkpoint cannot be read, is of another model, has weights that nobody knows or lacks some.
    """
    if out.exists():
        raise ConfigError(f"{out} exists already; give a new folder")
    weights = _read(checkpoint)
    config = _config(weights, heads, checkpoint)
    named = _renamed(weights, config, checkpoint)
    labels = None if tokenizer is None else read_tokenizer(tokenizer)
    if labels is not None and len(labels) != config.vocab_size:
        raise ConfigError(
            f"{tokenizer} has {len(labels)} labels, the head of {checkpoint} {config.vocab_size}; give the model's own"
        )
    part = out.with_name(f".{out.name}.writing")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shards = _write_weights(named, part, shard_bytes, progress)
    _write_facts(config, labels, part)
    os.replace(part, out)
    return Converted(
        parameters=sum(value.numel() for value in named.values()),
        dtypes=tuple(sorted({str(value.dtype).removeprefix("torch.") for value in named.values()})),
        shards=shards,
        hidden_size=config.hidden_size,
        layers=config.num_hidden_layers,
        vocab_size=config.vocab_size,
        has_labels=labels is not None,
    )


def read_tokenizer(path: Path) -> list[str]:
    """Labels in the order of their numbers, from a SentencePiece model or from lines of a label and its number.

    Raises:
        ConfigError: it is neither, or numbers are left out.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; expected a tokenizer") from error
    if path.suffix == ".model":
        return _pieces(data, path)
    try:
        rows = [line.rsplit(maxsplit=1) for line in data.decode("utf-8").split("\n") if line.strip()]
        # A line with one field only is the number of the space itself.
        table = {int(row[-1]): row[0] if len(row) == 2 else " " for row in rows}
    except ValueError as error:  # no UTF-8, no number
        raise ConfigError(f"{path} is no list of labels and numbers: {error}; expected lines such as `a 17`") from error
    if sorted(table) != list(range(len(rows))):
        raise ConfigError(f"{path} does not number its {len(rows)} labels from 0 on; expected every number once")
    return [table[number] for number in range(len(rows))]


def _read(path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint, mapped where its format allows it."""
    if not path.is_file():
        raise ConfigError(f"{path} not found; expected a checkpoint of fairseq2")
    try:
        try:
            loaded: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, _unpickling_error()) as error:
        first = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"{path} cannot be read: {first}; expected a checkpoint of fairseq2 with weights alone"
        ) from error
    inner = loaded.get("model", loaded) if isinstance(loaded, dict) else None
    if not isinstance(inner, dict) or not inner or not all(isinstance(value, Tensor) for value in inner.values()):
        raise ConfigError(
            f"{path} holds no dictionary of weights, nor one under 'model'; expected a checkpoint of fairseq2"
        )
    return inner


def _unpickling_error() -> type[Exception]:
    import pickle

    return pickle.UnpicklingError


def _config(weights: Mapping[str, Tensor], heads: int, source: Path) -> Any:
    """The configuration, as far as possible from the shapes of the weights."""
    from transformers import Wav2Vec2Config

    def shape(name: str) -> tuple[int, ...]:
        if name not in weights:
            raise ConfigError(
                f"{source} lacks {name}; expected a CTC model of omniASR, not its encoder alone (W2V) or one with a "
                "language model (LLM)"
            )
        return tuple(weights[name].shape)

    numbers = (re.match(r"encoder\.layers\.(\d+)\.", name) for name in weights)
    layers = 1 + max((int(match[1]) for match in numbers if match), default=-1)
    vocabulary, hidden = shape("final_proj.weight")
    spelt = (f"{_POSITION}.weight_v", f"{_POSITION}.parametrizations.weight.original1")
    _, width, kernel = shape(next((name for name in spelt if name in weights), spelt[0]))
    convolutions = [
        shape(f"encoder_frontend.feature_extractor.layers.{index}.conv.weight") for index in range(len(_KERNELS))
    ]
    kernels = tuple(size for _, _, size in convolutions)
    if kernels != _KERNELS:
        raise ConfigError(f"{source} has convolutions of widths {kernels}; expected {_KERNELS}, as in every omniASR")
    if hidden % heads:
        raise ConfigError(f"{source} is {hidden} wide, which {heads} heads do not divide; give its number of heads")
    return Wav2Vec2Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=shape("encoder.layers.0.ffn.inner_proj.weight")[0],
        conv_dim=[size for size, _, _ in convolutions],
        conv_kernel=list(_KERNELS),
        conv_stride=list(_STRIDES),
        conv_bias=True,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=kernel,
        num_conv_pos_embedding_groups=hidden // width,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.1,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.1,
        # The embedding of masked frames exists only where masks are possible.
        mask_time_prob=0.05 if "masker.temporal_mask_embed" in weights else 0.0,
        pad_token_id=0,  # fairseq2's CTC loss takes column 0 as blank
        bos_token_id=None,
        eos_token_id=None,
        architectures=["Wav2Vec2ForCTC"],
    )  # fmt: skip


def _renamed(weights: Mapping[str, Tensor], config: Any, source: Path) -> dict[str, Tensor]:
    """The weights under their new names; every one accounted for, by name and shape."""
    from transformers import Wav2Vec2ForCTC

    names = {old: new_name(old) for old in weights}
    unknown = sorted(old for old, new in names.items() if new is None)
    if unknown:
        raise ConfigError(f"{source} has {len(unknown)} weights that a CTC model has not: {', '.join(unknown)}")
    named = {str(new): weights[old] for old, new in names.items()}
    with torch.device("meta"):
        expected = Wav2Vec2ForCTC(config).state_dict()
    missing = sorted(expected.keys() - named.keys())
    if missing or len(named) != len(names):
        raise ConfigError(f"{source} lacks {len(missing)} weights: {', '.join(missing) or 'two have one name'}")
    beyond = sorted(named.keys() - expected.keys())
    if beyond:
        raise ConfigError(f"{source} has {len(beyond)} weights too many for its size: {', '.join(beyond)}")
    wrong = [name for name, value in named.items() if value.shape != expected[name].shape]
    if wrong:
        name = wrong[0]
        raise ConfigError(
            f"{source} has {len(wrong)} weights of another shape, first {name}: {tuple(named[name].shape)}, expected "
            f"{tuple(expected[name].shape)}"
        )
    return {name: named[name] for name in expected}


def _write_weights(
    named: Mapping[str, Tensor], folder: Path, shard_bytes: int, progress: Callable[[int, int], None] | None
) -> int:
    """Files of weights, and the index that says which is where if there are several; returns their number."""
    from safetensors.torch import save_file

    shards: list[list[str]] = [[]]
    held = 0
    for name, value in named.items():
        if shards[-1] and held + value.nbytes > shard_bytes:
            shards.append([])
            held = 0
        shards[-1].append(name)
        held += value.nbytes
    place: dict[str, str] = {}
    for number, members in enumerate(shards, start=1):
        file = "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        # safetensors wants whole, separate memory; mapped weights may be views of one another.
        save_file(
            {name: named[name].clone().contiguous() for name in members}, folder / file, metadata={"format": "pt"}
        )
        place |= dict.fromkeys(members, file)
        if progress is not None:
            progress(len(place), len(named))
    if len(shards) > 1:
        total = sum(value.nbytes for value in named.values())
        index = {"metadata": {"total_size": total}, "weight_map": place}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return len(shards)


def _write_facts(config: Any, labels: Iterable[str] | None, folder: Path) -> None:
    """Configuration, feature extractor and vocabulary."""
    from transformers import Wav2Vec2FeatureExtractor

    config.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    if labels is not None:
        from elocute.training.ctc_files import write_vocabulary

        write_vocabulary(folder, tuple(labels))


def _pieces(data: bytes, path: Path) -> list[str]:
    """Pieces of a SentencePiece model: field 1 of the message, and of each its field 1.

    Source: sentencepiece_model.proto; the wire format of protocol buffers.
    """
    pieces: list[str] = []
    try:
        for field, value in _fields(data):
            if field == 1 and isinstance(value, bytes):
                text = next(inner for number, inner in _fields(value) if number == 1)
                pieces.append(text.decode("utf-8") if isinstance(text, bytes) else "")
    except (IndexError, ValueError, StopIteration) as error:
        raise ConfigError(f"{path} is no SentencePiece model; expected the tokenizer's .model file") from error
    if not pieces:
        raise ConfigError(f"{path} holds no pieces; expected a SentencePiece model")
    return pieces


def _fields(data: bytes) -> Iterable[tuple[int, bytes | int]]:
    """Fields of a message of protocol buffers: numbers, and values as whole numbers or bytes."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while place < len(data):
        tag = varint()
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            yield field, varint()
            continue
        size = varint() if wire == 2 else {1: 8, 5: 4}.get(wire, -1)
        if size < 0 or place + size > len(data):
            raise ValueError("no message of protocol buffers")
        yield field, data[place : place + size]
        place += size
