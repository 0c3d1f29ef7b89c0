"""CTC models of transformers with a phone head: found, built, frozen, saved.

Families differ in what they are fed (samples or spectra), in how many frames they give, in the name of their head and
in what can be frozen; this module is the only one that knows.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from elocute.acoustic.frame_count import SPECTRAL, WAVEFORM, FrameCount, frame_count
from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.training.ctc_recipe import CtcTraining, ModelRecipe

log = logging.getLogger(__name__)

BLANK = "<pad>"
VOCABULARY = (BLANK, *PHONES)
"""What the columns of the phone head mean: the blank, which is also the padding, then our phones in their order."""
LONGEST_FRAME_S = 0.04
FINE_FRAME_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhoneModel:
    """A model with a phone head, and what must be known to feed and read it.

    Attributes:
        model: of a CTC class of transformers.
        extractor: feature extractor of transformers: list of samples to the model's input.
        frames: samples to frames.
        upsampling: of the head: it gives this many times `VOCABULARY` for each frame of the encoder.
        is_new_head: whether the head starts from random weights.
        is_random: whether all of the model does.
    """

    model: Any
    extractor: Any
    frames: FrameCount
    upsampling: int
    is_new_head: bool
    is_random: bool

    @property
    def head(self) -> nn.Module:
        """The phone head."""
        return head_of(self.model)


def head_of(model: Any) -> nn.Module:
    """The layer that gives logits: `ctc_head` of Parakeet, `lm_head` of all others."""
    name = "ctc_head" if hasattr(model, "ctc_head") else "lm_head"
    head: nn.Module = getattr(model, name)
    return head


def load_model(name: str | None, recipe: ModelRecipe, *, seed: int = 1) -> PhoneModel:
    """Build what a name says: `hf:DIR_OR_NAME` with its weights, `config:FILE` or the recipe's own with random ones.

    Args:
        name: None takes the recipe's.
        recipe: what changes.
        seed: of new weights.

    Raises:
        ConfigError: the name is of neither kind, nothing is there, it is of a family without CTC, or its weights do
            not fit the class.
    """
    import torch

    quiet()
    torch.manual_seed(seed)
    name = name or recipe.name
    if name is None and not recipe.config:
        raise ConfigError("no model; give --model hf:DIR_OR_NAME or config:FILE, or a recipe that names one")
    kind, _, place = (name or "").partition(":")
    if name is not None and (kind not in ("hf", "config") or not place):
        raise ConfigError(f"model is {name!r}; expected hf:DIR_OR_NAME or config:FILE.json")
    if kind == "hf":
        return _pretrained(place, recipe)
    table = dict(recipe.config) if name is None else _read_config(Path(place))
    config = _phone_config(_config_of(table), recipe)
    from transformers import AutoModelForCTC

    model = AutoModelForCTC.from_config(config, dtype=torch.float32)
    return _finished(model, default_extractor(config), is_new_head=True, is_random=True)


def freeze(phone_model: PhoneModel, training: CtcTraining) -> None:
    """Take gradients from what the recipe freezes.

    Raises:
        ConfigError: there are fewer layers than should be frozen, or the weights are random.
    """
    model = phone_model.model
    if phone_model.is_random and (training.freeze != "nothing" or training.freeze_layers):
        raise ConfigError(
            "the model has random weights, which must not be frozen; give --set training.freeze=nothing and "
            "training.freeze_layers=0"
        )
    if training.freeze == "encoder":
        frozen: list[nn.Module] = [_base(model)]
    elif training.freeze == "feature_encoder":
        frozen = [_feature_encoder(model)]
    else:
        frozen = []
    layers = _base(model).layers if hasattr(_base(model), "layers") else _base(model).encoder.layers
    if training.freeze_layers > len(layers):
        raise ConfigError(f"freeze_layers is {training.freeze_layers}; the model has {len(layers)}")
    for module in (*frozen, *layers[: training.freeze_layers]):
        for parameter in module.parameters():
            parameter.requires_grad_(False)
    # The families with convolutions over samples mark their input as needing a gradient unless told so.
    if training.freeze != "nothing" and hasattr(model, "freeze_feature_encoder"):
        model.freeze_feature_encoder()
    for parameter in phone_model.head.parameters():
        parameter.requires_grad_(True)


def trainable(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Parameters that learn, and all, of each part of the model."""
    counts: dict[str, tuple[int, int]] = {}
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        part = ".".join(parts[:2]) if parts[0] not in ("lm_head", "ctc_head") else parts[0]
        learns, every = counts.get(part, (0, 0))
        counts[part] = (learns + parameter.numel() * parameter.requires_grad, every + parameter.numel())
    return counts


def default_extractor(config: Any) -> Any:
    """The feature extractor of a family whose folder has none."""
    import transformers

    if config.model_type in WAVEFORM:
        # Models with layer norm in their convolutions were made with masks, those with group norm without.
        masks = getattr(config, "feat_extract_norm", "layer") == "layer"
        return transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=masks)
    if config.model_type == "wav2vec2-bert":
        return transformers.SeamlessM4TFeatureExtractor(
            feature_size=config.feature_projection_input_dim // 2, num_mel_bins=config.feature_projection_input_dim // 2
        )
    return transformers.ParakeetFeatureExtractor(feature_size=config.encoder_config.num_mel_bins)


class Masking:
    """The model's own SpecAugment, switched on and off while training; its settings are as asked for when saved."""

    def __init__(self, model: Any) -> None:
        self.config = model.config
        names = ("mask_time_prob", "mask_feature_prob")
        self.asked = {name: getattr(model.config, name) for name in names if hasattr(model.config, name)}

    def set(self, frames: int, *, wanted: bool) -> None:
        """Prepare for a batch of so many frames of the encoder.

        transformers refuses masks that are longer than what they should hide, so that short batches have none.
        """
        for name, share in self.asked.items():
            size = frames if "time" in name else self.config.hidden_size
            longest = getattr(self.config, name.replace("prob", "length"))
            setattr(self.config, name, share if wanted and size > longest else 0.0)

    def restore(self) -> None:
        """As the configuration was."""
        for name, share in self.asked.items():
            setattr(self.config, name, share)


def quiet() -> None:
    """No progress bars and reports of transformers on the terminal; what matters of them is checked here."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def _pretrained(place: str, recipe: ModelRecipe) -> PhoneModel:
    """A model with its weights, and a new head unless it has ours."""
    import torch
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForCTC

    try:
        config = AutoConfig.from_pretrained(place)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load {place}: {_first_line(error)}; expected a model of transformers") from error
    _check_family(config)
    has_ours = _has_our_head(Path(place), config)
    config = _phone_config(config, recipe, keep_head=has_ours)
    try:
        extractor = AutoFeatureExtractor.from_pretrained(place)
    except (OSError, ValueError):
        log.warning("%s has no preprocessor_config.json; taking the usual one of %s", place, config.model_type)
        extractor = default_extractor(config)
    try:
        model, report = AutoModelForCTC.from_pretrained(
            place, config=config, ignore_mismatched_sizes=True, output_loading_info=True, dtype=torch.float32
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"cannot load the weights of {place}: {_first_line(error)}") from error
    _check_loaded(place, report)
    return _finished(model, extractor, is_new_head=not has_ours, is_random=False)


def _check_loaded(place: str, report: Mapping[str, Any]) -> None:
    """ConfigError if more than the head (and the mask's embedding, which pretraining may lack) is not in the file."""
    mismatched = [item[0] if isinstance(item, tuple | list) else item for item in report["mismatched_keys"]]
    spared = ("lm_head.", "ctc_head.")
    absent = [
        key for key in (*report["missing_keys"], *mismatched) if not key.startswith(spared) and "masked_spec" not in key
    ]
    if absent:
        raise ConfigError(
            f"{place} lacks {len(absent)} weights of its class or has them in another shape, first "
            f"{', '.join(sorted(absent)[:5])}; expected a whole encoder of this family"
        )
    extra = [key for key in report["unexpected_keys"] if not key.startswith(spared)]
    if extra:
        log.warning("%s: %d weights are not used, first %s", place, len(extra), ", ".join(sorted(extra)[:3]))


def _has_our_head(folder: Path, config: Any) -> bool:
    """Whether a folder holds a model of ours, whose head goes on learning."""
    path = folder / "vocab.json"
    if not path.is_file() or not any("ForCTC" in name for name in config.architectures or ()):
        return False
    table = json.loads(path.read_text(encoding="utf-8"))
    ours = {label: number for number, label in enumerate(VOCABULARY)}
    return bool(table == ours and config.vocab_size == len(VOCABULARY) * getattr(config, "frame_upsampling", 1))


def _phone_config(config: Any, recipe: ModelRecipe, *, keep_head: bool = False) -> Any:
    """The configuration with the recipe's changes and a phone head."""
    _check_family(config)
    target = config.encoder_config if config.model_type == "parakeet_ctc" else config
    for key, value in recipe.overrides.items():
        if not hasattr(target, key):
            raise ConfigError(f"model.overrides.{key}: a {config.model_type} has no such setting; leave it out")
        setattr(target, key, value)
    if not keep_head and hasattr(config, "add_adapter"):
        config.add_adapter = False  # it would halve the frames, and its weights are in no pretrained file
    coarse = frame_count(config, default_extractor(config)).frame_s * getattr(config, "frame_upsampling", 1)
    upsampling = recipe.frame_upsampling or (1 if coarse <= LONGEST_FRAME_S else round(coarse / FINE_FRAME_S))
    if keep_head:
        upsampling = getattr(config, "frame_upsampling", 1)
    config.frame_upsampling = upsampling
    config.vocab_size = len(VOCABULARY) * upsampling
    config.pad_token_id = 0
    for name in ("bos_token_id", "eos_token_id"):
        if hasattr(config, name):
            setattr(config, name, None)
    return config


def _finished(model: Any, extractor: Any, *, is_new_head: bool, is_random: bool) -> PhoneModel:
    """The model with what is known of it."""
    frames = frame_count(model.config, extractor)
    return PhoneModel(
        model=model,
        extractor=extractor,
        frames=frames,
        upsampling=frames.upsampling,
        is_new_head=is_new_head,
        is_random=is_random,
    )


def _check_family(config: Any) -> None:
    """ConfigError unless it is a family with CTC."""
    if config.model_type not in (*WAVEFORM, *SPECTRAL):
        raise ConfigError(
            f"model is a {config.model_type}; expected one of {', '.join((*WAVEFORM, *SPECTRAL))}, which have CTC heads"
        )


def _read_config(path: Path) -> dict[str, Any]:
    """A configuration file of transformers."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}; expected a config.json of transformers") from error
    if not isinstance(table, dict) or "model_type" not in table:
        raise ConfigError(f"{path} has no model_type; expected a config.json of transformers")
    return table


def _config_of(table: dict[str, Any]) -> Any:
    """A configuration object; ConfigError for a key that its family does not have."""
    from transformers import AutoConfig

    table = dict(table)
    kind = table.pop("model_type")
    if kind not in (*WAVEFORM, *SPECTRAL):
        raise ConfigError(f"model_type is {kind!r}; expected one of {', '.join((*WAVEFORM, *SPECTRAL))}")
    known = AutoConfig.for_model(kind)
    unknown = [key for key in table if not hasattr(known, key)]
    if unknown:
        raise ConfigError(f"a {kind} has no setting {', '.join(sorted(unknown))}; leave it out of the configuration")
    return AutoConfig.for_model(kind, **table)


def _base(model: Any) -> Any:
    """The encoder beneath the head."""
    return model.encoder if hasattr(model, "ctc_head") else getattr(model, model.base_model_prefix)


def _feature_encoder(model: Any) -> nn.Module:
    """What turns the input into the first states: convolutions over samples or spectra, or a projection."""
    base = _base(model)
    for name in ("feature_extractor", "subsampling", "feature_projection"):
        if hasattr(base, name):
            found: nn.Module = getattr(base, name)
            return found
    raise ConfigError(
        f"a {model.config.model_type} has no feature encoder that can be frozen; choose freeze = 'nothing'"
    )


def _first_line(error: Exception) -> str:
    """The first line of another library's message."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
