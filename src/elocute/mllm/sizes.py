"""Phi-4-multimodal in three sizes with random weights: tiny for tests, small to train from scratch, full to measure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from elocute.errors import ConfigError
from elocute.mllm.layout import native_config
from elocute.mllm.processing import TokenIds, load_processor, token_ids, write_processor
from elocute.mllm.weights import RandomWeights
from elocute.mllm.writing import finish, part_of

Size = Literal["tiny", "small", "full"]

RELEASED_LONG_FACTOR = (
    1, 1.118320672, 1.250641126, 1.398617824, 1.564103225, 1.74916897, 1.956131817, 2.187582649, 2.446418898,
    2.735880826, 3.059592084, 3.421605075, 3.826451687, 4.279200023, 4.785517845, 5.351743533, 5.984965424,
    6.693110555, 7.485043894, 8.370679318, 9.36110372, 10.4687158, 11.70738129, 13.09260651, 14.64173252,
    16.37415215, 18.31155283, 20.47818807, 22.90118105, 25.61086418, 28.64115884, 32.03, 32.1, 32.13, 32.23, 32.6,
    32.61, 32.64, 32.66, 32.7, 32.71, 32.93, 32.97, 33.28, 33.49, 33.5, 44.16, 47.77,
)  # fmt: skip
"""How much slower each pair of dimensions turns in texts of more than 4,096 tokens (longrope)."""
RELEASED_ROPE: Mapping[str, Any] = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "partial_rotary_factor": 0.75,
    "short_factor": [1.0] * len(RELEASED_LONG_FACTOR),
    "long_factor": list(RELEASED_LONG_FACTOR),
}
RELEASED_TEXT: Mapping[str, Any] = {
    "vocab_size": 200064,
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 32,
    # The class's own default is 32, but the released model has 24 heads of 128, 96 dimensions of which turn.
    "num_attention_heads": 24,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "original_max_position_embeddings": 4096,
    "rope_parameters": dict(RELEASED_ROPE),
    "sliding_window": 262144,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 199999,
    "pad_token_id": 199999,
    "eos_token_id": [199999, 200020],
}
RELEASED_AUDIO: Mapping[str, Any] = {"bias_max_distance": 500, "audio_token_id": 200011}
"""All else is the class's default: 24 conformer blocks, 1,024 wide, 16 heads, 1,536 inside, 8 frames to one."""

_DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0}
_TEXT: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        # Multiples of 64: the blocks of 4-bit weights, inside which no row of a matrix should end.
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "original_max_position_embeddings": 4096,
        "rope_parameters": _DEFAULT_ROPE,
    },
    "small": {
        "hidden_size": 320,
        "intermediate_size": 960,
        "num_hidden_layers": 6,
        "num_attention_heads": 5,
        "num_key_value_heads": 5,
        "max_position_embeddings": 4096,
        "original_max_position_embeddings": 4096,
        "rope_parameters": _DEFAULT_ROPE,
        "resid_pdrop": 0.1,
    },
}
_AUDIO: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_blocks": 2,
        "num_attention_heads": 2,
        "ext_pw_out_channel": 16,
        "depthwise_separable_out_channel": 16,
        "nemo_conv_channels": 8,
        "bias_max_distance": 64,
    },
    "small": {
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_blocks": 8,
        "num_attention_heads": 4,
        "ext_pw_out_channel": 256,
        "depthwise_separable_out_channel": 256,
        "nemo_conv_channels": 128,
        "bias_max_distance": 500,
        "dropout_rate": 0.1,
    },
}
# The vision tower of our own models: there, so that the layout is the released one, and as small as it can be.
_VISION: Mapping[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "crop_size": 28,
}


def configuration(size: Size, tokens: TokenIds | None = None) -> Any:
    """A Phi4MultimodalConfig.

    Args:
        size: "full" has the released model's shapes.
        tokens: of the tokenizer in use; None takes the released ones, for "full" alone.

    Raises:
        ConfigError: an unknown size, or no tokens where they are needed.
    """
    if size not in get_args(Size):
        raise ConfigError(f"size is {size!r}; expected one of {', '.join(get_args(Size))}")
    if tokens is None and size != "full":
        raise ConfigError(f"a {size} model needs its tokenizer's tokens; make it with build_random")
    text = dict(RELEASED_TEXT) | (dict(_TEXT[size]) | {"sliding_window": None} if size != "full" else {})
    audio = dict(RELEASED_AUDIO) if size == "full" else dict(_AUDIO[size])
    vision = {} if size == "full" else dict(_VISION)
    if tokens is not None:
        # The full model keeps its 200,064 rows, only the numbers of the special tokens are the tokenizer's.
        text |= {"vocab_size": text["vocab_size"] if size == "full" else tokens.rows}
        text |= {"bos_token_id": tokens.eos, "pad_token_id": tokens.pad, "eos_token_id": [tokens.eos, tokens.end]}
        audio["audio_token_id"], vision["image_token_id"] = tokens.audio, tokens.image
    return native_config({**text, "audio_config": audio, "vision_config": vision})


def random_source(
    size: Size, *, seed: int = 1, processor: Path | str | None = None, speech_rank: int | None = None
) -> RandomWeights:
    """Random weights for `load_model`, drawn on the device and never written.

    Args:
        size: as `configuration`.
        seed: of the weights.
        processor: folder with the tokenizer whose tokens the model should know; None takes the released ones.
        speech_rank: of the stand-in for the speech adapter; None is the released 320 for "full", else 8.
    """
    tokens = None if processor is None else token_ids(load_processor(Path(processor)))
    rank = speech_rank if speech_rank is not None else (320 if size == "full" else 8)
    return RandomWeights(settings=configuration(size, tokens), seed=seed, speech_rank=rank)


def build_random(size: Size, folder: Path | str, seed: int = 1) -> Path:
    """Write a model with random weights, its tokenizer and processor, as `load_model` and transformers read them.

    It has no adapters: "tiny" and "small" are meant to be trained whole (regime "scratch").

    Raises:
        ConfigError: the size is "full", whose 11 GB are better drawn on the device (`random_source`).
    """
    if size == "full":
        raise ConfigError("a full model would write 11 GB; give load_model the source random_source('full') instead")
    folder = Path(folder)
    part = part_of(folder)
    from elocute.mllm.released import write_weights

    tokens = token_ids(write_processor(part))
    write_weights(part, RandomWeights(settings=configuration(size, tokens), seed=seed), shards=1)
    return finish(part, folder)
