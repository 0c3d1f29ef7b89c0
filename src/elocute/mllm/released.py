"""Tiny random models in exactly the files of the released repository, in both of its layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from elocute.errors import ConfigError
from elocute.mllm.layout import SPEECH_FOLDER, VISION_FOLDER, remote_name
from elocute.mllm.processing import Layout, token_ids, write_processor
from elocute.mllm.sizes import configuration
from elocute.mllm.weights import RandomWeights, language_linears
from elocute.mllm.writing import finish, part_of, write_json, write_shards


def write_released_layout(folder: Path | str, *, layout: Layout = "native", seed: int = 1, rank: int = 8) -> Path:
    """Write a tiny random model in exactly the files of the released repository.

    Sharded weights with their index, `speech-lora/` and `vision-lora/`, configuration, tokenizer and processor; with
    "native" under the names of transformers' class, with "released" under those of the repository's own code, where
    both adapters also lie among the weights. Both hold the same numbers for the same seed.
    """
    if layout not in get_args(Layout):
        raise ConfigError(f"layout is {layout!r}; expected {' or '.join(get_args(Layout))}")
    folder = Path(folder)
    part = part_of(folder)
    tokens = token_ids(write_processor(part, layout=layout))
    weights = RandomWeights(settings=configuration("tiny", tokens), seed=seed, speech_rank=rank)
    write_weights(part, weights, shards=3, remote=layout == "released")
    return finish(part, folder)


def write_weights(folder: Path, weights: RandomWeights, *, shards: int, remote: bool = False) -> None:
    """Configuration, weights in so many files, index and adapters."""
    import torch

    from elocute.mllm.assembling import skeleton

    config = weights.config()
    model = skeleton(config, whole=True)
    names = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    tensors = {name: weights.read(name, shape, "cpu").to(torch.bfloat16) for name, shape in names.items()}
    if remote:
        tensors = {remote_name(name): tensor for name, tensor in tensors.items()}
        tensors |= {f"{name}.speech.weight": tensor for name, tensor in _speech_tensors(weights).items()}
        tensors |= {f"{name}.vision.weight": tensor for name, tensor in _speech_tensors(_vision(weights)).items()}
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    write_shards(folder, tensors, most_bytes=size // shards + 1)
    write_json(folder / "config.json", _remote_table(config, weights.speech_rank) if remote else _native_table(config))
    ends = {
        "bos_token_id": config.bos_token_id,
        "eos_token_id": config.eos_token_id,
        "pad_token_id": config.pad_token_id,
    }
    write_json(folder / "generation_config.json", {"_from_model_config": True, **ends})
    if weights.speech_rank:
        _write_adapter(folder / SPEECH_FOLDER, weights, dropout=0.01, prefixed=remote)
        _write_adapter(folder / VISION_FOLDER, _vision(weights), dropout=0.0, prefixed=remote)


def _vision(weights: RandomWeights) -> RandomWeights:
    """What the vision adapter is drawn from: another seed, four fifths of the rank, as the released ones."""
    return RandomWeights(settings=weights.settings, seed=weights.seed + 1, speech_rank=weights.speech_rank * 4 // 5)


def _speech_tensors(weights: RandomWeights) -> dict[str, Any]:
    """Matrices of an adapter, by module and side."""
    import torch

    found = weights.speech()
    assert found is not None
    sides = (("lora_A", found.a), ("lora_B", found.b))
    return {
        f"{module}.{side}": tensors[module].to("cpu", torch.bfloat16).contiguous()
        for module in language_linears(weights.settings)
        for side, tensors in sides
    }


def _write_adapter(folder: Path, weights: RandomWeights, *, dropout: float, prefixed: bool) -> None:
    """A folder of peft's, under the names that the repository's two revisions use."""
    from safetensors.torch import save_file

    folder.mkdir()
    prefix = "base_model.model." if prefixed else ""
    tensors = {f"{prefix}{name}.weight": tensor for name, tensor in _speech_tensors(weights).items()}
    save_file(tensors, str(folder / "adapter_model.safetensors"), metadata={"format": "pt"})
    table: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": None,
        "r": weights.speech_rank,
        "lora_alpha": 2 * weights.speech_rank,
        "lora_dropout": dropout,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "target_modules": r"model.layers.\d+.((self_attn.(qkv|o)_proj)|(mlp.(gate_up|down)_proj))",
        "use_rslora": False,
        "rank_pattern": {},
        "alpha_pattern": {},
    }
    write_json(folder / "adapter_config.json", table)


def _native_table(config: Any) -> dict[str, Any]:
    """config.json as transformers writes it."""
    table: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return table | {"architectures": ["Phi4MultimodalForCausalLM"], "dtype": "bfloat16"}


def _remote_table(config: Any, rank: int) -> dict[str, Any]:
    """config.json as the repository's own code reads it."""
    audio, vision, rope = config.audio_config, config.vision_config, dict(config.rope_parameters)
    text = {
        name: getattr(config, name)
        for name in (
            "attention_dropout", "bos_token_id", "embd_pdrop", "hidden_act", "hidden_size", "initializer_range",
            "intermediate_size", "max_position_embeddings", "num_attention_heads", "num_hidden_layers",
            "num_key_value_heads", "original_max_position_embeddings", "pad_token_id", "resid_pdrop", "rms_norm_eps",
            "sliding_window", "tie_word_embeddings", "use_cache", "vocab_size",
        )
    }  # fmt: skip
    encoder = {
        name: getattr(audio, name)
        for name in (
            "activation", "chunk_size", "conv_activation", "conv_glu_type", "depthwise_multiplier", "dropout_rate",
            "ext_pw_out_channel", "input_size", "kernel_size", "left_chunk", "num_blocks", "time_reduction",
        )
    }  # fmt: skip
    encoder |= {
        "activation_checkpointing": {"interval": 1, "module": "transformer", "offload": False},
        "attention_dim": audio.hidden_size,
        "attention_heads": audio.num_attention_heads,
        "batch_norm": False,
        "bias_in_glu": True,
        "causal": True,
        "cnn_layer_norm": True,
        "depthwise_seperable_out_channel": audio.depthwise_separable_out_channel,
        "encoder_embedding_config": {"input_size": audio.input_size},
        "ext_pw_kernel_size": 1,
        "input_layer": "nemo_conv",
        "linear_units": audio.intermediate_size,
        "nemo_conv_settings": {"conv_channels": audio.nemo_conv_channels},
        "relative_attention_bias_args": {"t5_bias_max_distance": audio.bias_max_distance, "type": "t5"},
    }
    layers = {"embedding_cls": "image_audio"} | {
        "audio_embd_layer": {"compression_rate": 8, "downsample_rate": audio.downsample_rate, "embedding_cls": "audio"},
        "image_embd_layer": {
            "crop_size": vision.crop_size,
            "embedding_cls": "tune_image",
            "hd_transform_order": "sub_glb",
        },
    }
    kinds = {"type": rope["rope_type"], **{k: rope[k] for k in ("short_factor", "long_factor") if k in rope}}
    return text | {
        "model_type": "phi4mm",
        "architectures": ["Phi4MMForCausalLM"],
        "auto_map": {
            "AutoConfig": "configuration_phi4mm.Phi4MMConfig",
            "AutoModelForCausalLM": "modeling_phi4mm.Phi4MMForCausalLM",
        },
        "audio_processor": {"config": encoder, "name": "cascades"},
        "embd_layer": layers,
        "eos_token_id": config.eos_token_id,
        "audio_token_id": audio.audio_token_id,
        "image_token_id": vision.image_token_id,
        "partial_rotary_factor": rope["partial_rotary_factor"],
        "rope_theta": rope["rope_theta"],
        "rope_scaling": kinds if kinds["type"] == "longrope" else None,
        "speech_lora": {"r": rank, "lora_alpha": 2 * rank, "dp": 0.01},
        "vision_lora": {"r": rank * 4 // 5, "lora_alpha": rank * 4 // 5 * 2, "dp": 0.0},
        "torch_dtype": "bfloat16",
    }
