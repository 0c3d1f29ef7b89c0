"""Phi-4-multimodal put together tensor by tensor, on the device where it will stay.

The class is transformers' own. It is built without memory, rid of its vision tower, and filled from its source, so
that merging adapters and quantising to four bits happen on the way and nothing is held twice.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from types import MethodType
from typing import Any

from elocute.errors import ConfigError, MissingExtraError
from elocute.mllm.adapters import quiet_bitsandbytes
from elocute.mllm.layout import AUDIO, DROPPED, LANGUAGE_LINEARS
from elocute.mllm.low_rank import LowRank
from elocute.mllm.weights import Source

ATTENTIONS = ("sdpa", "flash_attention_2", "eager")


def assemble(
    source: Source,
    *,
    dtype: Any = "bfloat16",
    device: Any = "cpu",
    attention: str | None = None,
    four_bit: bool = False,
    merged: tuple[LowRank, ...] = (),
) -> Any:
    """The model of transformers, without vision, filled from a source.

    Args:
        source: of its weights.
        dtype: of its weights, and of what 4-bit weights are multiplied in.
        device: where they go.
        attention: as `load_model`.
        four_bit: keep the language model's linears in NF4, double-quantised.
        merged: adapters (`LowRank`) to add to the weights, before any quantisation.
    """
    import torch

    dtype, device = torch_dtype(dtype), torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda', and torch sees no GPU; set device to 'cpu' or install torch for CUDA")
    bnb = import_bitsandbytes() if four_bit else None
    config = source.config()
    model = skeleton(config, attention=_attention(attention, dtype, device), dtype=dtype)
    wanted = {
        name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight" or not _tied(config)
    }
    source.check({name: tuple(tensor.shape) for name, tensor in wanted.items()})
    is_language = _matcher()
    for name, tensor in wanted.items():
        owner, leaf = _owner(model, name)
        weight = source.read(name, tuple(tensor.shape), device)
        module = name.removesuffix(".weight")
        if is_language(module):
            for adapter in merged:
                weight = adapter.added(module, weight)
        weight = weight.to(device, dtype)
        if bnb is not None and is_language(module):
            parent, child = _owner(model, module)
            setattr(parent, child, _quantised(bnb, owner, weight, dtype))
        elif leaf in owner._parameters:
            setattr(owner, leaf, torch.nn.Parameter(weight))
        else:
            owner._buffers[leaf] = weight
    if _tied(config):
        model.lm_head.weight = model.model.embed_tokens.weight
    mask_padding(audio_of(model).encoder)
    # Its frequencies are no weights: they come from the configuration, computed off the device without memory.
    model.model.rotary_emb = type(model.model.rotary_emb)(config=model.config).to(device)
    if four_bit:
        model.is_loaded_in_4bit = True  # peft asks this
    _set_generation(model, source)
    return model.eval()


def skeleton(config: Any, *, whole: bool = False, attention: str = "sdpa", dtype: Any = None) -> Any:
    """The model without memory ("meta" device).

    Args:
        config: a Phi4MultimodalConfig.
        whole: keep what speech never runs.
        attention: of the language model. The audio encoder adds a bias by distance, which flash attention cannot.
        dtype: what the configuration says of the weights.
    """
    import torch
    from transformers import Phi4MultimodalForCausalLM

    config._attn_implementation = {"": attention, "audio_config": "sdpa", "vision_config": "sdpa"}
    if dtype is not None:
        config.dtype = dtype
    with torch.device("meta"):
        model = Phi4MultimodalForCausalLM(config)
    if not whole:
        for prefix in DROPPED:
            owner, leaf = _owner(model, prefix.rstrip("."))
            delattr(owner, leaf)
    return model


def mask_padding(encoder: Any) -> None:
    """Make the audio encoder deaf to the padding of a batch.

    It adds its mask of true and false to the logits of attention, so that padding has only 1 less than speech has, and
    what it says of a recording depends on the others in the batch (the released code does the same). Here padding gets
    so little that nothing of it is left; without padding nothing changes.
    """
    encoder.forward_embeddings = MethodType(_forward_embeddings, encoder)
    encoder.calculate_hs_mask = MethodType(_calculate_hs_mask, encoder)


def _forward_embeddings(self: Any, hidden_states: Any, masks: Any) -> Any:
    """As the class has it, with a mask that can be added."""
    hidden_states, mask, masks = type(self).forward_embeddings(self, hidden_states, masks)
    return hidden_states, _added(mask, hidden_states.dtype), masks


def _calculate_hs_mask(self: Any, hidden_states: Any, device: Any, mask: Any) -> Any:
    """As the class has it (for more than 40 s of audio), with a mask that can be added."""
    return _added(type(self).calculate_hs_mask(self, hidden_states, device, mask), hidden_states.dtype)


def _added(mask: Any, dtype: Any) -> Any:
    """What to add to logits: 1 where a mask is true, as the encoder was trained, else what no logit outweighs."""
    import torch

    # Half of the lowest number: the bias by distance comes on top. A row of padding alone stays finite.
    return torch.where(mask, 1.0, torch.finfo(dtype).min / 2).to(dtype)


def audio_of(model: Any) -> Any:
    """The audio encoder and its projector, whether or not the model carries an adapter."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner.get_submodule(AUDIO.rstrip("."))


def torch_dtype(dtype: Any) -> Any:
    """A type of torch, by itself or by name."""
    import torch

    known = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float16": torch.float16}
    found = known.get(dtype, dtype) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype):
        raise ConfigError(f"dtype is {dtype!r}; expected one of {', '.join(known)}")
    return found


def _matcher() -> Any:
    """Whether a name is that of a linear of the language model."""
    pattern = re.compile(LANGUAGE_LINEARS)
    return lambda name: pattern.match(name) is not None


def _owner(model: Any, name: str) -> tuple[Any, str]:
    """The module that holds a weight or module, and its name there."""
    path, _, leaf = name.rpartition(".")
    return model.get_submodule(path), leaf


def _tied(config: Any) -> bool:
    """Whether the output layer is the embedding."""
    return bool(config.tie_word_embeddings)


def _attention(asked: str | None, dtype: Any, device: Any) -> str:
    """What was asked for, if it can run; else flash attention where it can, and torch's own elsewhere."""
    import torch

    flash = device.type == "cuda" and dtype in (torch.bfloat16, torch.float16) and find_spec("flash_attn") is not None
    if asked is None:
        return "flash_attention_2" if flash else "sdpa"
    if asked not in ATTENTIONS:
        raise ConfigError(f"attention is {asked!r}; expected one of {', '.join(ATTENTIONS)}")
    if asked == "flash_attention_2" and not flash:
        raise ConfigError(
            f"attention is 'flash_attention_2' with {str(dtype).removeprefix('torch.')} on {device.type}; it needs the "
            "package flash-attn, a GPU and bfloat16, so choose 'sdpa'"
        )
    return asked


def _quantised(bnb: Any, linear: Any, weight: Any, dtype: Any) -> Any:
    """A linear in NF4 with double quantisation (Dettmers et al. 2023)."""
    import torch

    with torch.device("meta"):
        found = bnb.nn.Linear4bit(
            linear.in_features,
            linear.out_features,
            bias=False,
            compute_dtype=dtype,
            compress_statistics=True,
            quant_type="nf4",
        )
    # On some CPUs it would pack its weights in another way at the first evaluation, and training after that would give
    # wrong gradients without an error.
    found.support_avx512bf16_for_cpu = False
    held = bnb.nn.Params4bit(weight, requires_grad=False, compress_statistics=True, quant_type="nf4", module=found)
    found.weight = held.to(weight.device)  # moving it quantises it
    return found


def import_bitsandbytes() -> Any:
    """The package bitsandbytes."""
    quiet_bitsandbytes()
    try:
        import bitsandbytes
    except ImportError as error:
        raise MissingExtraError(
            "bitsandbytes is not installed, which 4-bit weights need; install elocute[phi4], or choose regime 'lora'"
        ) from error
    return bitsandbytes


def _set_generation(model: Any, source: Source) -> None:
    """The folder's generation_config.json, so that both ends of a turn stop an answer."""
    from transformers import GenerationConfig

    folder = getattr(source, "folder", None)
    if folder is not None and (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(str(folder))
    # config.json of the remote-code layout names one end only; an answer closes with the other.
    model.generation_config.eos_token_id = model.config.eos_token_id
    model.generation_config.pad_token_id = model.config.pad_token_id
