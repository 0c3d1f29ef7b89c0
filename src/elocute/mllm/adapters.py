"""Adapters of the language model: what they are asked to be, attached, and tended while they learn."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from elocute.errors import ConfigError, MissingExtraError
from elocute.mllm.layout import LANGUAGE_LINEARS
from elocute.mllm.low_rank import LowRank

Start = Literal["speech", "merged", "fresh"]
Method = Literal["lora", "eva", "adalora"]
NAME = "default"
"""Under this name peft knows the adapter that we train."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfig:
    """An adapter on every linear of the language model.

    Attributes:
        rank: of every pair of matrices; with "adalora" the mean that remains. The released speech adapter has 320.
        alpha: what the pair gives is multiplied with alpha / rank ("adalora": alpha / first_rank). The released one
            has 640.
        dropout: of what enters the pair.
        rslora: multiply with alpha / sqrt(rank) instead.
        start: "speech" continues the released speech adapter; "merged" adds it to the weights and puts a fresh one
            on top; "fresh" does without it, which leaves the released model weak on speech.
        method: "lora"; "eva", whose first matrices come from an incremental SVD of calibration inputs and whose ranks
            are shared out by explained variance (give the loaded model to `prepare_eva`); "adalora", which prunes
            ranks while training (call `after_update` after every update).
        rank_pattern: other ranks, by the tail of a module's name (a regular expression).
        alpha_pattern: other alphas, likewise.
        eva_rho: with "eva": no rank may grow beyond this times `rank`.
        first_rank: with "adalora": rank of all pairs at first; None is one and a half times `rank`.
        updates: with "adalora": how many updates the training will have.
    """

    rank: int = 320
    alpha: float = 640.0
    dropout: float = 0.01
    rslora: bool = False
    start: Start = "speech"
    method: Method = "lora"
    rank_pattern: Mapping[str, int] = field(default_factory=dict)
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    eva_rho: float = 2.0
    first_rank: int | None = None
    updates: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: a number is out of range, or two settings contradict each other.
        """
        ranks = {"rank": self.rank, **{f"rank_pattern[{key!r}]": value for key, value in self.rank_pattern.items()}}
        for name, value in ranks.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"adapter.{name} is {value!r}; expected a whole number from 1 on")
        alphas = {"alpha": self.alpha, **{f"alpha_pattern[{k!r}]": v for k, v in self.alpha_pattern.items()}}
        for name, alpha in alphas.items():
            if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < math.inf:
                raise ConfigError(f"adapter.{name} is {alpha!r}; expected a number above 0")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"adapter.dropout is {self.dropout}; expected at least 0 and less than 1")
        for name, chosen, known in (("start", self.start, Start), ("method", self.method, Method)):
            if chosen not in get_args(known):
                raise ConfigError(f"adapter.{name} is {chosen!r}; expected one of {', '.join(get_args(known))}")
        self._check_together()

    def _check_together(self) -> None:
        """ConfigError where two settings contradict each other."""
        if self.start == "speech" and self.method != "lora":
            raise ConfigError(
                f"adapter.start is 'speech' and adapter.method {self.method!r}; the released adapter goes on as plain "
                "LoRA, so choose start = 'merged' or method = 'lora'"
            )
        if self.start == "speech" and (self.rank_pattern or self.rslora):
            raise ConfigError(
                "adapter.start is 'speech', whose ranks and scale are given; take away rank_pattern and rslora, or "
                "choose start = 'merged'"
            )
        if self.method == "adalora":
            if not self.updates or self.updates < 10:
                raise ConfigError(
                    f"adapter.updates is {self.updates}; adalora must know how many updates follow, at least 10"
                )
            if self.first_rank is not None and self.first_rank < self.rank:
                raise ConfigError(f"adapter.first_rank is {self.first_rank}; expected at least the rank, {self.rank}")
            if self.rslora or self.rank_pattern:
                raise ConfigError("adalora finds its ranks and scale itself; take away rslora and rank_pattern")
        if self.eva_rho < 1:
            raise ConfigError(f"adapter.eva_rho is {self.eva_rho}; expected at least 1")

    def table(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self) | {"rank_pattern": dict(self.rank_pattern), "alpha_pattern": dict(self.alpha_pattern)}


def peft_config(adapter: AdapterConfig) -> Any:
    """The configuration of peft that says the same."""
    import_peft()
    from peft import AdaLoraConfig, EvaConfig, LoraConfig

    common: dict[str, Any] = {
        "lora_alpha": adapter.alpha,
        "lora_dropout": adapter.dropout,
        "target_modules": LANGUAGE_LINEARS,
        "task_type": "CAUSAL_LM",
    }
    if adapter.method == "adalora":
        assert adapter.updates is not None
        return AdaLoraConfig(
            **common,
            init_r=adapter.first_rank or math.ceil(1.5 * adapter.rank),
            target_r=adapter.rank,
            tinit=adapter.updates // 10,
            tfinal=adapter.updates // 3,
            deltaT=max(1, adapter.updates // 100),
            total_step=adapter.updates,
        )
    if adapter.method == "eva":
        common |= {"init_lora_weights": "eva", "eva_config": EvaConfig(rho=adapter.eva_rho)}
    return LoraConfig(
        **common,
        r=adapter.rank,
        use_rslora=adapter.rslora,
        rank_pattern=dict(adapter.rank_pattern),
        alpha_pattern=dict(adapter.alpha_pattern),
    )


def attach(model: Any, adapter: AdapterConfig, *, learns: bool = True) -> Any:
    """The model with a fresh adapter on it, in which B is zero, so that nothing changes at first.

    Args:
        model: of transformers, without an adapter.
        adapter: what to attach.
        learns: keep the adapter in float32, as training needs it under mixed precision; else in the model's type.
    """
    return _with_adapter(model, peft_config(adapter), learns=learns)


def _with_adapter(model: Any, config: Any, *, learns: bool) -> Any:
    """The model wrapped by peft."""
    import torch

    peft = import_peft()
    device = next(model.parameters()).device
    # Made where they stay: rank 320 of the full model draws 460 million numbers, half a minute of a CPU.
    with warnings.catch_warnings(), torch.device(device):
        # peft asks for a property that transformers 5.23 calls by another name; it advises to leave an "eva" adapter
        # without memory until it is prepared, which nobody could save or count; and it does not know its own keys in
        # the ranks that adalora writes.
        for message in ("`is_gradient_checkpointing` is deprecated", "lora with eva initialization", ".*lora_E.*"):
            warnings.filterwarnings("ignore", message=message)
        return peft.get_peft_model(model, config, adapter_name=NAME, autocast_adapter_dtype=learns)


def attach_saved(model: Any, folder: Path) -> Any:
    """The model with an adapter as a folder's `adapter_config.json` describes it, in the model's type, still empty."""
    peft = import_peft()
    config = peft.PeftConfig.from_pretrained(str(folder))
    config.inference_mode = True
    if hasattr(config, "init_lora_weights"):
        config.init_lora_weights = True  # its weights come from the file, whatever they began with
    return _with_adapter(model, config, learns=False)


def continued(adapter: AdapterConfig, speech: LowRank) -> AdapterConfig:
    """The adapter's settings when it goes on from the released one.

    Raises:
        ConfigError: rank or alpha differ from the released one's.
    """
    if (adapter.rank, adapter.alpha) != (speech.rank, speech.alpha):
        raise ConfigError(
            f"adapter.rank is {adapter.rank} and alpha {adapter.alpha:g}; the speech adapter that goes on has rank "
            f"{speech.rank} and alpha {speech.alpha:g}; set these, or start = 'merged' for a fresh one of another rank"
        )
    return adapter


def fill(model: Any, tensors: LowRank) -> None:
    """Put trained matrices into the attached adapter.

    Raises:
        ConfigError: they are for other modules or of other shapes.
    """
    import torch

    pairs = dict(adapted(model))
    unknown, absent = sorted(tensors.a.keys() - pairs.keys()), sorted(pairs.keys() - tensors.a.keys())
    if unknown or absent:
        raise ConfigError(
            f"the adapter has {len(unknown)} modules that the model has not and lacks {len(absent)}, first "
            f"{(unknown + absent)[0]}; expected every linear of the language model"
        )
    for name, module in pairs.items():
        for held, given in (
            (module.lora_A[NAME].weight, tensors.a[name]),
            (module.lora_B[NAME].weight, tensors.b[name]),
        ):
            if held.shape != given.shape:
                raise ConfigError(
                    f"the adapter has shape {tuple(given.shape)} for {name}; the model needs {tuple(held.shape)}"
                )
            with torch.no_grad():
                held.copy_(given)


def adapted(model: Any) -> list[tuple[str, Any]]:
    """Names (of the model without adapter) and layers that carry an adapter."""
    from peft.tuners.lora import LoraLayer

    prefix = "base_model.model."
    return [
        (name.removeprefix(prefix), module) for name, module in model.named_modules() if isinstance(module, LoraLayer)
    ]


def prepare_eva(model: Any, batches: Sequence[Mapping[str, Any]], *, most_passes: int = 500) -> None:
    """Give an "eva" adapter its first matrices and ranks.

    Never in mixed precision, whatever the caller computes in: the decomposition of the activations runs inside of the
    forward pass, and a GPU has none for bf16.

    Args:
        model: loaded with `AdapterConfig(method="eva")`.
        batches: tensors on the model's device, as the collator makes them; gone through again and again until the
            directions of the answers' tokens hardly turn any more. A few dozen do.
        most_passes: batches to go through at most.

    Raises:
        ConfigError: a batch has fewer tokens of answers than directions are sought, or they do not settle.
    """
    import torch
    from peft import initialize_lora_eva_weights

    config = model.peft_config[NAME]
    wanted = round(max([config.r, *config.rank_pattern.values()]) * config.eva_config.rho)
    heard = ((batch["labels"] != -100) & batch["attention_mask"].bool() for batch in batches)
    fewest = min((int(mask.sum()) for mask in heard), default=0)
    if fewest < wanted:
        raise ConfigError(
            f"a calibration batch has {fewest} tokens of answers; eva seeks {wanted} directions (rank x rho) in each, "
            "so give larger batches, a smaller rank or a smaller adapter.eva_rho"
        )
    types = {name: p.dtype for name, p in model.named_parameters() if p.requires_grad}
    passes = 0

    def forward(inner: Any, inputs: Mapping[str, Any]) -> None:
        nonlocal passes
        passes += 1
        if passes > most_passes:
            raise ConfigError(f"eva's directions did not settle in {most_passes} batches; give more and larger batches")
        inner(**inputs)

    with torch.autocast(model.device.type, enabled=False):
        initialize_lora_eva_weights(model, batches, forward_fn=forward, show_progress_bar=False)
    for name, parameter in model.named_parameters():
        # Pairs of another rank are new, and come frozen or not, and in the type of the weights beneath.
        parameter.requires_grad_(name in types)
        if name in types:
            parameter.data = parameter.data.to(types[name])


def after_update(model: Any, update: int) -> None:
    """What an adapter must do after update number `update`, counted from 1: "adalora" prunes, others do nothing.

    Raises:
        ConfigError: the last pruning has been, and this process neither did it nor restored it.
    """
    inner = getattr(model, "base_model", None)
    if inner is None or not hasattr(inner, "update_and_allocate"):
        return
    config = model.peft_config[NAME]
    if update > config.total_step - config.tfinal and config.rank_pattern is None:
        raise ConfigError(
            f"adalora should have pruned for the last time at update {config.total_step - config.tfinal}, and at "
            f"{update} nobody remembers what; start again, or go on from a model of save_tuned with restore"
        )
    inner.update_and_allocate(update)


def import_peft() -> Any:
    """The package peft.

    Raises:
        MissingExtraError: it is not installed.
    """
    quiet_bitsandbytes()
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError("peft is not installed, which adapters need; install elocute[phi4]") from error
    return peft


def quiet_bitsandbytes() -> None:
    """On being imported (peft does it) it warns that a kernel of another package is not there, as it should be."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
