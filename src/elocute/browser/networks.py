"""In place of onnxruntime: the part of its interface that elocute uses, for onnxruntime's WebAssembly in the page.

The page offers a module `elocute_networks` with the functions of `page/device/networks.js`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_,
    11: np.float64,
}  # fmt: skip
"""Types of tensors, as ONNX numbers them."""
_NUMBERS = {np.dtype(kind): number for number, kind in _TYPES.items()}


@dataclass(slots=True)
class SessionOptions:
    """Settings of a session; the page chose the threads when it started the run-time, for all sessions."""

    intra_op_num_threads: int = 0


class InferenceSession:
    """One network.

    Args:
        model: bytes of an ONNX file.
        options: accepted, and without effect.
        providers: likewise; there is none but the CPU.
    """

    def __init__(
        self, model: bytes, options: SessionOptions | None = None, providers: Sequence[str] | None = None
    ) -> None:
        import elocute_networks  # type: ignore[import-not-found]  # the page registers it

        self._page: Any = elocute_networks
        self._number = self._page.load(model)
        self._outputs = list(self._page.names(self._number)[1])

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run it; outputs None are all of them."""
        inputs = [
            [name, _NUMBERS[value.dtype], list(value.shape), np.ascontiguousarray(value).tobytes()]
            for name, value in feeds.items()
        ]
        found = self._page.run(self._number, inputs, self._outputs if outputs is None else list(outputs))
        return [np.frombuffer(content, dtype=_TYPES[kind]).reshape(tuple(shape)) for kind, shape, content in found]
