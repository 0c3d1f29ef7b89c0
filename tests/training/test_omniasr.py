"""Conversion of omniASR's checkpoints: the same logits, every weight accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("safetensors")

import torch
from safetensors import safe_open
from transformers import Wav2Vec2ForCTC
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.errors import ConfigError
from elocute.training.ctc_model import load_model
from elocute.training.ctc_recipe import ModelRecipe
from elocute.training.omniasr import convert_omniasr, new_name, read_tokenizer
from omniasr_model import OmniAsr, tiny


def saved(folder: Path, model: OmniAsr, **more: Any) -> Path:
    path = folder / "checkpoint.pt"
    torch.save({"model": model.state_dict(), **more}, path)
    return path


def logits_of(folder: Path, samples: torch.Tensor) -> torch.Tensor:
    model, report = Wav2Vec2ForCTC.from_pretrained(folder, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    with torch.inference_mode():
        return model.eval()(samples).logits


@pytest.mark.parametrize("has_masker", [True, False])
def test_logits_are_those_of_an_independent_forward_pass(tmp_path: Path, has_masker: bool) -> None:
    model = tiny(has_masker=has_masker)
    found = convert_omniasr(saved(tmp_path, model), tmp_path / "out")
    assert (found.hidden_size, found.layers, found.vocab_size, found.shards) == (64, 3, 11, 1)
    assert found.parameters == sum(value.numel() for value in model.parameters())
    samples = torch.randn(2, 12_345, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = model(samples)
    assert expected.std() > 0.1
    assert (logits_of(tmp_path / "out", samples) - expected).abs().max() < 1e-4


def test_what_comes_out_can_be_trained_to_phones(tmp_path: Path) -> None:
    model = tiny(has_masker=False)
    convert_omniasr(saved(tmp_path, model), tmp_path / "out")
    phones = load_model(f"hf:{tmp_path / 'out'}", ModelRecipe(overrides={"mask_time_prob": 0.05}))
    assert phones.is_new_head
    assert phones.frames.frame_s == 0.02
    weights = phones.model.state_dict()
    for name, value in model.state_dict().items():
        assert name.startswith("final_proj") or torch.equal(weights[str(new_name(name))], value)


def test_every_weight_is_there_under_its_new_name_and_in_several_files(tmp_path: Path) -> None:
    model = tiny().to(torch.bfloat16)
    steps: list[int] = []
    path = saved(tmp_path, model)
    found = convert_omniasr(
        path, tmp_path / "out", shard_bytes=40_000, progress=lambda done, total: steps.append(total - done)
    )
    assert found.dtypes == ("bfloat16",)
    assert found.shards > 2
    assert steps[-1] == 0
    files = sorted((tmp_path / "out").glob("*.safetensors"))
    assert len(files) == found.shards
    assert all(file.stat().st_size < 60_000 for file in files)
    stored = {}
    for file in files:
        with safe_open(file, "pt") as shard:
            stored |= {name: shard.get_tensor(name) for name in shard.keys()}  # noqa: SIM118 - it is no dictionary
    weights = model.state_dict()
    assert len(stored) == len(weights)
    for name, value in weights.items():
        there = stored[str(new_name(name))]
        assert there.dtype == torch.bfloat16
        assert torch.equal(there, value)
    assert Wav2Vec2ForCTC.from_pretrained(tmp_path / "out").dtype == torch.bfloat16


def test_published_names() -> None:
    """The names of the real checkpoints, spelled out."""
    pairs = {
        "encoder_frontend.feature_extractor.layers.6.conv.bias": "wav2vec2.feature_extractor.conv_layers.6.conv.bias",
        "encoder_frontend.feature_extractor.layers.0.layer_norm.weight": (
            "wav2vec2.feature_extractor.conv_layers.0.layer_norm.weight"
        ),
        "encoder_frontend.post_extract_layer_norm.weight": "wav2vec2.feature_projection.layer_norm.weight",
        "encoder_frontend.model_dim_proj.bias": "wav2vec2.feature_projection.projection.bias",
        "encoder_frontend.pos_encoder.conv.weight_g": (
            "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0"
        ),
        "encoder_frontend.pos_encoder.conv.weight_v": (
            "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original1"
        ),
        "encoder_frontend.pos_encoder.conv.bias": "wav2vec2.encoder.pos_conv_embed.conv.bias",
        "encoder.layers.47.self_attn.q_proj.weight": "wav2vec2.encoder.layers.47.attention.q_proj.weight",
        "encoder.layers.0.self_attn.output_proj.bias": "wav2vec2.encoder.layers.0.attention.out_proj.bias",
        "encoder.layers.0.self_attn_layer_norm.bias": "wav2vec2.encoder.layers.0.layer_norm.bias",
        "encoder.layers.0.ffn.inner_proj.weight": "wav2vec2.encoder.layers.0.feed_forward.intermediate_dense.weight",
        "encoder.layers.0.ffn.output_proj.weight": "wav2vec2.encoder.layers.0.feed_forward.output_dense.weight",
        "encoder.layers.0.ffn_layer_norm.weight": "wav2vec2.encoder.layers.0.final_layer_norm.weight",
        "encoder.layer_norm.weight": "wav2vec2.encoder.layer_norm.weight",
        "final_proj.weight": "lm_head.weight",
        "masker.temporal_mask_embed": "wav2vec2.masked_spec_embed",
    }
    assert {name: new_name(name) for name in pairs} == pairs
    for name in ("quantizer.entries", "encoder.layers.0.conv.batch_norm.weight", "final_proj", "final_proj.scale"):
        assert new_name(name) is None


def without(weights: dict[str, torch.Tensor], *names: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in weights.items() if name not in names}


def changed(kind: str, weights: dict[str, torch.Tensor]) -> Any:
    q = "encoder.layers.1.self_attn.q_proj"
    conv = "encoder_frontend.feature_extractor.layers.0.conv.weight"
    return {
        "unknown": weights | {"quantizer.entries": torch.zeros(2), "project.bias": torch.zeros(2)},
        "missing": without(weights, f"{q}.weight", f"{q}.bias"),
        "shape": weights | {f"{q}.weight": torch.zeros(64, 63)},
        "head": without(weights, "final_proj.weight"),
        "kernel": weights | {conv: torch.zeros(24, 1, 11)},
        "list": [1, 2],
        "numbers": {"a": 1},
        "nothing": {},
    }[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("unknown", "has 2 weights that a CTC model has not: project.bias, quantizer.entries"),
        ("missing", r"lacks 2 weights: wav2vec2.encoder.layers.1.attention.q_proj.bias, wav2vec2.*q_proj.weight"),
        ("shape", r"1 weights of another shape, first .*q_proj.weight: \(64, 63\), expected \(64, 64\)"),
        ("head", "lacks final_proj.weight; expected a CTC model of omniASR, not its encoder alone"),
        ("kernel", r"convolutions of widths \(11, 3, 3, 3, 3, 2, 2\)"),
        ("list", "holds no dictionary of weights"),
        ("numbers", "holds no dictionary of weights"),
        ("nothing", "holds no dictionary of weights"),
    ],
)
def test_other_checkpoints_are_refused(tmp_path: Path, kind: str, message: str) -> None:
    path = tmp_path / "c.pt"
    torch.save(changed(kind, tiny().state_dict()), path)  # bare, not under "model"
    with pytest.raises(ConfigError, match=message):
        convert_omniasr(path, tmp_path / "out")
    assert [item.name for item in tmp_path.iterdir()] == ["c.pt"]


def test_files_that_are_none(tmp_path: Path) -> None:
    for content in (None, b"", b"no checkpoint"):
        path = tmp_path / "c.pt"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match="c.pt (not found|cannot be read: .*); expected a checkpoint of fairseq2"):
            convert_omniasr(path, tmp_path / "out")
    path = saved(tmp_path, tiny())
    with pytest.raises(ConfigError, match="which 7 heads do not divide"):
        convert_omniasr(path, tmp_path / "out", heads=7)
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="exists already; give a new folder"):
        convert_omniasr(path, tmp_path / "out")


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"model": Evil()}, tmp_path / "c.pt")
    with pytest.raises(ConfigError, match="cannot be read"):
        convert_omniasr(tmp_path / "c.pt", tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_an_old_checkpoint_that_cannot_be_mapped(tmp_path: Path) -> None:
    torch.save(tiny().state_dict(), tmp_path / "c.pt", _use_new_zipfile_serialization=False)
    assert convert_omniasr(tmp_path / "c.pt", tmp_path / "out").layers == 3


def sentencepiece(pieces: list[str]) -> bytes:
    """A SentencePiece model: message of pieces (text, score, type), then the trainer's settings."""
    data = b""
    for piece in pieces:
        text = piece.encode()
        inner = b"\x0a" + bytes([len(text)]) + text + b"\x15\x00\x00\x80\xbf" + b"\x18\x03"
        data += b"\x0a" + bytes([len(inner)]) + inner
    return data + b"\x12\x03\x50\xa0\x05"


def test_vocabulary(tmp_path: Path) -> None:
    labels = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "é", "ə", "ŋ", "中", "'"]
    (tmp_path / "t.model").write_bytes(sentencepiece(labels))
    (tmp_path / "t.txt").write_text("".join(f"{label} {n}\n" for n, label in enumerate(labels)))
    assert read_tokenizer(tmp_path / "t.model") == read_tokenizer(tmp_path / "t.txt") == labels
    path = saved(tmp_path, tiny())
    assert convert_omniasr(path, tmp_path / "out", tokenizer=tmp_path / "t.model").has_labels
    assert json.loads((tmp_path / "out" / "vocab.json").read_text()) == {label: n for n, label in enumerate(labels)}
    (tmp_path / "t.model").write_bytes(sentencepiece(labels[:-1]))
    with pytest.raises(ConfigError, match=r"t.model has 10 labels, the head of .*checkpoint.pt 11"):
        convert_omniasr(path, tmp_path / "other", tokenizer=tmp_path / "t.model")
    for name, content in (
        ("x.model", b"\xff" * 9),
        ("x.model", b""),
        ("x.txt", b"a b"),
        ("x.txt", b"a 0\nb 2\n"),
        ("x.txt", b"\xff"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=rf"{name} (is no|holds no|does not)"):
            read_tokenizer(tmp_path / name)
    with pytest.raises(ConfigError, match="cannot read .*gone"):
        read_tokenizer(tmp_path / "gone")


def test_command(tmp_path: Path) -> None:
    path = saved(tmp_path, tiny())
    result = CliRunner().invoke(app, ["convert", "omniasr", str(path), str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["vocab_size"] == 11
    again = CliRunner().invoke(app, ["convert", "omniasr", str(path), str(tmp_path / "out")])
    assert again.exit_code == 1
    assert "exists already" in again.stderr
