"""What an acoustic model hears of held-out speakers: phone error rate, correlation of ratings, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from elocute.corpora.speechocean762 import UTTERANCE_SCORES
from elocute.evaluation import edit_distance, pcc
from elocute.training.acoustic_model import AcousticModel, normalise
from elocute.training.rating import LEAST_RATING, RATING_STEP, occupancies, phone_ratings
from elocute.training.recordings import Recording


@torch.inference_mode()
def hear(model: AcousticModel, frames: Tensor) -> tuple[Tensor, Tensor]:
    """What the model hears in one recording, in full precision.

    Args:
        model: in any mode; it is left in that mode.
        frames: log-mel frames, shape (2 T or 2 T + 1, mels).

    Returns: log-probabilities (T, phones + 1) and ratings (T, phones + 4).
    """
    was_training = model.training
    model.eval()
    log_probs, ratings = model.hear(normalise(frames.float()[None]))
    model.train(was_training)
    return log_probs[0], ratings[0]


@torch.inference_mode()
def error_rate(
    model: AcousticModel,
    some: Sequence[Recording],
    frames: Tensor,
    lengths: Tensor,
    held: Sequence[Recording],
) -> float:
    """Phone error rate of greedy decoding against the canonical phones (what was said wrong counts as error too)."""
    ends = torch.cumsum(lengths, 0).tolist()
    place = {recording.id: number for number, recording in enumerate(held)}
    errors = total = 0
    for recording in some:
        number = place[recording.id]
        begin = ends[number - 1] if number else 0
        best = hear(model, frames[begin : ends[number]])[0].argmax(-1)
        heard = torch.unique_consecutive(best).tolist()
        errors += edit_distance([label for label in heard if label], recording.phones)
        total += len(recording.phones)
    return errors / total


def rating_pcc(recordings: Sequence[Recording], heard: Sequence[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Correlation of the bare ratings with people's scores: of phones, and of the four utterance scores."""
    phone: list[Tensor] = []
    whole: list[Tensor] = []
    for recording, (log_probs, ratings) in zip(recordings, heard, strict=True):
        phones = torch.tensor([recording.phones], device=ratings.device)
        owned = occupancies(log_probs[None], phones, [len(log_probs)], [len(recording.phones)])
        weight = owned / owned.sum(dim=1, keepdim=True).clamp(min=1e-3)
        phone.append(phone_ratings(ratings[None], weight, phones)[0])
        whole.append(ratings[:, -len(UTTERANCE_SCORES) :].mean(dim=0))
    scores = [score for recording in recordings for score in recording.phone_scores]
    found = {"phone": pcc(scores, torch.cat(phone).cpu().numpy())}
    expected = np.array([recording.utterance_scores for recording in recordings])
    stated = torch.stack(whole).cpu().numpy()
    found |= {name: pcc(expected[:, k], stated[:, k]) for k, name in enumerate(UTTERANCE_SCORES)}
    return {name: round(value, 4) for name, value in found.items()}


def write_heldout(path: Path, recordings: Sequence[Recording], heard: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Keep what was heard in the recordings: one array a kind, recordings one after the other.

    Log-probabilities are stored in half precision, ratings in steps of `RATING_STEP` from `LEAST_RATING`.
    """
    ratings = np.concatenate([found.cpu().numpy() for _, found in heard])
    np.savez_compressed(
        path,
        ids=np.array([recording.id for recording in recordings]),
        frames=np.array([len(log_probs) for log_probs, _ in heard]),
        log_probs=np.concatenate([log_probs.cpu().numpy().astype(np.float16) for log_probs, _ in heard]),
        ratings=np.clip(np.round((ratings - LEAST_RATING) / RATING_STEP), 0, 255).astype(np.uint8),
    )
