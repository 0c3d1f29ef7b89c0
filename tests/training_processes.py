"""A tiny training of the acoustic model on noise, and a command that runs one process of it.

    RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=... MASTER_PORT=... python tests/training_processes.py OUT STEPS

Kept apart from the tests, so that a process need not import pytest. Nothing is drawn for a recording, so that the
number of processes must not show.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from elocute.training import acoustic
from elocute.training.acoustic import AcousticTraining
from elocute.training.acoustic_batches import Augmentation, TrainingSet
from elocute.training.acoustic_model import AcousticConfig
from elocute.training.recordings import WILDCARD, Recording

MODEL = AcousticConfig(
    width=16,
    feed_forward=16,
    heads=2,
    blocks=2,
    channels=4,
    intermediate_block=1,
    dropout=0.0,
    drop_block=0.0,
    rating_dropout=0.0,
)
STILL = Augmentation(tempo=(1.0, 1.0), warp=(1.0, 1.0), noise_share=0.0, feature_noise=0.0)
FRAMES = 60


def build_sets(config: AcousticTraining, device: torch.device) -> tuple[TrainingSet, list[Recording], object, object]:
    """Seven recordings to learn from, in batches of three, three and one; two to measure on."""
    recordings = [
        Recording(
            id=str(i),
            audio=Path("x"),
            labels=(1, WILDCARD + 1),
            phones=(1, 2),
            speaker="s",
            kind="learner",
            phone_scores=(2.0, 0.1 * i),
            utterance_scores=(0.2 * i, 1.0, 0.3 * i, 0.1 * i),
        )
        for i in range(9)
    ]
    generator = np.random.default_rng(0)
    frames = torch.from_numpy(generator.normal(size=(9 * FRAMES, MODEL.mels)).astype(np.float32))
    training = TrainingSet(
        recordings=recordings[:7],
        frames=frames[: 7 * FRAMES],
        lengths=torch.full((7,), FRAMES),
        noise=frames[7 * FRAMES :],
        batch_s=2.0,
        seed=1,
        augmentation=STILL,
    )
    training.own = np.random.default_rng(1)  # or one process would draw its batches in another order than two
    return training, recordings[7:], frames[7 * FRAMES :], torch.full((2,), FRAMES)


def config(out: Path, steps: int) -> AcousticTraining:
    """Its settings: by steps, flat start, then CTC, ratings in the second half."""
    return AcousticTraining(
        speechocean=out,
        native=(),
        noise=out,
        out=out,
        fold=0,
        steps=steps,
        report_every=3,
        warm_up_steps=5,
        flat_start_steps=3,
        plateau_loss=1e9,
        rating_from=0.5,
        planted_weight=0.0,
        model=MODEL,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    acoustic.build_sets = build_sets
    acoustic.train(config(Path(sys.argv[1]), int(sys.argv[2])), torch.device("cpu"))
