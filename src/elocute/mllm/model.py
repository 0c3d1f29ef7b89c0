"""Phi-4-multimodal for speech, loaded for one of six regimes of training, or as a training left it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from elocute.errors import ConfigError
from elocute.mllm.adapters import AdapterConfig, attach, attach_saved, continued, fill
from elocute.mllm.assembling import assemble, audio_of, torch_dtype
from elocute.mllm.layout import AUDIO
from elocute.mllm.low_rank import LowRank, read_adapter
from elocute.mllm.tuned import Tuning, fill_adapter, fill_audio, read_tuning, restore, save_tuned
from elocute.mllm.weights import Source, open_checkpoint

__all__ = [
    "FOUR_BIT",
    "UNFROZEN",
    "WHOLE",
    "AdapterConfig",
    "Regime",
    "Trainable",
    "load_model",
    "load_tuned",
    "merge",
    "restore",
    "save_tuned",
    "trainable",
]

log = logging.getLogger(__name__)

Regime = Literal["lora", "unfreeze", "qlora", "hybrid", "full", "scratch"]
FOUR_BIT = ("qlora", "hybrid")
"""Regimes whose language model is NF4 with double quantisation; nothing else of the model is."""
UNFROZEN = ("unfreeze", "hybrid")
"""Regimes in which the audio encoder and its projector learn beside the adapter."""
WHOLE = ("full", "scratch")
"""Regimes without an adapter, in which everything learns."""


def load_model(
    source: Path | str | Source,
    *,
    regime: Regime = "lora",
    adapter: AdapterConfig | None = None,
    dtype: Any = "bfloat16",
    device: Any = "cpu",
    attention: str | None = None,
    gradient_checkpointing: bool = False,
    encoder_dtype: Any = "float32",
) -> Any:
    """A model whose parameters learn as a regime says, and no others.

    Args:
        source: folder of the released model in either layout, one that `build_random` wrote, or weights of another
            source (`random_source`).
        regime: "lora": the adapter. "unfreeze": also the audio encoder and its projector. "qlora", "hybrid": these two
            over a language model in NF4. "full", "scratch": everything.
        adapter: None takes the defaults, for "full" its start "merged" where there is a speech adapter. "scratch" has
            none.
        dtype: of the frozen weights, and of all weights with "full" and "scratch".
        device: where the model shall be.
        attention: of transformers: "sdpa", "flash_attention_2", "eager"; None takes the second where the GPU and
            flash-attn are there and the type is half as long.
        gradient_checkpointing: compute the language model's layers again in the backward pass rather than keep them.
        encoder_dtype: of an audio encoder that learns. In bfloat16 most steps of 2e-5 are lost to rounding, because
            they are less than half of the distance between two neighbouring values.

    Returns: a PeftModel, or with "full" and "scratch" a Phi4MultimodalForCausalLM; in evaluation mode.

    Raises:
        ConfigError: the folder, or the settings, cannot be used.
        MissingExtraError: peft or bitsandbytes is not installed.
    """
    if regime not in get_args(Regime):
        raise ConfigError(f"regime is {regime!r}; expected one of {', '.join(get_args(Regime))}")
    weights: Source = open_checkpoint(source) if isinstance(source, Path | str) else source
    plan = _plan(weights, regime, adapter)
    model = assemble(
        weights, dtype=dtype, device=device, attention=attention, four_bit=regime in FOUR_BIT, merged=plan.merged
    )
    if regime in UNFROZEN:
        audio_of(model).to(torch_dtype(encoder_dtype))
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(regime in WHOLE)
    if gradient_checkpointing:
        _checkpoint(model)
    if plan.adapter is not None:
        model = attach(model, plan.adapter)
        if plan.continued is not None:
            fill(model, plan.continued)
    if regime in UNFROZEN:
        audio_of(model).requires_grad_(True)
    model.elocute_tuning = Tuning(
        regime=regime, adapter=plan.settings, base=weights.place, fingerprint=weights.fingerprint()
    )
    return model.eval()


def _checkpoint(model: Any) -> None:
    """Compute layers again in the backward pass."""
    # Without re-entering, inputs that need no gradient (frozen embeddings) do not break the chain.
    settings = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):  # so called from transformers 5.23 on
        model.activation_checkpointing_enable(settings)
    else:
        model.gradient_checkpointing_enable(settings)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """What becomes of the speech adapter, and what is attached."""

    adapter: AdapterConfig | None
    settings: AdapterConfig | None
    merged: tuple[LowRank, ...] = ()
    continued: LowRank | None = None


def _plan(source: Source, regime: Regime, adapter: AdapterConfig | None) -> _Plan:
    """What a regime and an adapter's settings ask for."""
    if regime == "scratch":
        if adapter is not None:
            raise ConfigError("regime 'scratch' trains every weight and has no adapter; take away its settings")
        return _Plan(adapter=None, settings=None)
    if regime == "full" and adapter is None:
        speech = source.speech()
        log.info("%s: speech adapter %s", source.place, "merged" if speech else "absent")
        return _Plan(adapter=None, settings=None, merged=(speech,) if speech else ())
    adapter = adapter or AdapterConfig()
    if regime == "full" and adapter.start == "speech":
        raise ConfigError("regime 'full' has no adapter that could go on; set adapter.start to 'merged' or 'fresh'")
    attached = None if regime == "full" else adapter
    if adapter.start == "fresh":
        return _Plan(adapter=attached, settings=adapter)
    speech = source.speech()
    if speech is None:
        raise ConfigError(
            f"{source.place} has no speech adapter (folder speech-lora), with which adapter.start = {adapter.start!r} "
            "begins; fetch it, or set start = 'fresh'"
        )
    if adapter.start == "merged":
        return _Plan(adapter=attached, settings=adapter, merged=(speech,))
    return _Plan(adapter=continued(adapter, speech), settings=adapter, continued=speech)


def load_tuned(
    folder: Path | str,
    base: Path | str | Source | None = None,
    *,
    dtype: Any = "bfloat16",
    device: Any = "cpu",
    attention: str | None = None,
    four_bit: bool | None = None,
    merged: bool | None = None,
) -> Any:
    """A model as a training left it, to be used.

    Args:
        folder: that `save_tuned` wrote.
        base: the weights that it was trained on; None takes the folder that it remembers. Not needed where the whole
            model was trained.
        dtype: of its weights.
        device: where it shall be.
        attention: as `load_model`.
        four_bit: keep the language model in NF4; None does what the training did.
        merged: add the adapter to the weights, with which a model answers nearly twice as fast, and without peft; None
            does so except with 4-bit weights, into which it cannot be done.

    Returns: a PeftModel, or a Phi4MultimodalForCausalLM where nothing is attached; no parameter learns.

    Raises:
        ConfigError: the folder is none of ours, or the base is missing or another one.
    """
    folder = Path(folder)
    tuning = read_tuning(folder)
    whole = tuning.adapter is None or tuning.regime in WHOLE
    if whole:
        source: Source = open_checkpoint(folder)
    else:
        source = _base_of(folder, tuning, base)
    four_bit = tuning.regime in FOUR_BIT if four_bit is None else four_bit
    merged = not four_bit if merged is None else merged
    if four_bit and merged:
        raise ConfigError(
            "four_bit and merged exclude each other: the steps of 4-bit weights are coarser than most of what an "
            "adapter adds; choose one"
        )
    below: tuple[LowRank, ...] = ()
    if not whole and tuning.adapter is not None and tuning.adapter.start == "merged":
        speech = source.speech()
        below = () if speech is None else (speech,)
    above: tuple[LowRank, ...] = (read_adapter(folder),) if merged and not whole else ()
    model = assemble(
        source, dtype=dtype, device=device, attention=attention, four_bit=four_bit, merged=(*below, *above)
    )
    if tuning.regime in UNFROZEN:
        fill_audio(model, folder)
    model.requires_grad_(False)
    if not whole and not merged:
        model = attach_saved(model, folder)
        fill_adapter(model, folder)
    model.elocute_tuning = tuning
    return model.requires_grad_(False).eval()


def _base_of(folder: Path, tuning: Tuning, base: Path | str | Source | None) -> Source:
    """The weights beneath an adapter, which must be those that it was trained on."""
    place = tuning.base if base is None else base
    if base is None and not Path(tuning.base).is_dir():
        raise ConfigError(f"{folder} was trained on {tuning.base}, which is not there; say where its base model is now")
    source: Source = open_checkpoint(place) if isinstance(place, Path | str) else place
    if source.fingerprint() != tuning.fingerprint:
        raise ConfigError(
            f"{folder} was trained on other weights than {source.place} holds; give the folder of its own base model, "
            f"which was {tuning.base}"
        )
    return source


def merge(model: Any) -> Any:
    """The model with its adapter added to the weights, and no adapter; the same answers, up to rounding.

    Raises:
        ConfigError: the weights are 4-bit, in which most of an adapter would be lost.
    """
    if not hasattr(model, "merge_and_unload"):
        return model
    if getattr(model.get_base_model(), "is_loaded_in_4bit", False):
        raise ConfigError(
            "the weights are 4-bit, whose steps are coarser than most of what an adapter adds; save the model and load "
            "it with load_tuned(folder, merged=True, four_bit=False)"
        )
    return model.merge_and_unload()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainable:
    """Parameters that learn, and all, of each part of a model.

    Attributes:
        parts: by name: how many learn, how many there are.
    """

    parts: Mapping[str, tuple[int, int]]

    @property
    def learns(self) -> int:
        """Parameters that learn."""
        return sum(count for count, _ in self.parts.values())

    @property
    def every(self) -> int:
        """All parameters."""
        return sum(count for _, count in self.parts.values())

    def table(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        parts = {name: {"learns": learns, "of": every} for name, (learns, every) in self.parts.items()}
        return {"learns": self.learns, "of": self.every, "parts": parts}


def trainable(model: Any) -> Trainable:
    """What of a model learns: counted by part, 4-bit weights as many as they stand for."""
    counts: dict[str, tuple[int, int]] = {}
    for name, parameter in model.named_parameters():
        state = getattr(parameter, "quant_state", None)
        count = math.prod(state.shape) if state is not None else parameter.numel()
        learns, every = counts.get(part_of(name), (0, 0))
        counts[part_of(name)] = (learns + count * parameter.requires_grad, every + count)
    return Trainable(parts=counts)


def part_of(name: str) -> str:
    """The part of the model that a parameter belongs to."""
    if ".lora_" in name:
        return "adapter"
    if f"{AUDIO}encoder." in name:
        return "audio encoder"
    if AUDIO in name:
        return "audio projector"
    return "embeddings" if "embed_tokens." in name or "lm_head." in name else "language model"
