"""What a training measures on held-out speakers: the loss of the right answers, and the answers of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from elocute.mllm.batches import BatchMaker
from elocute.mllm.collate import read_recordings
from elocute.mllm.evaluation import evaluate_answers, speed_of
from elocute.mllm.evaluation_result import to_json
from elocute.mllm.examples import Example
from elocute.mllm.generation import generate
from elocute.mllm.learning import answer_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from elocute.mllm.training import Phi4Trainer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What was found.

    Attributes:
        values: figures by name, for the curve.
        merit: by which the best model is chosen: mean PCC of the scores minus PER, of what was asked; where no answers
            are generated, minus the loss.
        document: the whole evaluation as JSON; None where no answers were generated.
    """

    values: dict[str, float]
    merit: float
    document: str | None


def measure(trainer: Phi4Trainer) -> Measured:
    """Measure the model of a training on its held-out examples; every process takes a share.

    Answers are generated unless the weights are spread over several devices (FSDP): for a model in parts every token
    would gather them all; `elocute evaluate phi4` does it afterwards.
    """
    trainer.wrapped.eval()
    values: dict[str, float] = {"heldout_loss": _loss(trainer)}
    if trainer.is_sharded:
        return Measured(values=values, merit=-values["heldout_loss"], document=None)
    chosen = _chosen(trainer.run.held, trainer.run.recipe.evaluation.most)
    examples, answers, speed = _answers(trainer, chosen)
    found = evaluate_answers(examples, answers, speed=speed)
    values |= found.figures
    pccs = [values.get(f"pcc/{row.score}", 0.0) for row in found.scores]
    merit = sum(pccs) / max(1, len(pccs)) - (values.get("per", 1.0) if found.transcripts else 0.0)
    return Measured(values=values, merit=merit, document=to_json(found))


def _loss(trainer: Phi4Trainer) -> float:
    """Loss a token of the right answers, over all processes."""
    maker = BatchMaker.of(trainer.run, trainer.run.held)
    world, rank = trainer.accelerator.num_processes, trainer.accelerator.process_index
    size = trainer.run.recipe.evaluation.batch
    order = sorted(range(len(maker.examples)), key=lambda index: trainer.run.bank.seconds(maker.examples[index].audio))
    batches = [order[first : first + size] for first in range(0, len(order), size)]
    sums = torch.zeros(2, dtype=torch.float32, device=trainer.device)
    with torch.no_grad():
        for first in range(0, len(batches), world):
            # Every process runs as often as the others: what is shared out among them waits for all.
            is_mine = first + rank < len(batches)
            batch = maker.plain(batches[min(first + rank, len(batches) - 1)], trainer.device)
            with trainer.accelerator.autocast():
                given = trainer.wrapped(**batch.inputs, logits_to_keep=batch.longest_answer + 1, use_cache=False)
            if is_mine:
                sums[0] += answer_loss(given.logits, batch).float()
                sums[1] += batch.answer_tokens
    total, tokens = trainer.accelerator.reduce(sums, reduction="sum").tolist()
    return float(total / max(1.0, tokens))


def _chosen(held: Sequence[Example], most: int) -> list[Example]:
    """So many utterances, evenly from all, with all their tasks."""
    ids = list(dict.fromkeys(example.id for example in held))
    if most and most < len(ids):
        ids = [ids[number * len(ids) // most] for number in range(most)]
    wanted = set(ids)
    return [example for example in held if example.id in wanted]


def _answers(trainer: Phi4Trainer, chosen: list[Example]) -> tuple[list[Example], list[Any], Any]:
    """Answers to all examples, those of the other processes included."""
    world, rank = trainer.accelerator.num_processes, trainer.accelerator.process_index
    mine = chosen[rank::world]
    table = trainer.run.recipe.evaluation
    if trainer.recordings is None:
        trainer.recordings = read_recordings(mine, longest_s=trainer.run.recipe.data.longest_s + 1)
    with trainer.accelerator.autocast():
        made = generate(
            trainer.model,
            trainer.run.processor,
            mine,
            batch_size=table.batch,
            max_new_tokens=table.longest_answer,
            recordings=trainer.recordings,
            progress=trainer.run.on_answer,
        )
    pairs = list(zip(mine, made.answers, strict=True))
    if world > 1:
        from accelerate.utils import gather_object

        pairs = gather_object(pairs)
    return [example for example, _ in pairs], [answer for _, answer in pairs], speed_of(made)
