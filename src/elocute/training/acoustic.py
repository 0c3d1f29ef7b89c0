"""Train the embedded acoustic model: flat start by frame labels, CTC with wildcards, then ratings as well.

A training makes one model of all speakers but those of one fold (or of all). `elocute train acoustic` runs it, with
`accelerate launch` on several devices (`acoustic_team`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from elocute.corpora.speechocean762 import read_speechocean762, speaker_folds
from elocute.phones import PHONES
from elocute.training.acoustic_batches import Augmentation, TrainingSet, spectra
from elocute.training.acoustic_heldout import error_rate, hear, rating_pcc, write_heldout
from elocute.training.acoustic_loss import ctc_loss, frame_loss
from elocute.training.acoustic_model import AcousticConfig, AcousticModel, Heads
from elocute.training.acoustic_team import CLOCK_EVERY, Team, make_team
from elocute.training.phone_times import read_phone_times
from elocute.training.rating import rating_loss
from elocute.training.recordings import (
    WILDCARD,
    Kind,
    Recording,
    load_pcm,
    native_recordings,
    speechocean_recordings,
    synthetic_recordings,
)
from elocute.training.splicing import Splicer, Splicing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcousticTraining:
    """Everything that a training run depends on.

    Attributes:
        speechocean: corpus folder.
        native: folders of transcribed native speech.
        noise: folder of noise recordings.
        out: run folder: `state.pt`, `run.json`, `heldout.npz`.
        cache: folder for decoded audio, shared by the processes of one machine; None decodes again.
        fold: speakers to leave out; None trains on all.
        folds: number of folds.
        fold_seed: seed that deals the speakers.
        seed: seed of weights, order and augmentation.
        minutes: length of the whole training; the learning rate follows the clock.
        steps: length in updates instead, with which a training can be repeated.
        stop_after_minutes: end this process then, to be resumed by another; None runs to the end.
        batch_s: seconds of an update, over all processes.
        plateau_step: at this step (rounded up to a report) the loss tells whether the flat start worked.
        plateau_loss: above it, nats a label, it did not: those that did are near 2.4, the others above 4.2.
        most_restarts: how often to start anew.
        rating_from: share of the time after which the rating head learns.
        rating_gradient: how much of the rating head's gradient reaches the encoder, which could learn the scores of
            the training speakers by heart.
        synthetic: folders of `elocute train synthetic`.
        synthetic_share: share of the batches that come from them.
        planted_weight: see `rating_loss`.
        near_share: see `rating_loss`.
        augmentation: of every example.
        phone_times: file of `elocute train phone-times`; needed for splices.
        splice_share: share of the recordings of a batch into which something is spliced (`training/splicing.py`), once
            SpecAugment is at its full strength; 0 for none.
        splicing: what is spliced.
    """

    speechocean: Path
    native: tuple[Path, ...]
    noise: Path
    out: Path
    cache: Path | None = None
    fold: int | None = None
    folds: int = 5
    fold_seed: int = 1
    seed: int = 1
    minutes: float = 18.0
    steps: int | None = None
    stop_after_minutes: float | None = None
    batch_s: float = 120.0
    learning_rate: float = 6e-4
    warm_up_steps: int = 400
    flat_start_steps: int = 1_400
    mask_from_step: int = 2_000
    native_share: tuple[float, float] = (0.26, 0.06)
    intermediate_weight: float = 0.3
    weight_decay: float = 0.03
    clip: float = 2.0
    report_every: int = 500
    plateau_step: int = 3_000
    plateau_loss: float = 3.6
    most_restarts: int = 3
    rating_from: float = 0.55
    rating_gradient: float = 0.3
    synthetic: tuple[Path, ...] = ()
    synthetic_share: float = 0.2
    planted_weight: float = 0.1
    near_share: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    phone_times: Path | None = None
    splice_share: float = 0.0
    splicing: Splicing = field(default_factory=Splicing)
    model: AcousticConfig = field(default_factory=AcousticConfig)


def build_sets(config: AcousticTraining, device: torch.device) -> tuple[TrainingSet, list[Recording], Tensor, Tensor]:
    """The training set, and the held-out recordings with their frames and lengths."""
    learners = speechocean_recordings(config.speechocean)
    folds = speaker_folds(read_speechocean762(config.speechocean), config.folds, config.fold_seed)
    natives = [recording for folder in config.native for recording in native_recordings(folder)]
    synthetic = [recording for folder in config.synthetic for recording in synthetic_recordings(folder)]
    every: Sequence[Recording] = [*learners, *natives, *synthetic]
    pcm = [
        samples
        for corpus in (learners, natives, synthetic)
        for samples in load_pcm([recording.audio for recording in corpus], config.cache)
    ]
    noise_paths = sorted(path for path in config.noise.iterdir() if path.is_file())
    noise, _ = spectra(load_pcm(noise_paths, config.cache), config.model.mels, device)
    frames, lengths = spectra(pcm, config.model.mels, device)
    held = [i for i, recording in enumerate(learners) if folds[recording.speaker] == config.fold]
    held_ids = set(held)
    kept = [i for i in range(len(every)) if i not in held_ids]
    pieces = torch.split(frames, lengths.tolist())

    def take(indices: list[int]) -> Tensor:
        return torch.cat([pieces[i] for i in indices]) if indices else frames[:0]

    training = TrainingSet(
        recordings=[every[i] for i in kept],
        frames=take(kept),
        lengths=lengths[kept],
        noise=noise,
        batch_s=config.batch_s,
        seed=config.seed,
        augmentation=config.augmentation,
    )
    if config.phone_times is not None and config.splice_share:
        training.splicer = Splicer(
            training.recordings,
            training.frames.float().exp().sum(dim=1).double().cpu().numpy(),
            training.first_frames,
            read_phone_times(config.phone_times),
            config.splicing,
        )
    return training, [every[i] for i in held], take(held), lengths[held]


@dataclass(slots=True)
class Progress:
    """How far a training has come: steps, seconds spent over all its processes, restarts, and its curve."""

    step: int = 0
    spent_s: float = 0.0
    restarts: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)

    def share(self, config: AcousticTraining) -> float:
        """Share of the training that is done."""
        return self.spent_s / (60 * config.minutes) if config.steps is None else self.step / config.steps


@dataclass(slots=True, kw_only=True)
class _Run:
    """One process of a training, and what it works on; held-out frames and lengths are as `build_sets` gives them."""

    config: AcousticTraining
    team: Team
    training: TrainingSet
    held: Sequence[Recording]
    held_frames: Tensor
    held_lengths: Tensor
    progress: Progress
    model: AcousticModel
    optimizer: torch.optim.Optimizer
    heads: Any = None

    @property
    def state(self) -> Path:
        """Where it is saved."""
        return self.config.out / "state.pt"

    def resume(self) -> None:
        """Take up the training where another process of it stopped, if one did."""
        if self.state.exists():
            saved = torch.load(self.state, map_location=self.team.device, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.progress = Progress(**saved["progress"])
            self.training.reseed(self.progress.step)
        self.share_out()

    def share_out(self) -> None:
        """Have the gradients averaged over all processes; each drops units of its own."""
        if self.team.world > 1:
            torch.manual_seed(self.config.seed + 1_000 * self.progress.restarts + 1_000_003 * (self.team.rank + 1))
        self.heads = self.team.wrap(Heads(self.model, self.config.rating_gradient))
        self.model.train()

    def update(self) -> Tensor:
        """One step at the learning rate of the moment; returns its loss."""
        share = self.progress.share(self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.progress.step, share)
        loss = train_step(self.heads, self.optimizer, self.training, self.config, self.progress.step, share)
        self.progress.step += 1
        return loss

    def report(self, losses: Tensor) -> None:
        """Add a point to the curve, measure and save now and then, and start anew if need be."""
        config, progress = self.config, self.progress
        loss = self.team.mean(losses) / config.report_every
        point = {"step": progress.step, "spent_s": progress.spent_s, "loss": loss}
        if progress.step % (4 * config.report_every) == 0 and self.team.is_first:
            if self.held:
                point["per"] = error_rate(self.model, self.held[::4], self.held_frames, self.held_lengths, self.held)
            save_state(self.state, self.model, self.optimizer, progress)
        progress.curve.append(point)
        if self.team.is_first:
            log.info("fold %s %s", config.fold, json.dumps(point))
        if is_stuck(config, progress, loss):
            progress.restarts += 1
            progress.step = 0
            log.warning("fold %s is on the blank plateau; start number %d", config.fold, progress.restarts + 1)
            self.model, self.optimizer = new_model(config, self.team.device, progress.restarts)
            self.share_out()


def train(config: AcousticTraining, device: torch.device) -> Path:
    """Train (or resume) one model and, with a fold left out, score its speakers.

    The state is saved at every fourth report, so that a killed process loses little. A model that is still on the
    blank plateau of CTC at `plateau_step` never leaves it: it is started anew from another seed, as the clock goes on.

    Args:
        config: of the training.
        device: of the one process; several, of a launcher, have devices of their own.

    Returns: the run folder.
    """
    started = time.monotonic()
    team = make_team(device)
    config.out.mkdir(parents=True, exist_ok=True)
    training, held, held_frames, held_lengths = build_sets(config, team.device)
    if team.world > 1:
        training.divide(team.rank, team.world)
    model, optimizer = new_model(config, team.device, 0)
    run = _Run(
        config=config,
        team=team,
        training=training,
        held=held,
        held_frames=held_frames,
        held_lengths=held_lengths,
        progress=Progress(),
        model=model,
        optimizer=optimizer,
    )
    run.resume()
    progress = run.progress
    if team.is_first:
        ready_s, count = time.monotonic() - started, len(training.recordings)
        log.info("fold %s: %d recordings, ready in %.0f s, step %d", config.fold, count, ready_s, progress.step)
    before_s, begun, losses = progress.spent_s, time.monotonic(), torch.zeros((), device=team.device)
    stop_s = math.inf if config.stop_after_minutes is None else before_s + 60 * config.stop_after_minutes
    while progress.share(config) < 1 and progress.spent_s < stop_s:
        losses += run.update()
        is_point = progress.step % config.report_every == 0
        if is_point or team.world == 1 or progress.step % CLOCK_EVERY == 0:
            progress.spent_s = team.agreed(before_s + time.monotonic() - begun)
        if is_point:
            run.report(losses)
            losses.zero_()
    if team.is_first:
        save_state(run.state, run.model, run.optimizer, progress)
        data = hashlib.sha256(repr([(r.id, r.labels) for r in training.recordings]).encode()).hexdigest()
        facts = {**asdict(progress), "data_sha256": data, "processes": team.world}
        finish(config, run.model, held, held_frames, held_lengths, facts)
    team.wait()
    return config.out


def new_model(
    config: AcousticTraining, device: torch.device, restarts: int
) -> tuple[AcousticModel, torch.optim.Optimizer]:
    """An untrained model and its optimizer; every restart has a seed of its own."""
    torch.manual_seed(config.seed + 1_000 * restarts)
    model = AcousticModel(config.model).to(device)
    groups = parameter_groups(model, config.weight_decay)
    return model, torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), fused=device.type == "cuda")


def learning_rate(config: AcousticTraining, step: int, share: float) -> float:
    """Warm-up by steps, then a cosine over the share of the time that is spent."""
    warm_up = min(1.0, (step + 1) / config.warm_up_steps)
    return config.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * share))


def is_stuck(config: AcousticTraining, progress: Progress, loss: float) -> bool:
    """Whether the model emits blanks only: its loss at the checkpoint is that of a model that has learnt nothing."""
    checkpoint = -(-config.plateau_step // config.report_every) * config.report_every
    return progress.step == checkpoint and loss > config.plateau_loss and progress.restarts < config.most_restarts


def save_state(path: Path, model: AcousticModel, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write what a resumed process needs; a kill while writing leaves the former state."""
    new = path.with_suffix(".new")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": asdict(progress)}, new)
    new.rename(path)


def train_step(
    heads: Any,
    optimizer: torch.optim.Optimizer,
    training: TrainingSet,
    config: AcousticTraining,
    step: int,
    progress: float,
) -> Tensor:
    """One update of what `Heads` holds; returns the detached loss."""
    first, last = config.native_share
    strength = min(1.0, max(0.0, (step - config.mask_from_step) / config.mask_from_step))
    shares: dict[Kind, float] = {
        "native": first + (last - first) * progress,
        "synthetic": config.synthetic_share if config.synthetic else 0.0,
    }
    batch = training.draw(shares, strength, config.splice_share * strength)
    device = batch.mels.device
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
        rates = progress >= config.rating_from and batch.is_scored
        logits, middle_logits, ratings = heads(batch.mels, batch.lengths, rates)
    criterion = frame_loss if step < config.flat_start_steps else ctc_loss
    loss = criterion(logits, batch) + config.intermediate_weight * criterion(middle_logits, batch)
    if ratings is not None:
        log_probs = F.log_softmax(logits.detach().float(), dim=-1)
        loss = loss + rating_loss(log_probs, ratings.float(), batch, config.planted_weight, config.near_share)
    optimizer.zero_grad(set_to_none=True)
    loss = loss * batch.weight
    loss.backward()
    torch.nn.utils.clip_grad_norm_(heads.parameters(), config.clip)
    optimizer.step()
    return loss.detach()


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices only."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def finish(
    config: AcousticTraining,
    model: AcousticModel,
    held: Sequence[Recording],
    frames: Tensor,
    lengths: Tensor,
    facts: dict[str, Any],
) -> None:
    """Write half-precision weights, the held-out posteriors and the record of the run with these facts."""
    weights = {name: value.half().cpu() for name, value in model.state_dict().items()}
    torch.save(weights, config.out / "weights.pt")
    record: dict[str, Any] = {
        "config": {key: str(value) if isinstance(value, Path) else value for key, value in asdict(config).items()},
        "torch": torch.__version__,
        "phones": list(PHONES),
        "wildcard": WILDCARD,
        **facts,
    }
    if held:
        record["per_heldout"] = error_rate(model, held, frames, lengths, held)
        heard = [hear(model, piece) for piece in torch.split(frames, lengths.tolist())]
        record["rating_pcc_heldout"] = rating_pcc(held, heard)
        write_heldout(config.out / "heldout.npz", held, heard)
        log.info(
            "fold %s: PER %.4f, rating PCC %s on %d held-out recordings",
            config.fold,
            record["per_heldout"],
            record["rating_pcc_heldout"],
            len(held),
        )
    (config.out / "run.json").write_text(json.dumps(record, indent=1, default=str) + "\n")
