"""`hf:FOLDER_OR_NAME`: any CTC model of transformers, as its files describe it. Needs the extra `hf`.

Everything comes from the model: its class from `config.json`; what it takes from the feature extractor's file (raw
samples, normalised or not; log mel filters of several kinds); its labels from the tokenizer's files, without loading
the tokenizer (espeak's would ask for a program); the blank from `pad_token_id`, which transformers' CTC loss uses as
such. The frame shift is measured: two lengths are run, which takes in convolutions, subsampling and adapters alike.

Models of 80 ms a frame are used as they are. Their posteriors are not up-sampled: copies of a frame let a label end and
begin again inside what was one label, and roots of probabilities make just that cheap. A text that needs more frames
than there are is refused where it is aligned, with both numbers.

Several recordings are heard in one pass, padded at the end, where that changes nothing: whether it does is tried with
noise when it is first asked for, since models of one class differ (group normalisation in the convolutions sees the
padding, layer normalisation does not).

Nothing is downloaded unless a name is given that is no folder; with `HF_HUB_OFFLINE=1` only what was downloaded before.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from elocute.acoustic.frame_count import row_count
from elocute.acoustic.huggingface_labels import read_labels
from elocute.acoustic.place import SHORTEST_SAMPLES, check_length, existing_folder, fingerprint
from elocute.acoustic.vocabulary import Folding, phones_of
from elocute.assets import read_object
from elocute.errors import ConfigError, MissingExtraError
from elocute.types import SAMPLE_RATE_HZ, Audio, Float32, PhoneSet, Posteriors

MIN_SAMPLES = SHORTEST_SAMPLES
"""Shortest recording; every family turns it into a frame at least."""

_PROBES = (3_200, 28_800)
"""Lengths that are run to measure the frame shift: their difference is a whole number of frames of 10 ms times any
power of two up to 160 ms."""

_TRIALS = (3_200, 12_345, 28_800)
"""Lengths that are run each alone and all together, to learn whether the model may be given batches."""
_SAME_NATS = 1e-3
"""Rounding moves a log-probability by less; padding that is seen, by more."""

GPU_BATCH = 32
"""Recordings that a GPU is given at once."""

_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_FACTS = ["*.json", "*.txt"]
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
_NOT_NEEDED = frozenset(("masked_spec_embed",))
"""Parameters for training alone, which many checkpoints lack."""


def find_folder(place: str) -> Path:
    """The folder of `hf:place`, downloaded first if the place is a name on the hub.

    Raises:
        ConfigError: no such folder, no such name, or the hub cannot be reached.
        MissingExtraError: without the extra `hf`.
    """
    if Path(place).expanduser().is_dir() or not _NAME.fullmatch(place):
        return existing_folder(place, "hf")
    _require_extra()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(place, allow_patterns=[*_FACTS, _WEIGHTS[0]]))
        if not any(folder.glob(_WEIGHTS[0])):
            folder = Path(snapshot_download(place, allow_patterns=[*_FACTS, _WEIGHTS[1]]))
    except LocalEntryNotFoundError as error:
        raise ConfigError(
            f"backend is 'hf:{place}', which is no folder here, was not downloaded before, and the hub cannot be "
            "reached; give the folder of the model, or fetch it while online"
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"backend is 'hf:{place}', which is no folder here and cannot be downloaded ({first}); check the name"
        ) from error
    return folder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Several recordings as a model takes them: what its feature extractor gave, and frames of each to expect."""

    inputs: Any
    frames: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What a model says of several recordings.

    Attributes:
        log_probs: torch tensor (B, T, V) on the model's device, of the model's own labels; rows beyond a recording's
            frames mean nothing.
        frames: of each recording, B of them.
    """

    log_probs: Any
    frames: tuple[int, ...]


class HuggingFaceBackend:
    """Runs a CTC model of transformers.

    Args:
        folder: where `save_pretrained` or a download put its files.
        name: as users type it.
        threads: threads of one inference; None leaves the choice to torch.
        device: "cpu", "cuda" or any other that torch knows.

    Attributes:
        folding: how its labels become phones, with a report.
        frame_shift_s: seconds a row.
        model: the torch module.
        features: transformers' feature extractor.
    """

    has_ratings = False

    def __init__(self, folder: Path, *, name: str, threads: int | None = None, device: str = "cpu") -> None:
        _require_extra()
        config = _checked_config(folder)
        self.name, self.version = name, fingerprint(_files(folder))
        self._threads, self._device = threads, device
        self.features = _feature_extractor(folder)
        self.model = _model(folder, device)
        lengths = []
        rows = np.empty((0, 0), dtype=np.float32)
        for probe in _PROBES:
            rows = self._run(np.random.default_rng(0).normal(0.0, 0.1, probe).astype(np.float32))
            lengths.append(len(rows))
        if lengths[0] >= lengths[1]:
            raise ConfigError(f"{folder} gives {lengths} frames for {list(_PROBES)} samples; expected more for more")
        self.frame_shift_s = (_PROBES[1] - _PROBES[0]) / (lengths[1] - lengths[0]) / SAMPLE_RATE_HZ
        blank_id = config.get("pad_token_id", self.model.config.pad_token_id)
        if not isinstance(blank_id, int):
            raise ConfigError(f"{folder / 'config.json'}: pad_token_id is {blank_id!r}; expected the blank's column")
        self.folding: Folding = phones_of(read_labels(folder, rows.shape[1]), blank_id)

    @property
    def phone_set(self) -> PhoneSet:
        """The 39 phones in the folded columns."""
        return self.folding.phone_set

    def posteriors(self, audio: Audio) -> Posteriors:
        """Log-probabilities of one recording, folded into phones."""
        check_length(audio, self.name, MIN_SAMPLES)
        return Posteriors(
            log_probs=self.folding.fold(self._run(audio.samples)),
            frame_shift_s=self.frame_shift_s,
            phone_set=self.phone_set,
        )

    @cached_property
    def batches(self) -> bool:
        """Whether recordings of several lengths are heard together as each by itself; tried, not believed."""
        rng = np.random.default_rng(0)
        trials = [rng.normal(0.0, 0.1, length).astype(np.float32) for length in _TRIALS]
        heard = self.hear(trials)
        together = heard.log_probs.cpu().numpy()
        return all(
            len(alone) == count and np.abs(row[:count] - alone).max() < _SAME_NATS
            for alone, row, count in zip(map(self._run, trials), together, heard.frames, strict=True)
        )

    def posteriors_batch(self, recordings: Sequence[Audio]) -> list[Posteriors]:
        """Log-probabilities of several recordings; in one pass where `batches`."""
        for audio in recordings:
            check_length(audio, self.name, MIN_SAMPLES)
        if len(recordings) < 2 or not self.batches:
            return [self.posteriors(audio) for audio in recordings]
        heard = self.hear([audio.samples for audio in recordings])
        return [
            Posteriors(
                log_probs=self.folding.fold(row[:count]), frame_shift_s=self.frame_shift_s, phone_set=self.phone_set
            )
            for row, count in zip(heard.log_probs.cpu().numpy(), heard.frames, strict=True)
        ]

    def hear(self, samples: Sequence[Float32]) -> Heard:
        """What the model says of several recordings, padded to the longest; all at least `MIN_SAMPLES` long."""
        return self.hear_prepared(self.prepare(samples))

    def prepare(self, samples: Sequence[Float32]) -> Prepared:
        """What goes into the model for several recordings; the part of `hear` that other threads may do ahead."""
        inputs = self.features(
            list(samples), sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt", padding=True, return_attention_mask=True
        )
        rows = row_count(self.model.config, self.features)(np.array([len(one) for one in samples]))
        return Prepared(inputs=inputs, frames=tuple(rows.tolist()))

    def hear_prepared(self, prepared: Prepared) -> Heard:
        """What the model says of them."""
        log_probs = self._log_probs(prepared.inputs)
        return Heard(log_probs=log_probs, frames=tuple(min(rows, log_probs.shape[1]) for rows in prepared.frames))

    def _run(self, samples: Float32) -> Float32:
        """Log-probabilities of the model's own labels, shape (T, V)."""
        inputs = self.features(samples, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        log_probs: Float32 = self._log_probs(inputs)[0].cpu().numpy()
        return log_probs

    def _log_probs(self, inputs: Any) -> Any:
        """Log-probabilities of the model's own labels, a tensor (B, T, V) on its device."""
        import torch

        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact, _threads(self._threads), warnings.catch_warnings():
            # transformers' WavLM masks its keys in a way that torch will stop taking; nothing that users can change.
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            logits = fine_frames(self.model(**inputs.to(self._device)).logits, self.model.config)
            return torch.log_softmax(logits.float(), dim=-1)


def fine_frames(logits: Any, config: Any) -> Any:
    """What a CTC head says, a row for each of its own frames: torch tensors (B, T, k * V) to (B, T * k, V).

    A head of `elocute train ctc` may divide each of the encoder's frames into k; its config says so.
    """
    parts = getattr(config, "frame_upsampling", 1)
    return logits.reshape(logits.shape[0], -1, logits.shape[2] // parts) if parts > 1 else logits


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    """So many threads of torch's while it lasts."""
    import torch

    before = torch.get_num_threads()
    if wanted is None or wanted == before:
        yield
        return
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _require_extra() -> None:
    missing = [package for package in ("torch", "transformers", "safetensors") if find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"backends 'hf:...' need {', '.join(missing)}, not installed; pip install 'elocute[hf]'"
        )


def _files(folder: Path) -> list[Path]:
    """Facts and weights of a model."""
    weights = next((found for pattern in _WEIGHTS if (found := sorted(folder.glob(pattern)))), [])
    facts = "config preprocessor_config processor_config vocab tokenizer tokenizer_config added_tokens".split()
    return [*weights, *(path for stem in facts if (path := folder / f"{stem}.json").is_file())]


def _checked_config(folder: Path) -> dict[str, Any]:
    """What `config.json` says; ConfigError where it is of no CTC model."""
    config = read_object(folder / "config.json")
    named = config.get("architectures") or []
    if not named or not str(named[0]).endswith("ForCTC"):
        raise ConfigError(
            f"{folder} holds a model of class {', '.join(map(str, named)) or 'unknown'}; expected one that ends in "
            "ForCTC: fine-tune it to phones with `elocute train ctc`"
        )
    if not any(folder.glob(_WEIGHTS[0])) and not any(folder.glob(_WEIGHTS[1])):
        raise ConfigError(f"{folder} has no weights; expected {_WEIGHTS[0]} or {_WEIGHTS[1]}")
    return config


def _feature_extractor(folder: Path) -> Any:
    """Transformers' feature extractor of a folder; ConfigError where it has none, or one for another rate."""
    if not any((folder / f"{stem}.json").is_file() for stem in ("preprocessor_config", "processor_config")):
        raise ConfigError(
            f"{folder} has no preprocessor_config.json, which says what goes into the model; fetch it, or save the "
            "feature extractor beside the model"
        )
    from transformers import AutoFeatureExtractor

    try:
        extractor: Any = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        raise ConfigError(f"{folder}: no feature extractor can be made of its files ({_short(error)})") from error
    if extractor.sampling_rate != SAMPLE_RATE_HZ:
        raise ConfigError(f"{folder} takes recordings of {extractor.sampling_rate} Hz; expected {SAMPLE_RATE_HZ}")
    return extractor


def _model(folder: Path, device: str) -> Any:
    """The model with all its weights, in float32 and ready to run; ConfigError where that cannot be."""
    import torch
    from transformers import AutoModelForCTC
    from transformers.utils import logging

    shows = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model, info = AutoModelForCTC.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
        model = model.to(device).eval()
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ConfigError(f"{folder}: the model cannot be loaded ({_short(error)})") from error
    finally:
        if shows:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    lost = sorted(name for name in info["missing_keys"] if name.rpartition(".")[2] not in _NOT_NEEDED)
    if lost:
        raise ConfigError(
            f"{folder}: {len(lost)} parameters are not among the weights, such as {lost[0]}; expected a model that was "
            "trained with its CTC head"
        )
    return model


def _short(error: BaseException) -> str:
    """The first line of what others say."""
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


def identity(place: str) -> str:
    """What tells `hf:place` from other models, without loading it."""
    return fingerprint(_files(find_folder(place)))


def load(place: str, *, threads: int | None = None) -> HuggingFaceBackend:
    """Entry point `hf`; it runs on the device that the environment variable ELOCUTE_DEVICE names, else on the CPU."""
    folder = find_folder(place)
    name = place if _NAME.fullmatch(place) and not Path(place).is_dir() else folder.name
    return HuggingFaceBackend(folder, name=f"hf:{name}", threads=threads, device=_device())


def usual_batch() -> int:
    """Recordings at once that pay: many on a GPU; one on a CPU, which a single recording keeps busy."""
    return 1 if _device() == "cpu" else GPU_BATCH


def _device() -> str:
    return os.environ.get("ELOCUTE_DEVICE", "cpu")
