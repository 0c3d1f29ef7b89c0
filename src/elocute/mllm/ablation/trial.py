"""One training of an ablation: the base model with an arm's adapters, adapted, then measured on held-out speakers."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elocute.mllm.ablation.bench import Bench
from elocute.mllm.ablation.entropy import PLACES, ModuleEntropy, calibrate, linear_sites
from elocute.mllm.ablation.files import write_trial
from elocute.mllm.ablation.ranks import RankPlan, Site, allocate, applied, check_applied, entropy_weights, uniform
from elocute.mllm.ablation.recipe import PLACEMENTS, Arm, Trial
from elocute.mllm.ablation.regulariser import adapter_entropies, adapter_pairs, entropy_penalty
from elocute.mllm.adapters import NAME, AdapterConfig, after_update, import_peft, peft_config, prepare_eva
from elocute.mllm.answers import parse_answer
from elocute.mllm.assembling import assemble
from elocute.mllm.collate import IGNORED
from elocute.mllm.evaluation import expected_scores
from elocute.mllm.examples import Example
from elocute.mllm.generation import Generated, generate
from elocute.mllm.model import load_model
from elocute.mllm.weights import open_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A model ready for its training.

    Attributes:
        model: what learns requires gradients.
        entropies: of the inputs of its modules, where they were measured.
    """

    model: Any
    entropies: tuple[ModuleEntropy, ...] = ()


def prepare(bench: Bench, trial: Trial) -> Prepared:
    """The base model with the adapters of an arm, which change nothing yet."""
    arm, dtype = trial.arm, torch.bfloat16 if bench.is_gpu else torch.float32
    torch.manual_seed(trial.seed)
    if arm.allocation == "full":
        # Steps of a small learning rate are lost in bfloat16, so weights that learn are kept longer.
        return Prepared(model=load_model(bench.base, regime="full", dtype=torch.float32, device=bench.device))
    source = open_checkpoint(bench.base)
    speech = source.speech()
    model = assemble(
        source, dtype=dtype, device=bench.device, four_bit=arm.bits == 4, merged=(speech,) if speech else ()
    )
    model.requires_grad_(False)
    if arm.allocation == "none":
        return Prepared(model=model)
    pattern = rf"^(.*\.)?model\.layers\.\d+\.({PLACEMENTS[arm.placement]})$"
    sites = linear_sites(model, _matches(pattern))
    entropies: tuple[ModuleEntropy, ...] = ()
    if arm.allocation in ("entropy", "inverse"):
        with bench.autocast():
            batches = bench.calibration(trial.seed)
            entropies = tuple(calibrate(model, batches, sites, audio_token_id=bench.ids.audio))
    plan = plan_of(arm, sites, entropies, bench)
    model = attach(model, adapter_of(arm, plan, bench), pattern)
    if arm.allocation == "eva":
        prepare_eva(model, bench.calibration(trial.seed))
        for parameter in model.parameters():
            if parameter.requires_grad:  # pairs of a new rank come in the type of the frozen weights
                parameter.data = parameter.data.float()
    elif arm.allocation != "adalora":
        check_applied(model, plan, NAME)
    return Prepared(model=model, entropies=entropies)


def _matches(pattern: str) -> Any:
    """Whether a name is that of a module which shall carry an adapter."""
    import re

    compiled = re.compile(pattern)
    return lambda name: compiled.match(name) is not None


def plan_of(arm: Arm, sites: list[Site], entropies: tuple[ModuleEntropy, ...], bench: Bench) -> RankPlan:
    """Ranks of an arm under the budget of its mean rank."""
    table = bench.recipe.adaptation
    same = uniform(sites, arm.rank, scaling=table.scaling)
    if arm.allocation not in ("entropy", "inverse"):
        return same
    contrast = table.contrast if arm.allocation == "entropy" else -table.contrast
    weights = entropy_weights([one.mixed() for one in entropies], contrast)
    highest = max(1, round(table.largest * arm.rank))
    return allocate(sites, weights, budget=same.parameters, highest=highest, scaling=table.scaling)


def adapter_of(arm: Arm, plan: RankPlan, bench: Bench) -> AdapterConfig:
    """An arm's adapters as the model takes them."""
    table = bench.recipe.adaptation
    common: dict[str, Any] = {"rank": arm.rank, "dropout": table.dropout, "start": "merged"}
    if arm.allocation == "adalora":
        first = math.ceil(1.5 * arm.rank)
        # AdaLoRA divides by the rank it begins with.
        return AdapterConfig(
            **common, alpha=table.scaling * first, method="adalora", first_rank=first, updates=table.updates
        )
    alpha = table.scaling * arm.rank
    if arm.allocation == "eva":
        return AdapterConfig(**common, alpha=alpha, method="eva")
    return AdapterConfig(**common, alpha=alpha, rank_pattern=plan.rank_pattern, alpha_pattern=plan.alpha_pattern)


def attach(model: Any, adapter: AdapterConfig, pattern: str) -> Any:
    """The model with fresh adapters on the modules of a pattern, kept in float32."""
    peft = import_peft()
    config = peft_config(adapter)
    config.target_modules = pattern
    with warnings.catch_warnings():
        # peft asks for a property that transformers 5.23 has renamed, and an adapter without memory cannot be counted.
        for message in ("`is_gradient_checkpointing` is deprecated", "lora with eva initialization"):
            warnings.filterwarnings("ignore", message=message)
        return peft.get_peft_model(model, config, adapter_name=NAME)


def schedule(update: int, updates: int, warm_up_share: float) -> float:
    """Share of the highest learning rate at an update, counted from 1: up in a line, down to 0 as a cosine."""
    warm = max(1, round(warm_up_share * updates))
    if update <= warm:
        return update / warm
    return 0.5 * (1 + math.cos(math.pi * (update - warm) / max(1, updates - warm)))


class Training:
    """The training of one arm, an update at a time."""

    def __init__(self, bench: Bench, trial: Trial, model: Any) -> None:
        table = bench.recipe.adaptation
        self.bench, self.trial, self.model = bench, trial, model
        self.is_full = trial.arm.allocation == "full"
        self.highest = trial.arm.rate * (table.full_learning_rate if self.is_full else table.learning_rate)
        self.learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
        decay = table.weight_decay if self.is_full else 0.0
        groups = [
            {"params": [one for one in self.learned if one.ndim > 1], "weight_decay": decay},
            {"params": [one for one in self.learned if one.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW([group for group in groups if group["params"]], lr=self.highest)
        self.order = bench.order(trial.seed)
        model.train()

    def update(self, number: int) -> Tensor:
        """Update number so much, counted from 1; the loss of its batch."""
        table = self.bench.recipe.adaptation
        for group in self.optimiser.param_groups:
            group["lr"] = self.highest * schedule(number, table.updates, table.warm_up_share)
        batch = self.bench.batch(next(self.order))
        with self.bench.autocast():
            loss: Tensor = self.model(**batch.inputs, labels=batch.labels, use_cache=False).loss
        whole = loss if not self.trial.arm.penalty else loss + entropy_penalty(self.model, self.trial.arm.penalty, NAME)
        whole.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.learned, table.clip)
        self.optimiser.step()
        after_update(self.model, number)
        self.optimiser.zero_grad(set_to_none=True)
        return loss.detach()


def run_trial(bench: Bench, trial: Trial, folder: Path) -> dict[str, Any]:
    """Train an arm with a seed, let it answer, and leave both its answers and its record in a folder.

    Returns: the record: arm, ranks, sizes, losses, seconds, memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bench.tidy()
    began_s = time.perf_counter()
    prepared = prepare(bench, trial)
    model = prepared.model
    ready_s = time.perf_counter()
    curve: list[dict[str, float]] = []
    if trial.arm.allocation != "none":
        curve = _trained(bench, trial, model)
    trained_s = time.perf_counter()
    peak = torch.cuda.max_memory_allocated(bench.device) - bench.bank_bytes if bench.is_gpu else None
    likelihood = answer_likelihood(bench, model)
    answers = answer(bench, model)
    rows = [
        _row(example, given, likelihood[example.key]) for example, given in zip(bench.parts.held, answers, strict=True)
    ]
    ranks = ranks_of(model)
    record = {
        "arm": asdict(trial.arm),
        "name": trial.arm.name,
        "seed": trial.seed,
        **sizes(model, ranks),
        "ranks": ranks,
        "entropies": _entropies(prepared.entropies),
        "adapter_entropy": _adapter_entropy(model),
        "curve": curve,
        "peak_bytes": peak,
        "seconds": {
            "prepare": ready_s - began_s,
            "train": trained_s - ready_s,
            "answer": time.perf_counter() - trained_s,
        },
    }
    write_trial(folder, rows, record)
    return record


def _trained(bench: Bench, trial: Trial, model: Any) -> list[dict[str, float]]:
    """All updates; the mean loss of every few of them."""
    table = bench.recipe.adaptation
    training = Training(bench, trial, model)
    curve, losses = [], []
    for number in range(1, table.updates + 1):
        losses.append(training.update(number))
        if number % table.report_every == 0 or number == table.updates:
            curve.append({"update": number, "loss": float(torch.stack(losses).float().mean())})
            losses = []
    model.eval()
    return curve


def answer_likelihood(bench: Bench, model: Any) -> dict[str, tuple[float, int]]:
    """Negative log-likelihood in nats of each held-out answer, and its number of tokens."""
    found: dict[str, tuple[float, int]] = {}
    model.eval()
    with torch.no_grad(), bench.autocast():
        for examples in bench.held_batches():
            batch = bench.batch(examples)
            logits = model(**batch.inputs, use_cache=False).logits[:, :-1].float()
            labels = batch.labels[:, 1:]
            losses = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
            )
            nats = losses.reshape(labels.shape).sum(1).tolist()
            counts = (labels != IGNORED).sum(1).tolist()
            found.update((one.key, (n, c)) for one, n, c in zip(examples, nats, counts, strict=True))
    return found


def answer(bench: Bench, model: Any) -> tuple[Generated, ...]:
    """The model's answers to all held-out examples, in their order."""
    table = bench.recipe.evaluation
    with bench.autocast():
        made = generate(
            model,
            bench.processor,
            bench.parts.held,
            batch_size=table.batch,
            max_new_tokens=table.longest_answer,
            recordings=bench.recordings,
        )
    return made.answers


def _row(example: Example, given: Generated, likelihood: tuple[float, int]) -> dict[str, Any]:
    """One answer as it is stored."""
    parsed = parse_answer(example.task, given.text)
    return {
        "key": example.key,
        "speaker": example.speaker,
        "task": example.task,
        "text": given.text,
        "is_complete": given.is_complete,
        "expected": expected_scores(given, parsed),
        "nats": round(likelihood[0], 4),
        "tokens": likelihood[1],
    }


def sizes(model: Any, ranks: Mapping[str, int]) -> dict[str, int]:
    """Numbers of parameters and bytes.

    Args:
        model: with its adapters.
        ranks: of them, where there are any.

    Returns: "parameters" of the base, 4-bit weights counted as those that they stand for; "learned"; "kept", those of
        the adapters' ranks in the end, which with AdaLoRA are fewer; "stored_bytes" of all weights in memory.
    """
    learned = sum(one.numel() for one in model.parameters() if one.requires_grad)
    parameters, stored = 0, 0
    cost: dict[str, int] = {}
    for name, one in model.named_parameters():
        stored += one.numel() * one.element_size()
        module, is_adapter, side = name.removeprefix("base_model.model.").partition(".lora_")
        if is_adapter:  # a row of A and a column of B, and with AdaLoRA the factor between them
            cost[module] = cost.get(module, 0) + one.numel() // one.shape[1 if side.startswith("B") else 0]
        elif not name.endswith(f".ranknum.{NAME}"):
            state = getattr(one, "quant_state", None)
            parameters += one.numel() if state is None else math.prod(state.shape)
    kept = sum(rank * cost[name] for name, rank in ranks.items())
    return {"parameters": parameters, "learned": learned, "kept": kept if ranks else learned, "stored_bytes": stored}


def ranks_of(model: Any) -> dict[str, int]:
    """Rank of every module's adapter; of AdaLoRA, how many directions its pruning left."""
    base = getattr(model, "base_model", None)
    if hasattr(base, "update_and_allocate"):
        return {
            name.removesuffix(f".lora_E.{NAME}").removeprefix("base_model.model."): int((weight != 0).sum())
            for name, weight in model.named_parameters()
            if name.endswith(f".lora_E.{NAME}")
        }
    return {name: one.rank for name, one in applied(model, NAME).items()}


def _entropies(found: tuple[ModuleEntropy, ...]) -> dict[str, dict[str, Any]]:
    """Entropies by module and kind of position, as plain values."""
    return {
        one.site.name: {place: asdict(one.places[place]) for place in PLACES} | {"mixed": one.mixed()} for one in found
    }


def _adapter_entropy(model: Any) -> float | None:
    """Mean entropy of the adapters' own spectra; None without LoRA."""
    pairs = adapter_pairs(model, NAME)
    return adapter_entropies(pairs).mean().item() if pairs else None
