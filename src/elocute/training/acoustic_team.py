"""The processes of one training of the acoustic model: one, or several that `accelerate launch` started.

Every process draws the same batches and learns from its part of each, so that an update is the same for any number of
them, up to what is drawn at random for a recording. The first process decides what depends on the clock.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from elocute.errors import MissingExtraError

CLOCK_EVERY = 10
"""Several processes agree on the time once in so many steps: each time they wait for one another."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Team:
    """This process among those of a training.

    Attributes:
        device: of this process.
        accelerator: of accelerate; None where there is one process.
    """

    device: torch.device
    accelerator: Any = None

    @property
    def rank(self) -> int:
        """Which process this is, counted from 0."""
        return 0 if self.accelerator is None else int(self.accelerator.process_index)

    @property
    def world(self) -> int:
        """How many there are."""
        return 1 if self.accelerator is None else int(self.accelerator.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> Any:
        """The module, its gradients averaged over all processes."""
        return module if self.accelerator is None else self.accelerator.prepare_model(module)

    def mean(self, value: Tensor) -> float:
        """Mean of a number over all processes."""
        if self.accelerator is not None:
            value = self.accelerator.reduce(value.clone(), reduction="mean")
        return value.item()

    def agreed(self, seconds: float) -> float:
        """The seconds that the first process states."""
        if self.accelerator is None:
            return seconds
        from accelerate.utils import broadcast

        stated = broadcast(torch.tensor(seconds, dtype=torch.float64, device=self.device))
        return float(stated.item())

    def wait(self) -> None:
        """Until all processes are here."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()


def make_team(device: torch.device) -> Team:
    """This process alone on a device, or, if a launcher started several, its place among them on a device of its own.

    Raises:
        MissingExtraError: several processes without accelerate.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Team(device=device)
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
    except ImportError as error:
        raise MissingExtraError("several processes need accelerate; pip install 'elocute[hf]'") from error
    # Blocks are dropped and ratings learnt in some updates only; one process measures and writes for all.
    handlers = [
        DistributedDataParallelKwargs(find_unused_parameters=True),
        InitProcessGroupKwargs(timeout=timedelta(hours=1)),
    ]
    accelerator = Accelerator(cpu=device.type == "cpu", kwargs_handlers=handlers)
    return Team(device=accelerator.device, accelerator=accelerator)
