"""Arrays of torch on a device, for what goes on with a model's posteriors where the model left them.

`TorchArrays` offers what `gop.arrays.Arrays` asks for. Needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elocute.acoustic.vocabulary import LEAST_LEFT, Folding
from elocute.errors import ConfigError, MissingExtraError


class TorchArrays:
    """Operations of torch.

    Args:
        device: "cpu", "cuda" or any other that torch knows.

    Raises:
        MissingExtraError: torch is not installed.
        ConfigError: there is no such device here.
    """

    def __init__(self, device: str) -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingExtraError("lattices on a device need torch; pip install 'elocute[hf]'") from error
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            first = str(error).partition("\n")[0]
            raise ConfigError(f"device is {device!r}, which torch cannot use ({first}); expected 'cpu'") from error
        self.torch: Any = torch
        self.device = device

    def put(self, values: Any) -> Any:
        """On the device."""
        return self.torch.as_tensor(values).to(self.device, non_blocking=True)

    def numpy(self, values: Any) -> Any:
        """On the CPU."""
        return values.cpu().numpy()

    def full(self, shape: tuple[int, ...], value: float) -> Any:
        """A new tensor of float64."""
        return self.torch.full(shape, value, dtype=self.torch.float64, device=self.device)

    def exp(self, values: Any) -> Any:
        """Exponential function."""
        return values.exp()

    def log(self, values: Any) -> Any:
        """Natural logarithm."""
        return values.log()

    def logaddexp(self, one: Any, other: Any, out: Any = None) -> Any:
        """log(exp(one) + exp(other))."""
        return self.torch.logaddexp(one, other, out=out)

    def logsumexp(self, values: Any, axis: int) -> Any:
        """log(sum(exp(values)))."""
        return values.logsumexp(axis)

    def logcumsumexp(self, values: Any) -> Any:
        """log(cumsum(exp(values)))."""
        return values.logcumsumexp(0)

    def maximum(self, one: Any, other: Any) -> Any:
        """The larger of two."""
        if isinstance(other, float):
            return one.clamp(min=other)
        return self.torch.maximum(one, other)

    def where(self, condition: Any, one: Any, other: Any) -> Any:
        """One or the other."""
        return self.torch.where(condition, one, other)

    def max(self, values: Any, axis: int) -> Any:
        """Largest value."""
        return values.amax(axis)

    def argmax(self, values: Any, axis: int) -> Any:
        """Its place."""
        return values.argmax(axis)

    def cummax(self, values: Any) -> Any:
        """Largest value so far."""
        return values.cummax(0).values

    def cumsum(self, values: Any, axis: int) -> Any:
        """Sum so far."""
        return values.cumsum(axis)

    def flip(self, values: Any, axis: int) -> Any:
        """The other way round."""
        return values.flip(axis)

    def join(self, parts: list[Any], axis: int) -> Any:
        """One after the other."""
        return self.torch.cat(parts, axis)

    def take(self, values: Any, places: Any) -> Any:
        """Along the last axis."""
        shape = self.torch.broadcast_shapes(values.shape[:-1], places.shape[:-1])
        return values.expand(*shape, -1).gather(-1, places.expand(*shape, -1))

    def contiguous(self, values: Any) -> Any:
        """In the order of its axes."""
        return values.contiguous()

    def transpose(self, values: Any, axes: tuple[int, ...]) -> Any:
        """Axes in another order."""
        return values.permute(axes)


def fold_tensor(folding: Folding, log_probs: Any) -> Any:
    """`Folding.fold` of posteriors (B, T, V) on their device: (B, T, size), float32.

    Probabilities are added instead of their logarithms, in float64: what is less than 1e-300 of the largest in a row is
    lost.
    """
    import torch

    frames = log_probs.double()
    later = None
    if len(folding.pairs):
        labels = torch.as_tensor(folding.pairs[:, 0], device=frames.device)
        blank = frames[:, :, folding.blank_id, None]
        before = torch.full_like(frames[:, :, labels], -torch.inf)
        before[:, 1:] = frames[:, :-1, labels]
        later = before + torch.logaddexp(frames[:, :, labels], blank)
        moved = before.exp()
        frames = frames.clone()
        frames[:, :, labels] += (1.0 - moved).clamp(min=LEAST_LEFT).log()
        frames[:, :, folding.blank_id] += (1.0 - moved.sum(2)).clamp(min=LEAST_LEFT).log()
    peak = frames.amax(2, keepdim=True)
    columns = torch.as_tensor(folding.columns, device=frames.device)
    sums = torch.zeros((*frames.shape[:2], folding.phone_set.size), dtype=torch.float64, device=frames.device)
    folded = sums.index_add(2, columns, (frames - peak).exp()).log() + peak
    if later is not None:
        for column, share in zip(folding.pairs[:, 1].tolist(), later.unbind(2), strict=True):
            folded[:, :, column] = torch.logaddexp(folded[:, :, column], share)
    return folded.float()


def side_by_side(parts: Sequence[Any]) -> Any:
    """Posteriors of several batches, each (B, T, V), as one (T, sum of B, V) in float64, the ends filled up."""
    import torch

    longest = max(part.shape[1] for part in parts)
    filled = [torch.nn.functional.pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts]
    return torch.cat(filled).transpose(0, 1).double()
