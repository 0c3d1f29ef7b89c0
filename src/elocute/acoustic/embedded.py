"""The embedded model: one int8 ONNX graph from 16 kHz samples to log-probabilities and ratings, by onnxruntime."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from elocute.assets import open_model, read_card
from elocute.errors import AudioError
from elocute.types import Audio, PhoneSet, Posteriors

MIN_SAMPLES = 1_600
"""A tenth of a second, the shortest input that the graph accepts."""


class EmbeddedBackend:
    """Runs `assets/acoustic.onnx`; its facts come from the card beside it.

    Args:
        threads: threads of one inference; None leaves the choice to onnxruntime.
    """

    name = "embedded"
    has_ratings = True

    def __init__(self, threads: int | None = None) -> None:
        self.card = read_card("acoustic")
        self._session = open_model("acoustic", threads=threads)

    @cached_property
    def version(self) -> str:
        """Version of the weights."""
        return str(self.card["version"])

    @cached_property
    def phone_set(self) -> PhoneSet:
        """39 phones, one label each, blank first."""
        return PhoneSet.one_label_each(self.card["phones"])

    def posteriors(self, audio: Audio) -> Posteriors:
        """Log-probabilities and ratings of one recording, 20 ms a row."""
        if len(audio.samples) < MIN_SAMPLES:
            raise AudioError(
                f"audio is {audio.duration_s:.3f} s; the embedded model needs at least {MIN_SAMPLES / 16_000:.1f} s; "
                "record again"
            )
        log_probs, ratings = self._session.run(
            ["log_probs", "ratings"], {"samples": audio.samples[None].astype(np.float32)}
        )
        return Posteriors(
            log_probs=log_probs[0],
            frame_shift_s=float(self.card["frame_shift_s"]),
            phone_set=self.phone_set,
            ratings=ratings[0],
        )


def load(*, threads: int | None = None) -> EmbeddedBackend:
    """Entry point `embedded`."""
    return EmbeddedBackend(threads)
