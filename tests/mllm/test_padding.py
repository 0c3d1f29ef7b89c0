"""The audio encoder hears a recording in a batch as it hears it alone, once padding is masked."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
pytest.importorskip("torch", reason="the extra 'hf' is not installed")

import torch

from elocute.errors import ConfigError
from elocute.mllm.padding import ignore_padding
from elocute.mllm.processing import TokenIds
from elocute.mllm.sizes import configuration

IDS = TokenIds(pad=0, eos=0, end=1, audio=2, image=3, rows=32)


@pytest.fixture(scope="module")
def model() -> Any:
    """A tiny model whose relative bias is not zero."""
    from transformers import Phi4MultimodalForCausalLM

    torch.manual_seed(1)
    return Phi4MultimodalForCausalLM(configuration("tiny", IDS)).float().eval()


def changes(model: Any, frames: Sequence[int]) -> list[float]:
    """How far the vectors of each recording in a batch are from those of the same recording alone, relatively."""
    encoder = model.model.embed_tokens_extend.audio_embed.encoder
    torch.manual_seed(2)
    alone = [12 + 3 * torch.randn(1, count, 80) for count in frames]
    batch = torch.nn.utils.rnn.pad_sequence([one[0] for one in alone], batch_first=True)
    mask = torch.arange(batch.shape[1])[None, :] < torch.tensor(frames)[:, None]
    with torch.no_grad():
        together = encoder(batch, mask)
        found = []
        for row, one in enumerate(alone):
            own = encoder(one, None)[0]
            found.append(float((together[row, : len(own)] - own).norm() / own.norm()))
    return found


def test_a_recording_sounds_the_same_alone_and_in_a_batch(model: Any) -> None:
    frames = (400, 160, 80)
    masked = copy.deepcopy(model)
    ignore_padding(masked)
    ignore_padding(masked)
    before, after = changes(model, frames), changes(masked, frames)
    assert before[0] == pytest.approx(0, abs=1e-5)
    assert after[0] == pytest.approx(0, abs=1e-5)
    # What is left is what convolutions hear at the end.
    assert max(after) < 0.05
    assert max(before) > 3 * max(after)


def test_alone_nothing_changes(model: Any) -> None:
    masked = copy.deepcopy(model)
    ignore_padding(masked)
    features = torch.randn(1, 200, 80)
    encoders = [each.model.embed_tokens_extend.audio_embed.encoder for each in (model, masked)]
    with torch.no_grad():
        plain, ours = (encoder(features, None) for encoder in encoders)
    assert torch.allclose(plain, ours, atol=1e-5)
    assert masked.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_pass_in_any_type(model: Any, dtype: torch.dtype) -> None:
    masked = copy.deepcopy(model).to(dtype)
    ignore_padding(masked)
    mask = torch.arange(800)[None, :] < torch.tensor([800, 8])[:, None]
    encoder = masked.model.embed_tokens_extend.audio_embed.encoder
    found = encoder(torch.randn(2, 800, 80, dtype=dtype), mask)
    assert found.isfinite().all()
    found[1, :1].square().mean().backward()
    gradients = [value.grad for value in encoder.parameters() if value.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_more_than_40_s_are_heard_in_pieces_as_before(model: Any) -> None:
    """The last piece is mostly padding of the encoder's own, which no mask tells it of."""
    masked = copy.deepcopy(model)
    ignore_padding(masked)
    features = torch.randn(1, 4400, 80)
    encoders = [each.model.embed_tokens_extend.audio_embed.encoder for each in (model, masked)]
    with torch.no_grad():
        plain, ours = (encoder(features, None) for encoder in encoders)
    assert ours.shape == (1, 550, plain.shape[-1])
    assert torch.allclose(plain, ours, atol=1e-5)


def test_a_copy_is_masked_by_itself(model: Any) -> None:
    masked = copy.deepcopy(model)
    ignore_padding(masked)
    again = copy.deepcopy(masked)
    encoder = again.model.embed_tokens_extend.audio_embed.encoder
    assert encoder.forward_embeddings.__self__ is encoder


def test_a_model_without_ears_is_refused() -> None:
    with pytest.raises(ConfigError, match="Linear has no audio encoder"):
        ignore_padding(torch.nn.Linear(1, 1))
