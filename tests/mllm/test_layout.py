"""Names, shapes and configuration of the released model, as its repository's two layouts have them."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers")

from transformers import Phi4MultimodalConfig

from elocute.mllm.assembling import skeleton
from elocute.mllm.layout import LANGUAGE_LINEARS, native_table, remote_name
from elocute.mllm.sizes import RELEASED_LONG_FACTOR, configuration
from elocute.mllm.weights import language_linears, open_checkpoint
from tiny_phi4 import released

AUDIO = "model.embed_tokens_extend.audio_embed."
BLOCK = f"{AUDIO}encoder.encoders."
BIAS = f"{AUDIO}encoder.relative_attention_bias_layer"
VISION = "model.embed_tokens_extend.image_embed."


@pytest.mark.parametrize(
    ("native", "remote"),
    [
        ("model.embed_tokens.weight", "model.embed_tokens.weight"),
        ("model.norm.weight", "model.norm.weight"),
        ("model.layers.31.input_layernorm.weight", "model.layers.31.input_layernorm.weight"),
        ("model.layers.31.self_attn.qkv_proj.weight", "model.layers.31.self_attn.qkv_proj.base_layer.weight"),
        ("model.layers.0.mlp.gate_up_proj.weight", "model.layers.0.mlp.gate_up_proj.base_layer.weight"),
        (f"{BLOCK}7.feed_forward_in.gate_up_proj.bias", f"{BLOCK}7.feed_forward_in.net.0.linear.bias"),
        (f"{BLOCK}7.feed_forward_out.down_proj.weight", f"{BLOCK}7.feed_forward_out.net.2.weight"),
        (f"{BLOCK}23.self_attn.q_proj.weight", f"{BLOCK}23.self_attn.linear_q.weight"),
        (f"{BLOCK}23.self_attn.o_proj.bias", f"{BLOCK}23.self_attn.linear_out.bias"),
        (f"{BLOCK}0.conv.glu.b1", f"{BLOCK}0.conv.glu.b1"),
        (f"{BIAS}.bias_values.weight", f"{BIAS}.bias_values.weight"),
        (f"{AUDIO}up_proj_for_speech.weight", f"{AUDIO}audio_projection.speech.0.weight"),
        (f"{AUDIO}down_proj_for_vision_speech.bias", f"{AUDIO}audio_projection.vision.2.bias"),
        (f"{VISION}img_projection_up.weight", f"{VISION}img_projection.0.weight"),
        (f"{VISION}sub_img_feature_extensor", f"{VISION}sub_GN"),
    ],
)
def test_names_of_the_remote_layout(native: str, remote: str) -> None:
    """Names of the released files, as other programs that read them list them."""
    assert remote_name(native) == remote


RELEASED_CONFIG = {
    "model_type": "phi4mm",
    "architectures": ["Phi4MMForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "audio_processor": {
        "config": {
            "activation": "swish",
            "activation_checkpointing": {"interval": 1, "module": "transformer", "offload": False},
            "attention_dim": 1024,
            "attention_heads": 16,
            "batch_norm": False,
            "bias_in_glu": True,
            "causal": True,
            "chunk_size": -1,
            "cnn_layer_norm": True,
            "conv_activation": "swish",
            "conv_glu_type": "swish",
            "depthwise_multiplier": 1,
            "depthwise_seperable_out_channel": 1024,
            "dropout_rate": 0.0,
            "encoder_embedding_config": {"input_size": 80},
            "ext_pw_kernel_size": 1,
            "ext_pw_out_channel": 1024,
            "input_layer": "nemo_conv",
            "input_size": 80,
            "kernel_size": 3,
            "left_chunk": 18,
            "linear_units": 1536,
            "nemo_conv_settings": {"conv_channels": 1024},
            "num_blocks": 24,
            "relative_attention_bias_args": {"t5_bias_max_distance": 500, "type": "t5"},
            "time_reduction": 8,
        },
        "name": "cascades",
    },
    "bos_token_id": 199999,
    "embd_layer": {
        "audio_embd_layer": {"compression_rate": 8, "downsample_rate": 1, "embedding_cls": "audio"},
        "embedding_cls": "image_audio",
        "image_embd_layer": {"crop_size": 448, "embedding_cls": "tune_image", "hd_transform_order": "sub_glb"},
    },
    "embd_pdrop": 0.0,
    "eos_token_id": 199999,
    "full_attn_mod": 1,
    "hidden_act": "silu",
    "hidden_size": 3072,
    "initializer_range": 0.02,
    "intermediate_size": 8192,
    "lm_head_bias": False,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "num_attention_heads": 24,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "original_max_position_embeddings": 4096,
    "pad_token_id": 199999,
    "partial_rotary_factor": 0.75,
    "resid_pdrop": 0.0,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {"type": "longrope", "long_factor": list(RELEASED_LONG_FACTOR), "short_factor": [1.0] * 48},
    "rope_theta": 10000.0,
    "sliding_window": 262144,
    "tie_word_embeddings": True,
    "use_cache": True,
    "vocab_size": 200064,
}
"""config.json of the released repository's main branch, save for what says where its code lies."""


def test_the_released_configuration_is_understood() -> None:
    """Read from the remote-code layout it says what our own full size says."""
    read = Phi4MultimodalConfig.from_dict(native_table(RELEASED_CONFIG)).to_dict()
    ours = configuration("full").to_dict()
    differing = {
        key for part in (None, "audio_config") for key, value in (ours if part is None else ours[part]).items()
        if (read if part is None else read[part]).get(key) != value
    }  # fmt: skip
    # How the factors are spelled inside is transformers' affair, and compared below.
    assert differing <= {"rope_parameters", "dtype", "audio_config", "vision_config"}
    for key in ("rope_theta", "long_factor", "short_factor", "partial_rotary_factor", "rope_type"):
        assert read["rope_parameters"][key] == ours["rope_parameters"][key]
    assert read["eos_token_id"] == [199999, 200020]
    assert read["audio_config"]["audio_token_id"] == 200011


def test_the_full_size_is_the_released_one() -> None:
    """With both adapters 5,574,460,224 parameters, 830,472,192 of them in adapters: what the released model reports.

    The class's default of 32 heads would give 1,425,408 a rank; 24 heads of 128 give the released 1,441,792.
    """
    config = configuration("full")
    model = skeleton(config, whole=True)
    base = sum(tensor.numel() for name, tensor in model.named_parameters() if name != "lm_head.weight")
    a_rank = sum(sum(shape) for shape in language_linears(config).values())
    assert (a_rank, a_rank * (320 + 256)) == (1_441_792, 830_472_192)
    assert base + a_rank * (320 + 256) == 5_574_460_224
    shapes = {
        name: tuple(module.weight.shape) for name, module in model.named_modules() if name in language_linears(config)
    }
    assert shapes == language_linears(config)
    assert config.rope_parameters["rope_type"] == "longrope"
    assert len(config.rope_parameters["long_factor"]) == 48


@pytest.mark.parametrize(
    ("targets", "language", "audio", "vision"),
    [
        (LANGUAGE_LINEARS, 8, 0, 0),
        (["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], 4, 12, 6),
        (["qkv_proj", "o_proj", "gate_up_proj", "down_proj"], 8, 10, 0),
    ],
)
def test_only_the_pattern_hits_the_language_model_alone(
    targets: str | list[str], language: int, audio: int, vision: int
) -> None:
    """The lists that tutorials give adapt the encoders, and some of the language model's linears not."""
    from peft import LoraConfig, inject_adapter_in_model

    model = inject_adapter_in_model(
        LoraConfig(target_modules=targets, r=2), skeleton(open_checkpoint(released()).config(), whole=True)
    )
    hit = [name for name, module in model.named_modules() if hasattr(module, "lora_A")]
    found = [sum(part in name for name in hit) for part in ("model.layers.", "audio_embed.", "image_embed.")]
    assert found == [language, audio, vision]
