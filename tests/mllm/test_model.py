"""Six regimes on a tiny random model: what learns, what stays, what is saved; twins are transformers and peft."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

import torch

from elocute.errors import ConfigError
from elocute.mllm.adapters import AdapterConfig, after_update, prepare_eva
from elocute.mllm.model import load_model, load_tuned, merge, restore, save_tuned, trainable
from elocute.mllm.sizes import random_source
from tiny_phi4 import FRESH, RANK, SPEECH, batch, learn, logits, released

REGIMES = ("lora", "unfreeze", "qlora", "hybrid", "full", "scratch")
LINEARS = {
    f"model.layers.{layer}.{name}"
    for layer in (0, 1)
    for name in ("self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj")
}
AUDIO = "model.embed_tokens_extend.audio_embed."


def load(regime: str, adapter: AdapterConfig | None = FRESH, **settings: Any) -> Any:
    """The tiny model, the same every time."""
    torch.manual_seed(1)
    adapter = None if regime == "scratch" else adapter
    return load_model(released(), regime=regime, adapter=adapter, dtype="float32", **settings)  # type: ignore[arg-type]


def plain(name: str) -> str:
    """A parameter's name in the model without an adapter."""
    return name.removeprefix("base_model.model.").replace(".base_layer.", ".")


def should_learn(name: str, regime: str) -> bool:
    """What the regimes promise, written down once more."""
    if regime in ("full", "scratch"):
        return True
    if ".lora_" in name:
        return plain(name).partition(".lora_")[0] in LINEARS
    return regime in ("unfreeze", "hybrid") and plain(name).startswith(AUDIO)


def state(model: Any) -> dict[str, torch.Tensor]:
    """Copies of every parameter and buffer; of 4-bit ones their packed bytes."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@pytest.mark.parametrize("regime", REGIMES)
def test_a_regime_trains_what_it_says_and_nothing_else(regime: str, tmp_path: Path) -> None:
    model = load(regime)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learning == {name for name, _ in model.named_parameters() if should_learn(name, regime)}
    adapted = {plain(name).partition(".lora_")[0] for name in learning if ".lora_" in name}
    assert adapted == (set() if regime in ("full", "scratch") else LINEARS)

    before = state(model)
    losses = learn(model)
    after = state(model)
    assert losses[1] < losses[0]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    # Positions and tokens that the batch does not hold have no gradient, but every tensor has some that it does hold.
    assert changed == learning

    expected = logits(model)
    save_tuned(model, tmp_path / "tuned")
    again = load_tuned(tmp_path / "tuned", dtype="float32", merged=False)
    assert not any(parameter.requires_grad for parameter in again.parameters())
    torch.testing.assert_close(logits(again), expected, rtol=0, atol=1e-6)
    assert (logits(load(regime)) - expected).abs().max() > 1e-3


def test_parameters_are_counted_as_what_they_stand_for() -> None:
    """Four-bit weights lie two to a byte, but are as many as before."""
    whole, adapter = trainable(load("lora")), trainable(load("qlora"))
    assert whole == adapter
    assert (
        whole.parts["adapter"] == (4 * sum(sum(shape) for shape in ((64, 128), (64, 64), (64, 128), (64, 64))) * 2,) * 2
    )
    assert whole.learns == whole.parts["adapter"][0]
    assert trainable(load("hybrid")).learns == whole.learns + sum(
        whole.parts[f"audio {part}"][1] for part in ("encoder", "projector")
    )
    assert trainable(load("scratch")).table()["learns"] == whole.every - whole.learns


@pytest.mark.parametrize("regime", ["qlora", "hybrid"])
def test_only_the_language_model_is_four_bit(regime: str) -> None:
    from bitsandbytes.nn import Linear4bit

    model = load(regime).get_base_model()
    short = {plain(name) for name, module in model.named_modules() if isinstance(module, Linear4bit)}
    assert {name.removesuffix(".base_layer") for name in short} == LINEARS
    states = [module.weight.quant_state for module in model.modules() if isinstance(module, Linear4bit)]
    assert all(held.quant_type == "nf4" and held.nested for held in states)  # nested: double quantisation


def test_vision_is_not_there() -> None:
    assert not [name for name, _ in load("full").named_parameters() if "image" in name or "vision" in name]


@pytest.mark.parametrize("layout", ["native", "released"])
def test_the_speech_adapter_goes_on_as_transformers_loads_it(layout: str) -> None:
    """Twin: transformers' own loader, on the native folder; of the longer recording, which is not padded."""
    from transformers import Phi4MultimodalForCausalLM

    twin = Phi4MultimodalForCausalLM.from_pretrained(str(released()), dtype=torch.float32)
    bare = logits(twin)[0]
    ours = load_model(released(layout), adapter=AdapterConfig(start="fresh", rank=4), dtype="float32")
    torch.testing.assert_close(logits(ours)[0], bare, rtol=0, atol=1e-5)
    twin.load_adapter(str(released() / "speech-lora"), adapter_name="speech")
    expected = logits(twin)[0]
    assert (expected - bare).abs().max() > 1e-3
    for adapter in (SPEECH, FRESH):
        ours = load_model(released(layout), adapter=adapter, dtype="float32")
        torch.testing.assert_close(logits(ours)[0], expected, rtol=0, atol=1e-5)
    assert ours.generation_config.eos_token_id == twin.generation_config.eos_token_id


def test_four_bit_weights_are_those_of_transformers() -> None:
    from bitsandbytes.functional import dequantize_4bit
    from transformers import BitsAndBytesConfig, Phi4MultimodalForCausalLM

    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
        llm_int8_skip_modules=["model.embed_tokens_extend", "lm_head"],
    )
    twin = Phi4MultimodalForCausalLM.from_pretrained(str(released()), quantization_config=settings, dtype=torch.float32)
    ours = load("qlora", AdapterConfig(start="fresh", rank=4)).get_base_model()
    for name in sorted(LINEARS):
        pair = [twin.get_submodule(name).weight, ours.get_submodule(name).base_layer.weight]
        first, second = (dequantize_4bit(weight.data, weight.quant_state) for weight in pair)
        torch.testing.assert_close(second, first, rtol=0, atol=0)


def test_merged_answers_like_unmerged(tmp_path: Path) -> None:
    for adapter in (SPEECH, FRESH):
        model = load("lora", adapter)
        learn(model)
        save_tuned(model, tmp_path / "tuned")
        expected = logits(model)
        torch.testing.assert_close(logits(load_tuned(tmp_path / "tuned", dtype="float32")), expected, rtol=0, atol=1e-5)
        merged = merge(model)
        assert type(merged).__name__ == "Phi4MultimodalForCausalLM"
        torch.testing.assert_close(logits(merged), expected, rtol=0, atol=1e-5)


def test_four_bit_weights_are_not_merged_into(tmp_path: Path) -> None:
    model = load("qlora")
    with pytest.raises(ConfigError, match="4-bit, whose steps are coarser"):
        merge(model)
    save_tuned(model, tmp_path / "tuned")
    with pytest.raises(ConfigError, match="exclude each other"):
        load_tuned(tmp_path / "tuned", merged=True)
    # Without them the adapter stands on weights that it did not learn on: near, not equal.
    far = (logits(load_tuned(tmp_path / "tuned", dtype="float32", four_bit=False)) - logits(model)).abs()
    assert 1e-4 < float(far.max()) < 1.0


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_peft_reads_what_we_save(tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import Phi4MultimodalForCausalLM

    model = load("lora", SPEECH)
    learn(model)
    save_tuned(model, tmp_path / "tuned")
    names = {path.name for path in (tmp_path / "tuned").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "tuned.json"}
    base = Phi4MultimodalForCausalLM.from_pretrained(str(released()), dtype=torch.float32)
    torch.testing.assert_close(
        logits(PeftModel.from_pretrained(base, str(tmp_path / "tuned")))[0], logits(model)[0], rtol=0, atol=1e-5
    )


def test_transformers_reads_a_whole_model_that_we_save(tmp_path: Path) -> None:
    from transformers import Phi4MultimodalForCausalLM

    model = load("full")
    save_tuned(model, tmp_path / "tuned")
    twin, report = Phi4MultimodalForCausalLM.from_pretrained(
        str(tmp_path / "tuned"), dtype=torch.float32, output_loading_info=True
    )
    torch.testing.assert_close(logits(twin)[0], logits(model)[0], rtol=0, atol=1e-5)
    # Only what speech never runs is missing; lm_head is the embedding.
    assert all(re.search(r"image_embed|vision_speech", name) for name in report["missing_keys"])
    assert (tmp_path / "tuned" / "tokenizer.json").is_file()


@pytest.mark.parametrize("regime", ["hybrid", "scratch"])
def test_restoring_brings_back_every_learned_tensor(regime: str, tmp_path: Path) -> None:
    model = load(regime)
    learn(model)
    save_tuned(model, tmp_path / "tuned")
    fresh = load(regime)
    restore(fresh, tmp_path / "tuned")
    expected = state(model)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state(fresh).items())
    assert {n for n, p in fresh.named_parameters() if p.requires_grad} == {
        n for n, p in model.named_parameters() if p.requires_grad
    }


def test_saving_replaces_an_older_one_and_nothing_else(tmp_path: Path) -> None:
    model = load("lora")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    with pytest.raises(ConfigError, match="not empty and no tuned model"):
        save_tuned(model, tmp_path / "mine")
    for _ in range(2):
        save_tuned(model, tmp_path / "tuned")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "tuned"]


def test_state_gathered_elsewhere_is_saved(tmp_path: Path) -> None:
    """As under FSDP: the model's own tensors are not asked."""
    model = load("hybrid")
    learn(model)
    gathered = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    expected = logits(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.zero_()
    save_tuned(model, tmp_path / "tuned", state=gathered)
    torch.testing.assert_close(logits(load_tuned(tmp_path / "tuned", dtype="float32")), expected, rtol=0, atol=1e-6)


def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        model = load("unfreeze", gradient_checkpointing=checkpointing).train()
        assert model.get_base_model().model.layers[0].gradient_checkpointing is checkpointing
        model(**batch()).loss.backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.requires_grad})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("regime", ["lora", "qlora"])
def test_an_evaluation_in_between_changes_no_gradient(regime: str) -> None:
    model = load(regime)
    gradients = []
    for _ in range(2):
        model.train()
        model.zero_grad()
        model(**batch()).loss.backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
        logits(model)
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(second, first, rtol=0, atol=0)


def test_attention_is_chosen_for_the_language_model_alone() -> None:
    """The audio encoder's bias by distance needs an attention that adds one."""
    model = load("lora", attention="eager").get_base_model()
    assert model.config._attn_implementation == "eager"
    assert model.config.audio_config._attn_implementation == "sdpa"
    torch.testing.assert_close(logits(model), logits(load("lora")), rtol=0, atol=1e-5)


def test_what_learns_is_kept_in_float32_over_bfloat16() -> None:
    model = load_model(released(), regime="unfreeze", adapter=FRESH)
    types = {name: parameter.dtype for name, parameter in model.named_parameters()}
    assert {types[name] for name in types if should_learn(name, "unfreeze")} == {torch.float32}
    assert {types[name] for name in types if not should_learn(name, "unfreeze")} == {torch.bfloat16}
    half = load_model(released(), regime="unfreeze", adapter=FRESH, encoder_dtype="bfloat16")
    assert {p.dtype for n, p in half.named_parameters() if AUDIO in n} == {torch.bfloat16}
    assert torch.isfinite(logits(model)).all()


def test_eva_shares_ranks_out_and_comes_back(tmp_path: Path) -> None:
    adapter = AdapterConfig(start="merged", method="eva", rank=3, alpha=6.0, dropout=0.0, eva_rho=2.0)
    model = load("lora", adapter)
    expected = logits(model)
    with pytest.raises(ConfigError, match="tokens of answers; eva seeks 12 directions"):
        prepare_eva(load("lora", replace(adapter, rank=6)), [batch()])
    with pytest.raises(ConfigError, match="did not settle in 2 batches"):
        prepare_eva(load("lora", adapter), [batch() | {"labels": batch()["input_ids"]}], most_passes=2)
    # Four tokens of an answer are too few: here the whole text counts.
    prepare_eva(model, [batch() | {"labels": batch()["input_ids"]}] * 4)
    torch.testing.assert_close(logits(model), expected, rtol=0, atol=1e-5)  # B is still zero
    ranks = {module.r["default"] for module in model.modules() if hasattr(module, "lora_A")}
    assert len(ranks) > 1
    learn(model)
    save_tuned(model, tmp_path / "tuned")
    for merged in (False, True):
        again = load_tuned(tmp_path / "tuned", dtype="float32", merged=merged)
        torch.testing.assert_close(logits(again), logits(model), rtol=0, atol=1e-5)


def test_eva_decomposes_in_full_precision_whatever_else_is_computed_in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    plain = torch.svd_lowrank

    def spy(matrix: torch.Tensor, **settings: Any) -> Any:
        seen.append((matrix.dtype, torch.is_autocast_enabled("cpu")))
        return plain(matrix, **settings)

    monkeypatch.setattr(torch, "svd_lowrank", spy)
    model = load("lora", AdapterConfig(start="fresh", method="eva", rank=2, alpha=4.0, dropout=0.0))
    with torch.autocast("cpu", torch.bfloat16):
        prepare_eva(model, [batch() | {"labels": batch()["input_ids"]}] * 4)
    assert seen
    assert not any(is_mixed or matrix == torch.bfloat16 for matrix, is_mixed in seen)


def test_adalora_prunes_to_its_target_and_comes_back(tmp_path: Path) -> None:
    model = load("lora", AdapterConfig(start="merged", method="adalora", rank=2, first_rank=4, dropout=0.0, updates=10))
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for update in range(1, 11):
        model(**batch()).loss.backward()
        optimizer.step()
        after_update(model, update)
        optimizer.zero_grad()
        if update == 8:
            save_tuned(model, tmp_path / "resumed")
            halfway = state(model)
    kept = sum(int((p != 0).sum()) for n, p in model.named_parameters() if "lora_E" in n)
    assert kept == 2 * len(LINEARS)
    save_tuned(model, tmp_path / "tuned")
    torch.testing.assert_close(
        logits(load_tuned(tmp_path / "tuned", dtype="float32")), logits(model), rtol=0, atol=1e-5
    )
    restore(model, tmp_path / "resumed")
    assert all(torch.equal(tensor, halfway[name]) for name, tensor in state(model).items())
    after_update(model, 9)
    model.peft_config["default"].rank_pattern = None
    with pytest.raises(ConfigError, match="pruned for the last time at update 7, and at 9 nobody remembers what"):
        after_update(model, 9)


def test_ranks_by_module_come_back(tmp_path: Path) -> None:
    pattern = r"layers\.1\.mlp\.(gate_up_proj|down_proj)"
    adapter = AdapterConfig(
        start="merged", rank=2, alpha=4.0, dropout=0.0, rank_pattern={pattern: 6}, alpha_pattern={pattern: 12.0}
    )
    model = load("lora", adapter)
    ranks = {name: module.r["default"] for name, module in model.named_modules() if hasattr(module, "lora_A")}
    assert sorted(ranks.values()) == [2] * 6 + [6] * 2
    learn(model)
    save_tuned(model, tmp_path / "tuned")
    for merged in (False, True):
        again = load_tuned(tmp_path / "tuned", dtype="float32", merged=merged)
        torch.testing.assert_close(logits(again), logits(model), rtol=0, atol=1e-5)


def encoder_of(model: Any) -> Any:
    """The audio encoder of a model without an adapter."""
    return model.model.embed_tokens_extend.audio_embed.encoder.eval()


@pytest.mark.parametrize("padding", [8, 100, 5000])
def test_padding_is_not_heard(padding: int) -> None:
    """The twin hears it: its states change by 3 % to more than themselves. 5,000 frames are taken in chunks."""
    from transformers import Phi4MultimodalForCausalLM

    twin = Phi4MultimodalForCausalLM.from_pretrained(str(released()), dtype=torch.float32)
    speech = torch.randn(1, 96, 80, generator=torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(speech, (0, 0, 0, padding))
    is_speech = torch.arange(96 + padding)[None] < 96
    changes, alone = [], []
    for encoder in (encoder_of(load("scratch")), encoder_of(twin)):
        with torch.no_grad():
            # The convolutions before it see one frame of padding in the twelfth and last state.
            alone.append(encoder(speech, None)[:, :11])
            beside = encoder(padded, is_speech)[:, :11]
        changes.append(float((beside - alone[-1]).norm() / alone[-1].norm()))
    assert changes[0] < 1e-5 < 0.01 < changes[1]
    torch.testing.assert_close(*alone, rtol=0, atol=1e-5)


def test_long_recordings_are_heard_as_before() -> None:
    """More than 40 s go through in chunks, the last of which the encoder itself pads."""
    from transformers import Phi4MultimodalForCausalLM

    twin = Phi4MultimodalForCausalLM.from_pretrained(str(released()), dtype=torch.float32)
    speech = torch.randn(1, 4400, 80, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(
            encoder_of(load("scratch"))(speech, None), encoder_of(twin)(speech, None), rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_beside_much_padding_are_finite(dtype: torch.dtype) -> None:
    encoder = copy.deepcopy(encoder_of(load("scratch"))).to(dtype)
    assert encoder.forward_embeddings.__self__ is encoder  # a copy masks by itself
    is_speech = torch.arange(800)[None] < torch.tensor([800, 8])[:, None]
    encoder(torch.randn(2, 800, 80, dtype=dtype), is_speech)[1, :1].square().mean().backward()
    gradients = [parameter.grad for parameter in encoder.parameters() if parameter.grad is not None]
    assert len(gradients) > 10
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_random_weights_need_no_folder() -> None:
    source = random_source("tiny", seed=3, processor=released(), speech_rank=RANK)
    model = load_model(source, adapter=SPEECH, dtype="float32")
    assert torch.isfinite(logits(model)).all()
    torch.testing.assert_close(
        logits(load_model(source, adapter=SPEECH, dtype="float32")), logits(model), rtol=0, atol=0
    )


@pytest.mark.parametrize(
    ("regime", "settings", "message"),
    [
        ("everything", {}, "regime is 'everything'; expected one of lora, unfreeze"),
        (
            "lora",
            {"adapter": AdapterConfig()},
            "rank is 320 and alpha 640; the speech adapter that goes on has rank 8",
        ),
        ("full", {"adapter": SPEECH}, "no adapter that could go on"),
        ("scratch", {"adapter": FRESH}, "take away its settings"),
        ("lora", {"adapter": FRESH, "dtype": "int8"}, "dtype is 'int8'; expected one of bfloat16"),
        ("lora", {"adapter": FRESH, "device": "cuda"}, "torch sees no GPU"),
        ("lora", {"adapter": FRESH, "attention": "fast"}, "attention is 'fast'; expected one of sdpa, flash"),
        ("lora", {"adapter": FRESH, "attention": "flash_attention_2"}, "with bfloat16 on cpu; it needs the package"),
    ],
)
def test_settings_that_cannot_be(regime: str, settings: dict[str, Any], message: str) -> None:
    if "GPU" in message and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match=message):
        load_model(released(), regime=regime, **settings)  # type: ignore[arg-type]
