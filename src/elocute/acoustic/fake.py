"""A planted backend for tests and documentation: posteriors that say exactly what they are told to say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elocute.types import Audio, PhoneSet, Posteriors


class PlantedBackend:
    """Returns posteriors in which the given phones are spoken, evenly spread over the recording.

    Args:
        symbols: all phones that the backend can tell apart.
        said: the phones that are 'spoken'.
        frame_shift_s: seconds a frame.
        certainty: probability of the spoken phone in its frames; the rest is shared by all other columns.
        phone_set: how the phones are spelled, if not by one label each; the labels of a chain share its frames.
    """

    name = "planted"
    version = "planted"

    def __init__(
        self,
        symbols: Sequence[str],
        said: Sequence[str],
        *,
        frame_shift_s: float = 0.02,
        certainty: float = 0.9,
        phone_set: PhoneSet | None = None,
    ) -> None:
        self.phone_set = phone_set or PhoneSet.one_label_each(symbols)
        self._spellings = [self.phone_set.tokens[self.phone_set.id_of(symbol)] for symbol in said]
        self._frame_shift_s = frame_shift_s
        self._certainty = certainty

    def posteriors(self, audio: Audio) -> Posteriors:
        """Blank in the first and last tenth and between phones, each phone in the middle of its share."""
        T = max(1, round(audio.duration_s / self._frame_shift_s))
        V = self.phone_set.size
        spoken = np.zeros(T, dtype=np.int64)
        edges = np.linspace(0.1 * T, 0.9 * T, len(self._spellings) + 1)
        for labels, begin, end in zip(self._spellings, edges[:-1], edges[1:], strict=True):
            margin = 0.2 * (end - begin)
            frames = spoken[round(begin + margin) : max(round(begin + margin) + 1, round(end - margin))]
            for label, part in zip(labels, np.array_split(frames, len(labels)), strict=True):
                part[:] = label  # a view of `spoken`
        probs = np.full((T, V), (1 - self._certainty) / (V - 1))
        probs[np.arange(T), spoken] = self._certainty
        return Posteriors(
            log_probs=np.log(probs).astype(np.float32), frame_shift_s=self._frame_shift_s, phone_set=self.phone_set
        )
