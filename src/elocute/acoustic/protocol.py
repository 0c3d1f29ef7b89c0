"""What an acoustic backend must offer, how it is found, and the checks that it must pass."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, signature
from typing import Protocol, runtime_checkable

import numpy as np

from elocute.errors import ConfigError
from elocute.types import SAMPLE_RATE_HZ, Audio, AudioQuality, PhoneSet, Posteriors

ENTRY_POINT_GROUP = "elocute.backends"


@runtime_checkable
class Backend(Protocol):
    """Turns a recording into frame posteriors over phones and blank.

    Attributes:
        name: short name, as users type it.
        version: identifies the weights; it is written into every report.
        phone_set: how phones map to columns.

    One whose posteriors carry ratings also says so by an attribute `has_ratings` that is true (`rates`); one that hears
    many recordings in one pass is a `BatchBackend`.
    """

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def version(self) -> str:
        """Identity of the weights."""

    @property
    def phone_set(self) -> PhoneSet:
        """How phones map to columns."""

    def posteriors(self, audio: Audio) -> Posteriors:
        """Log-probabilities of one recording; deterministic, at least one frame."""


@runtime_checkable
class BatchBackend(Backend, Protocol):
    """A backend that takes many recordings at once.

    What it says of each is what `posteriors` says of it, up to the rounding of float32. Models that see the padding
    behind a short recording (group normalisation over time, int8 with one scale for a whole tensor, graphs made for one
    recording) lack these members or say that they do not batch: a batch would be another answer, not a faster one.
    Its module may have a function `usual_batch() -> int`: how many at once pay where it would run (`usual_batch`).
    """

    @property
    def batches(self) -> bool:
        """Whether a batch is heard in one pass, each recording as it would be by itself."""

    def posteriors_batch(self, recordings: Sequence[Audio]) -> list[Posteriors]:
        """Posteriors of each recording, in order; raises what `posteriors` would for the first that it refuses."""


def batches(backend: Backend) -> bool:
    """Whether a backend hears many recordings in one pass."""
    return isinstance(backend, BatchBackend) and backend.batches


def rates(backend: Backend) -> bool:
    """Whether the posteriors of a backend carry ratings."""
    return bool(getattr(backend, "has_ratings", False))


def backend_names() -> list[str]:
    """Names of all installed backends."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)})


def load_backend(name: str, *, threads: int | None = None) -> Backend:
    """Load an installed backend by name; threads of one inference, None leaves the choice to its run-time.

    Of a name such as "hf:models/phones" what stands after the colon, a place, goes to the factory first:
    `factory(place, threads=...)`.

    Raises:
        ConfigError: no such backend, a place that is missing, wrong, or not asked for.
        MissingExtraError: the backend needs packages that are not installed.
    """
    point, place = find_backend(name)
    factory = point.load()
    takes_place = bool(_positional(factory))
    if takes_place and not place:
        raise ConfigError(f"backend is {name!r}; expected a model after it, such as '{point.name}:FOLDER'")
    if place is not None and not takes_place:
        raise ConfigError(f"backend is {name!r}; expected {point.name!r} alone, which is one model and takes no place")
    backend: Backend = factory(place, threads=threads) if takes_place else factory(threads=threads)
    return backend


def find_backend(name: str) -> tuple[EntryPoint, str | None]:
    """The entry point of a backend's name, and the place behind the colon; None where there is no colon.

    Raises:
        ConfigError: no such backend.
    """
    family, colon, place = name.partition(":")
    return named_entry_point(ENTRY_POINT_GROUP, family, "backend"), place if colon else None


def usual_batch(name: str) -> int:
    """Recordings that pay to be heard at once by the backend of this name, which is not loaded; 1 for most.

    Raises:
        ConfigError: no such backend.
    """
    module = import_module(find_backend(name)[0].module)
    return int(module.usual_batch()) if hasattr(module, "usual_batch") else 1


def _positional(factory: Callable[..., object]) -> list[str]:
    """Parameters of a factory that take a value by position."""
    kinds = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
    return [one.name for one in signature(factory).parameters.values() if one.kind in kinds and one.name != "threads"]


def named_entry_point(group: str, name: str, what: str) -> EntryPoint:
    """What installed packages offer under a name in a group; `what` is what a complaint calls it.

    Raises:
        ConfigError: nothing of this name.
    """
    points = entry_points(group=group, name=name)
    if not points:
        names = sorted({point.name for point in entry_points(group=group)})
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{what} is {name!r}; expected one of {', '.join(names) or 'none installed'}{hint}")
    return next(iter(points))


def check_backend(backend: Backend) -> list[str]:
    """Run the contract on a backend: noise, silence, a very short and a long recording.

    Returns: the names of the checks that passed, in order.

    Raises:
        ConfigError: the first check that failed, with what was found.
    """
    if not isinstance(backend, Backend):
        raise ConfigError(f"{type(backend).__name__} lacks a member of Backend: name, version, phone_set, posteriors")
    passed = ["members"]
    _check_phone_set(backend.phone_set)
    passed.append("phone set")
    rng = np.random.default_rng(0)
    cases = {
        "noise": rng.normal(0, 0.1, 2 * SAMPLE_RATE_HZ),
        "silence": np.zeros(SAMPLE_RATE_HZ),
        "0.1 seconds": rng.normal(0, 0.1, SAMPLE_RATE_HZ // 10),
        "30 seconds": rng.normal(0, 0.1, 30 * SAMPLE_RATE_HZ),
    }
    for case, samples in cases.items():
        _check_posteriors(backend, bare_audio(samples.astype(np.float32)), case)
        passed.append(case)
    audio = bare_audio(cases["noise"].astype(np.float32))
    first, second = backend.posteriors(audio), backend.posteriors(audio)
    if not np.array_equal(first.log_probs, second.log_probs):
        raise ConfigError(f"backend {backend.name} is not deterministic: two calls on the same audio differ")
    passed.append("deterministic")
    if batches(backend):
        _check_batch(backend, [bare_audio(samples.astype(np.float32)) for samples in cases.values()])
        passed.append("batch")
    return passed


def _check_phone_set(phone_set: PhoneSet) -> None:
    used = {token for tokens in phone_set.tokens for token in tokens}
    if len(phone_set.symbols) != len(phone_set.tokens) or len(set(phone_set.symbols)) != len(phone_set.symbols):
        raise ConfigError("phone set: expected one distinct symbol and one spelling a phone")
    if not used or min(used) < 0 or max(used) >= phone_set.size or phone_set.blank_id in used:
        raise ConfigError(
            f"phone set: expected labels from 0 to {phone_set.size - 1} other than blank {phone_set.blank_id}, "
            f"got {sorted(used)}"
        )
    if not 0 <= phone_set.blank_id < phone_set.size:
        raise ConfigError(f"phone set: blank is column {phone_set.blank_id}; expected 0 to {phone_set.size - 1}")
    if not all(phone_set.tokens):
        raise ConfigError("phone set: a phone has an empty spelling; expected at least one label")
    alike = [
        s for s, tokens in zip(phone_set.symbols, phone_set.tokens, strict=True) if phone_set.tokens.count(tokens) > 1
    ]
    if alike:
        raise ConfigError(
            f"phone set: phones are spelled alike: {', '.join(alike)}; expected labels of its own for each"
        )


def _check_batch(backend: Backend, recordings: Sequence[Audio]) -> None:
    assert isinstance(backend, BatchBackend)
    together = backend.posteriors_batch(recordings)
    if len(together) != len(recordings):
        raise ConfigError(f"backend {backend.name}: {len(recordings)} recordings gave {len(together)} posteriors")
    for audio, found in zip(recordings, together, strict=True):
        alone = backend.posteriors(audio)
        if found.log_probs.shape != alone.log_probs.shape or np.abs(found.log_probs - alone.log_probs).max() > 1e-3:
            raise ConfigError(
                f"backend {backend.name} hears {audio.duration_s:.1f} s in a batch otherwise than alone; expected the "
                "same, or `batches` to be False"
            )


def _check_posteriors(backend: Backend, audio: Audio, case: str) -> None:
    result = backend.posteriors(audio)
    shape = result.log_probs.shape
    if len(shape) != 2 or shape[1] != backend.phone_set.size or shape[0] < 1:
        raise ConfigError(
            f"backend {backend.name}, {case}: log_probs have shape {shape}; expected (T >= 1, {backend.phone_set.size})"
        )
    T = shape[0]
    if (result.ratings is not None) != rates(backend):
        raise ConfigError(
            f"backend {backend.name}, {case}: has_ratings is {rates(backend)}, and posteriors "
            f"{'lack' if rates(backend) else 'carry'} ratings; expected these to agree"
        )
    total = np.exp(result.log_probs.astype(np.float64)).sum(axis=1)
    if not np.allclose(total, 1.0, atol=1e-3):
        raise ConfigError(
            f"backend {backend.name}, {case}: a row sums to {total[np.abs(total - 1).argmax()]:.4f}, not 1"
        )
    expected = audio.duration_s / result.frame_shift_s
    if abs(T - expected) > 2 + 0.02 * expected:
        raise ConfigError(
            f"backend {backend.name}, {case}: {T} frames of {result.frame_shift_s} s for {audio.duration_s:.2f} s "
            f"of audio; expected about {expected:.0f}"
        )


def bare_audio(samples: np.ndarray) -> Audio:
    """Samples at 16 kHz as a recording about whose quality nothing is known."""
    quality = AudioQuality(
        duration_s=len(samples) / SAMPLE_RATE_HZ,
        peak=float(np.abs(samples).max()),
        rms_db=0.0,
        speech_s=0.0,
        snr_db=None,
        clipped=0.0,
        source_rate_hz=SAMPLE_RATE_HZ,
        source_channels=1,
    )
    return Audio(samples=samples, quality=quality)
