"""The two layouts in which Phi-4-multimodal comes: names of its weights, and its configuration.

The *native* layout is that of transformers' own class (model_type `phi4_multimodal`). The *remote-code* layout is that
of the repository's main branch (model_type `phi4mm`), which transformers runs only with code from the repository; its
weights are the same under other names, its language model's linears are called `base_layer`, and both adapters lie
among them. Names here are native; `remote_name` says what the other layout calls them.

Source: transformers' convert_phi4_multimodal_weights_to_hf.py for the pairs of names; the repository's config.json.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from elocute.errors import ConfigError

NATIVE, REMOTE = "phi4_multimodal", "phi4mm"
AUDIO = "model.embed_tokens_extend.audio_embed."
"""Prefix of the audio encoder and the projectors behind it."""
VISION = "model.embed_tokens_extend.image_embed."
DROPPED = (VISION, f"{AUDIO}up_proj_for_vision_speech.", f"{AUDIO}down_proj_for_vision_speech.")
"""Prefixes of what speech alone never runs: the vision tower, and the projector for speech beside a picture."""
LANGUAGE_LINEARS = r"^(.*\.)?model\.layers\.\d+\.(self_attn\.(qkv_proj|o_proj)|mlp\.(gate_up_proj|down_proj))$"
"""The linears of the language model, by whole name; lists of short names hit the audio encoder's as well."""
SPEECH_FOLDER, VISION_FOLDER = "speech-lora", "vision-lora"

_ENCODER = re.escape(f"{AUDIO}encoder.encoders.") + r"(\d+)\."
_REMOTE_NAMES = (
    (rf"^({_ENCODER}feed_forward_(?:in|out)\.)gate_up_proj\.", r"\1net.0.linear."),
    (rf"^({_ENCODER}feed_forward_(?:in|out)\.)down_proj\.", r"\1net.2."),
    (rf"^({_ENCODER}self_attn\.)([qkv])_proj\.", r"\1linear_\3."),
    (rf"^({_ENCODER}self_attn\.)o_proj\.", r"\1linear_out."),
    (rf"^({re.escape(AUDIO)})up_proj_for_speech\.", r"\1audio_projection.speech.0."),
    (rf"^({re.escape(AUDIO)})down_proj_for_speech\.", r"\1audio_projection.speech.2."),
    (rf"^({re.escape(AUDIO)})up_proj_for_vision_speech\.", r"\1audio_projection.vision.0."),
    (rf"^({re.escape(AUDIO)})down_proj_for_vision_speech\.", r"\1audio_projection.vision.2."),
    (rf"^({re.escape(VISION)})img_projection_up\.", r"\1img_projection.0."),
    (rf"^({re.escape(VISION)})img_projection_down\.", r"\1img_projection.2."),
    (rf"^({re.escape(VISION)})global_img_feature_extensor$", r"\1glb_GN"),
    (rf"^({re.escape(VISION)})sub_img_feature_extensor$", r"\1sub_GN"),
    (r"^(model\.layers\.\d+\.(?:self_attn|mlp)\.\w+_proj)\.weight$", r"\1.base_layer.weight"),
)


def remote_name(name: str) -> str:
    """What the remote-code layout calls a weight.

    >>> remote_name("model.layers.0.mlp.down_proj.weight")
    'model.layers.0.mlp.down_proj.base_layer.weight'
    >>> remote_name("model.embed_tokens_extend.audio_embed.encoder.encoders.3.self_attn.o_proj.bias")
    'model.embed_tokens_extend.audio_embed.encoder.encoders.3.self_attn.linear_out.bias'
    """
    for pattern, replacement in _REMOTE_NAMES:
        renamed, count = re.subn(pattern, replacement, name)
        if count:
            return renamed
    return name


def is_dropped(name: str) -> bool:
    """Whether a weight belongs to what is left out, because speech alone never runs it."""
    return name.startswith(DROPPED)


def native_config(table: Mapping[str, Any]) -> Any:
    """A Phi4MultimodalConfig from plain tables."""
    from transformers import Phi4MultimodalConfig

    # transformers advises whoever writes such a table to spell its positions another way; the released one does not.
    adviser = logging.getLogger("transformers.modeling_rope_utils")
    level = adviser.level
    adviser.setLevel(logging.ERROR)
    try:
        return Phi4MultimodalConfig.from_dict(dict(table))
    finally:
        adviser.setLevel(level)


_AUDIO_RENAMED = {
    "attention_dim": "hidden_size",
    "attention_heads": "num_attention_heads",
    "linear_units": "intermediate_size",
    "depthwise_seperable_out_channel": "depthwise_separable_out_channel",  # spelled so in the repository
}
_AUDIO_KEPT = (
    "activation",
    "chunk_size",
    "conv_activation",
    "conv_glu_type",
    "depthwise_multiplier",
    "dropout_rate",
    "ext_pw_out_channel",
    "input_size",
    "kernel_size",
    "left_chunk",
    "num_blocks",
    "time_reduction",
)
_TEXT_KEPT = (
    "attention_dropout",
    "bos_token_id",
    "embd_pdrop",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "original_max_position_embeddings",
    "pad_token_id",
    "partial_rotary_factor",
    "resid_pdrop",
    "rms_norm_eps",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "use_cache",
    "vocab_size",
)
# The class of the repository's code has these as defaults, its config.json does not name them.
_REMOTE_AUDIO_TOKEN, _REMOTE_IMAGE_TOKEN, _REMOTE_END_TOKEN = 200011, 200010, 200020


def native_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """The native configuration of a remote-code one, as plain tables.

    Raises:
        ConfigError: a part that the repository's config.json has is not there.
    """
    try:
        encoder = table["audio_processor"]["config"]
        audio: dict[str, Any] = {key: encoder[key] for key in _AUDIO_KEPT if key in encoder}
        audio |= {ours: encoder[theirs] for theirs, ours in _AUDIO_RENAMED.items()}
        audio["nemo_conv_channels"] = encoder["nemo_conv_settings"]["conv_channels"]
        audio["bias_max_distance"] = encoder["relative_attention_bias_args"]["t5_bias_max_distance"]
        audio["downsample_rate"] = table["embd_layer"]["audio_embd_layer"]["downsample_rate"]
        audio["audio_token_id"] = table.get("audio_token_id", _REMOTE_AUDIO_TOKEN)
        vision = {
            **table.get("img_processor_config", {}),
            "crop_size": table["embd_layer"]["image_embd_layer"]["crop_size"],
            "image_token_id": table.get("image_token_id", _REMOTE_IMAGE_TOKEN),
        }
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"config.json of the remote-code layout lacks {error}; expected that of Phi-4-multimodal-instruct"
        ) from error
    ends = table.get("eos_token_id", 199999)
    ends = ends if isinstance(ends, list) else sorted({ends, table.get("end_token_id", _REMOTE_END_TOKEN)})
    text = {key: table[key] for key in _TEXT_KEPT if key in table}
    return {**text, "model_type": NATIVE, "eos_token_id": ends, "audio_config": audio, "vision_config": vision}
