"""Folders that cannot be used, each with its sentence; names and shapes of the released model in both layouts."""

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
from transformers import Phi4MultimodalConfig

from elocute.errors import ConfigError, ElocuteError, MissingExtraError
from elocute.mllm.adapters import AdapterConfig
from elocute.mllm.assembling import skeleton
from elocute.mllm.layout import LANGUAGE_LINEARS, native_table, remote_name
from elocute.mllm.low_rank import read_adapter
from elocute.mllm.model import load_model, load_tuned, restore, save_tuned, trainable
from elocute.mllm.released import write_released_layout
from elocute.mllm.sizes import RELEASED_LONG_FACTOR, build_random, configuration, random_source
from elocute.mllm.weights import language_linears, open_checkpoint
from tiny_phi4 import FRESH, RANK, SPEECH, released

SHARD = "model-00002-of-00003.safetensors"
AUDIO = "model.embed_tokens_extend.audio_embed."
BLOCK = f"{AUDIO}encoder.encoders."
BIAS = f"{AUDIO}encoder.relative_attention_bias_layer"
VISION = "model.embed_tokens_extend.image_embed."


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
    "no config": (lambda f: (f / "config.json").unlink(), "no file .*config.json; fetch it"),
    "config is no JSON": (lambda f: (f / "config.json").write_text("{"), "cannot read .*config.json"),
    "config is a list": (lambda f: (f / "config.json").write_text("[]"), "holds a list; expected a table"),
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
