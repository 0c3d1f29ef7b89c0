"""Tiny random models in the layouts that users download; nothing here is trained, and all of it takes a second."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elocute.acoustic.notation import ARPABET

SPECIALS = ("<pad>", "<s>", "</s>", "<unk>", "|")
PHONE_LABELS = (*SPECIALS, *ARPABET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One class of transformers.

    Attributes:
        make: the model, given the size of the head and the blank's column.
        features: the feature extractor.
        frame_shift_s: what must be measured.
        batches: whether padding changes nothing.
    """

    make: Callable[[int, int], Any]
    features: Callable[[], Any]
    frame_shift_s: float
    batches: bool = False


_SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8, 8, 8, 8, 8, 8, 8),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


def _of(name: str, **settings: Any) -> Callable[[int, int], Any]:
    """A model of the class that begins with `name`."""

    def make(size: int, blank_id: int) -> Any:
        import torch
        import transformers

        config = getattr(transformers, f"{name}Config")(
            **{**_SMALL, **settings}, vocab_size=size, pad_token_id=blank_id
        )
        torch.manual_seed(0)
        return getattr(transformers, f"{name}ForCTC")(config)

    return make


def _parakeet(size: int, blank_id: int) -> Any:
    import torch
    from transformers import ParakeetCTCConfig, ParakeetEncoderConfig, ParakeetForCTC

    encoder = ParakeetEncoderConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        subsampling_conv_channels=8,
        num_mel_bins=80,
    )
    torch.manual_seed(0)
    return ParakeetForCTC(ParakeetCTCConfig(encoder_config=encoder.to_dict(), vocab_size=size, pad_token_id=blank_id))


def _raw(*, normalise: bool) -> Callable[[], Any]:
    def make() -> Any:
        from transformers import Wav2Vec2FeatureExtractor

        return Wav2Vec2FeatureExtractor(do_normalize=normalise, return_attention_mask=normalise)

    return make


def _named(name: str) -> Callable[[], Any]:
    def make() -> Any:
        import transformers

        return getattr(transformers, name)()

    return make


_BERT: dict[str, Any] = {
    "conv_dim": None,
    "feature_projection_input_dim": 160,
    "left_max_position_embeddings": 8,
    "right_max_position_embeddings": 4,
}
FAMILIES: dict[str, Family] = {
    "wav2vec2": Family(
        make=_of("Wav2Vec2", feat_extract_norm="layer", do_stable_layer_norm=True),
        features=_raw(normalise=True),
        frame_shift_s=0.02,
        batches=True,
    ),
    "wavlm-layer": Family(
        make=_of("WavLM", feat_extract_norm="layer", do_stable_layer_norm=True),
        features=_raw(normalise=True),
        frame_shift_s=0.02,
        batches=True,
    ),
    "wavlm": Family(make=_of("WavLM"), features=_raw(normalise=False), frame_shift_s=0.02),
    "hubert": Family(make=_of("Hubert"), features=_raw(normalise=True), frame_shift_s=0.02),
    "data2vec": Family(make=_of("Data2VecAudio"), features=_raw(normalise=True), frame_shift_s=0.02),
    "conformer": Family(make=_of("Wav2Vec2Conformer"), features=_raw(normalise=True), frame_shift_s=0.02),
    "bert": Family(
        make=_of("Wav2Vec2Bert", **_BERT),
        features=_named("SeamlessM4TFeatureExtractor"),
        frame_shift_s=0.02,
        batches=True,
    ),
    "bert-adapter": Family(
        make=_of("Wav2Vec2Bert", **_BERT, add_adapter=True, output_hidden_size=16),
        features=_named("SeamlessM4TFeatureExtractor"),
        frame_shift_s=0.04,
    ),
    "parakeet": Family(make=_parakeet, features=_named("ParakeetFeatureExtractor"), frame_shift_s=0.08, batches=True),
}


def save_family(
    name: str, folder: Path, labels: Sequence[str] = PHONE_LABELS, *, blank: str = "<pad>", unmarked: bool = False
) -> Path:
    """Save a tiny model of a family with a vocabulary, as `save_pretrained` of model and processor does."""
    family = FAMILIES[name]
    family.make(len(labels), labels.index(blank)).save_pretrained(folder)
    family.features().save_pretrained(folder)
    (folder / "vocab.json").write_text(
        json.dumps({label: column for column, label in enumerate(labels)}, ensure_ascii=False), encoding="utf-8"
    )
    settings = {} if unmarked else {"pad_token": blank, "unk_token": "<unk>", "word_delimiter_token": "|"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder
