"""Lattice and GOP of many recordings on the device of a torch backend: posteriors stay there, only scores come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elocute.acoustic.huggingface import Heard, HuggingFaceBackend
from elocute.acoustic.tensors import TorchArrays, fold_tensor, side_by_side
from elocute.gop.batched import BatchAlternatives, alternatives_padded
from elocute.gop.edits_batched import Texts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviceGop:
    """Every one-edit alternative of batches of recordings.

    Attributes:
        backend: whose model is on the device.
        arrays: operations there.
    """

    backend: HuggingFaceBackend
    arrays: TorchArrays

    @classmethod
    def of(cls, backend: HuggingFaceBackend) -> DeviceGop:
        """On the device of a backend."""
        return cls(backend=backend, arrays=TorchArrays(str(backend.model.device)))

    def __call__(self, heard: Sequence[Heard], texts: Texts) -> BatchAlternatives:
        """Alternatives of the recordings of some batches, in their order.

        Args:
            heard: batches of recordings, from `HuggingFaceBackend.hear`.
            texts: of all of them together, from `pack`.
        """
        folding = self.backend.folding
        log_probs = side_by_side([fold_tensor(folding, one.log_probs) for one in heard])
        frames = np.array([count for one in heard for count in one.frames], dtype=np.int64)
        return alternatives_padded(self.arrays, log_probs, frames, texts, folding.phone_set)
