"""The audio encoder made to ignore padding, so that a recording sounds the same alone and in a batch.

transformers adds the Boolean mask of its encoder to the relative bias of attention: what should be left out only
weighs less by a factor e. Of a recording in a batch with longer ones, every vector then depends on the silence behind
it; alone it has no padding, and the mask shifts all keys alike, which softmax does not see. Here padding is left out.

Deviates: the released code has the same sum, so that in batches its numbers are other ones; alone they are the same.
    What convolutions hear of the padding at the very end of a recording is left as it is.
"""

from __future__ import annotations

import types
from typing import Any

from elocute.errors import ConfigError


def ignore_padding(model: Any) -> None:
    """Make the audio encoder of a loaded Phi-4-multimodal ignore padding; once or more, to the same effect.

    Args:
        model: `Phi4MultimodalForCausalLM`, plain or inside adapters.

    Raises:
        ConfigError: there is no audio encoder in the model.
    """
    from transformers.models.phi4_multimodal.modeling_phi4_multimodal import Phi4MultimodalAudioModel

    encoders = [module for module in model.modules() if isinstance(module, Phi4MultimodalAudioModel)]
    if not encoders:
        raise ConfigError(f"{type(model).__name__} has no audio encoder; expected a Phi-4-multimodal model")
    encoder: Any
    for encoder in encoders:
        encoder.forward_embeddings = types.MethodType(_forward_embeddings, encoder)
        encoder.calculate_hs_mask = types.MethodType(_calculate_hs_mask, encoder)


def _forward_embeddings(self: Any, hidden_states: Any, masks: Any) -> tuple[Any, Any, Any]:
    """As the class has it, with a mask to be added."""
    hidden, mask, masks = type(self).forward_embeddings(self, hidden_states, masks)
    return hidden, _added(mask, hidden), masks


def _calculate_hs_mask(self: Any, hidden_states: Any, device: Any, mask: Any) -> Any:
    """As the class has it, with a mask to be added; used for more than 40 s."""
    return _added(type(self).calculate_hs_mask(self, hidden_states, device, mask), hidden_states)


def _added(mask: Any, like: Any) -> Any:
    """0 where a key may be attended to, far below everything else where it may not."""
    import torch

    # Half of the lowest: the bias is added to it, and a row without any key must not become NaN.
    lowest = torch.finfo(like.dtype).min / 2
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill_(~mask, lowest)
