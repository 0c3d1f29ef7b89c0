"""Step 5/10 - the few operations on arrays that batches of lattices need, all in float64, and how numpy does them.

The same code then runs on the CPU without torch and, with `acoustic.tensors`, on a GPU. Arrays of both kinds add,
multiply, compare and are sliced alike; only what differs is here.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from elocute.ctc import logsumexp


class Arrays(Protocol):
    """Operations on arrays of one kind."""

    def put(self, values: Any) -> Any:
        """An array of this kind, on its device, of the same type."""

    def numpy(self, values: Any) -> Any:
        """The values on the CPU, as numpy has them."""

    def full(self, shape: tuple[int, ...], value: float) -> Any:
        """A new array of float64."""

    def exp(self, values: Any) -> Any:
        """Exponential function."""

    def log(self, values: Any) -> Any:
        """Natural logarithm; -inf of 0, without a warning."""

    def logaddexp(self, one: Any, other: Any, out: Any = None) -> Any:
        """log(exp(one) + exp(other)), into `out` if given."""

    def logsumexp(self, values: Any, axis: int) -> Any:
        """log(sum(exp(values))) along an axis; -inf where all of it is -inf."""

    def logcumsumexp(self, values: Any) -> Any:
        """log(cumsum(exp(values))) along the first axis."""

    def maximum(self, one: Any, other: Any) -> Any:
        """The larger of two, number by number."""

    def where(self, condition: Any, one: Any, other: Any) -> Any:
        """One where the condition holds, else the other; both may be numbers."""

    def max(self, values: Any, axis: int) -> Any:
        """Largest value along an axis."""

    def argmax(self, values: Any, axis: int) -> Any:
        """Place of the largest value along an axis."""

    def cummax(self, values: Any) -> Any:
        """Largest value so far, along the first axis."""

    def cumsum(self, values: Any, axis: int) -> Any:
        """Sum so far along an axis."""

    def flip(self, values: Any, axis: int) -> Any:
        """The other way round along an axis."""

    def join(self, parts: list[Any], axis: int) -> Any:
        """Arrays one after the other along an axis."""

    def take(self, values: Any, places: Any) -> Any:
        """values[..., places[..., n]]: along the last axis, at places of shape (..., n) that are broadcast."""

    def contiguous(self, values: Any) -> Any:
        """The same, in the order of its axes in memory."""

    def transpose(self, values: Any, axes: tuple[int, ...]) -> Any:
        """Axes in another order."""


class NumpyArrays:
    """Operations of numpy."""

    def put(self, values: Any) -> Any:
        """As it is."""
        return np.asarray(values)

    def numpy(self, values: Any) -> Any:
        """As it is."""
        return values

    def full(self, shape: tuple[int, ...], value: float) -> Any:
        """A new array of float64."""
        return np.full(shape, value)

    def exp(self, values: Any) -> Any:
        """Exponential function."""
        return np.exp(values)

    def log(self, values: Any) -> Any:
        """Natural logarithm."""
        with np.errstate(divide="ignore"):
            return np.log(values)

    def logaddexp(self, one: Any, other: Any, out: Any = None) -> Any:
        """log(exp(one) + exp(other))."""
        return np.logaddexp(one, other, out=out)

    def logsumexp(self, values: Any, axis: int) -> Any:
        """log(sum(exp(values)))."""
        return logsumexp(values, axis)

    def logcumsumexp(self, values: Any) -> Any:
        """log(cumsum(exp(values)))."""
        return np.logaddexp.accumulate(values, axis=0)

    def maximum(self, one: Any, other: Any) -> Any:
        """The larger of two."""
        return np.maximum(one, other)

    def where(self, condition: Any, one: Any, other: Any) -> Any:
        """One or the other."""
        return np.where(condition, one, other)

    def max(self, values: Any, axis: int) -> Any:
        """Largest value."""
        return values.max(axis=axis)

    def argmax(self, values: Any, axis: int) -> Any:
        """Its place."""
        return values.argmax(axis=axis)

    def cummax(self, values: Any) -> Any:
        """Largest value so far."""
        return np.maximum.accumulate(values, axis=0)

    def cumsum(self, values: Any, axis: int) -> Any:
        """Sum so far."""
        return np.cumsum(values, axis=axis)

    def flip(self, values: Any, axis: int) -> Any:
        """The other way round."""
        return np.flip(values, axis)

    def join(self, parts: list[Any], axis: int) -> Any:
        """One after the other."""
        return np.concatenate(parts, axis=axis)

    def take(self, values: Any, places: Any) -> Any:
        """Along the last axis."""
        shape = np.broadcast_shapes(values.shape[:-1], places.shape[:-1])
        return np.take_along_axis(
            np.broadcast_to(values, (*shape, values.shape[-1])), np.broadcast_to(places, (*shape, places.shape[-1])), -1
        )

    def contiguous(self, values: Any) -> Any:
        """In the order of its axes."""
        return np.ascontiguousarray(values)

    def transpose(self, values: Any, axes: tuple[int, ...]) -> Any:
        """Axes in another order."""
        return values.transpose(axes)
