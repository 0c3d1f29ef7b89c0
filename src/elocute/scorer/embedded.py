"""The embedded scorers: a small ONNX graph, transformers and trees, from features to scores.

Two of them ship: one learned to rely on the ratings of the embedded acoustic model, the other does without, for any
other backend. `elocute train scorer` makes one for a backend of one's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elocute.assets import SCORERS, open_model, read_card, read_object
from elocute.errors import ConfigError
from elocute.scorer.context import CONTEXT_FEATURES, UTTERANCE_CONTEXT, phone_context, utterance_context
from elocute.scorer.features import PHONE_FEATURES, UTTERANCE_FEATURES, Features, without_ratings
from elocute.types import Float64

_CARD_KEYS = ("version", "features", "context_features", "utterance_context_features", "needs_ratings", "detector")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Scores of one utterance, every one 0 to 1.

    Attributes:
        phone: shape (L,), accuracy.
        error_log_odds: shape (L,), log-odds that people would call the phone wrong; this one is not 0 to 1.
        word_accuracy: shape (W,).
        word_stress: shape (W,).
        word_total: shape (W,).
        accuracy: of the utterance.
        fluency: of the utterance.
        prosodic: of the utterance.
        total: of the utterance.
    """

    phone: Float64
    error_log_odds: Float64
    word_accuracy: Float64
    word_stress: Float64
    word_total: Float64
    accuracy: float
    fluency: float
    prosodic: float
    total: float


class EmbeddedScorer:
    """Runs a `scorer.onnx`; its facts, and which features it takes, come from the card beside it.

    Args:
        name: as reports show it.
        card: of the model.
        model: stem of an asset, or a file.

    Raises:
        ConfigError: the model was trained on a feature that this version does not compute.
    """

    def __init__(self, name: str, card: dict[str, Any], model: str | Path) -> None:
        self.name, self.card = name, card
        file = f"assets/{model}.onnx" if isinstance(model, str) else str(model)
        lacking = [key for key in _CARD_KEYS if key not in card]
        if lacking:
            raise ConfigError(f"the card of {file} lacks {', '.join(lacking)}; expected one of `elocute train scorer`")
        names = card["features"]
        unknown = [name for name in names if name not in (*PHONE_FEATURES, *UTTERANCE_FEATURES)]
        if unknown:
            raise ConfigError(
                f"{file} needs the feature {unknown[0]!r}, which this version does not compute; {_remedy(model)}"
            )
        contexts = card["context_features"], card["utterance_context_features"]
        if contexts != (list(CONTEXT_FEATURES), list(UTTERANCE_CONTEXT)):
            raise ConfigError(f"the trees of {file} need another context than this version computes; {_remedy(model)}")
        self._phone_columns = [PHONE_FEATURES.index(name) for name in names if name in PHONE_FEATURES]
        self._utterance_columns = [UTTERANCE_FEATURES.index(name) for name in names if name in UTTERANCE_FEATURES]
        self._session = open_model(model, threads=1)  # the graph is too small to share

    @property
    def needs_ratings(self) -> bool:
        """Whether it learned from an acoustic model that rates; without ratings its scores mean little."""
        return bool(self.card["needs_ratings"])

    @property
    def version(self) -> str:
        """Version of the weights."""
        return str(self.card["version"])

    def score(self, features: Features) -> Scores:
        """Score one utterance."""
        if not self.needs_ratings:
            features = without_ratings(features)  # what it saw in training
        words = int(features.word_ids[-1]) + 1
        member = (features.word_ids[:, None] == np.arange(words)).astype(np.float32)
        phone, word, whole, error = self._session.run(
            ["phone_score", "word_score", "utterance_score", "error_log_odds"],
            {
                "phone": features.phone[:, self._phone_columns],
                "utterance": features.utterance[self._utterance_columns],
                "phone_ids": features.phone_ids.astype(np.int64),
                "member": member,
                "context": phone_context(features),
                "utterance_context": utterance_context(features)[None],
            },
        )
        phone, word, whole = (np.clip(part.astype(np.float64) / 2, 0.0, 1.0) for part in (phone, word, whole))
        return Scores(
            phone=phone,
            error_log_odds=error.astype(np.float64),
            word_accuracy=word[:, 0],
            word_stress=word[:, 1],
            word_total=word[:, 2],
            accuracy=float(whole[0]),
            fluency=float(whole[1]),
            prosodic=float(whole[2]),
            total=float(whole[3]),
        )


def shipped_scorer(*, rated: bool = True) -> EmbeddedScorer:
    """The scorer that ships for backends that give ratings, or for those that give none."""
    name, stem = SCORERS[rated]
    return EmbeddedScorer(name, read_card(stem), stem)


def read_scorer(folder: Path) -> EmbeddedScorer:
    """A scorer that `elocute train scorer --out FOLDER` made.

    Raises:
        ConfigError: the folder holds none, or one of another version.
    """
    return EmbeddedScorer(folder.name, read_object(folder / "scorer.json"), folder / "scorer.onnx")


def _remedy(model: str | Path) -> str:
    """What helps when a model does not go with this version."""
    return "reinstall" if isinstance(model, str) else "train it again"
