"""A fitted combination: how much each member counts for each score, and the JSON file that holds it.

Every member's score is first calibrated, that is mapped by a straight line to what people would say on average (the
line may be the score itself). Then the calibrated scores c_m are added up by weights w_m around their common centre:

    combined = centre + sum over m of w_m (c_m - centre)

For the probability that a phone is wrong the same is done with log-odds. A member that says nothing of an item is left
out there, and the weights of the others grow so that their sum stays.

Source: averaging calibrated scores is a common practice; learned weights are stacked regressions (Breiman, Machine
Learning 24, 1996), which also asks for weights that are not negative (`fit.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from elocute.assessors import ENTRY_POINT_GROUP
from elocute.ctc import logistic
from elocute.ensemble.values import TARGETS, UTTERANCE, Values
from elocute.errors import ConfigError
from elocute.evaluation.predictions import WORD_SCORES
from elocute.types import Float64

FORMAT = "elocute ensemble 1"
MOST_MEMBERS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member.

    Attributes:
        backend: name of the backend that makes its reports.
        scorer: folder of its scorer; None for the shipped one that suits it.
    """

    backend: str
    scorer: str | None = None

    @classmethod
    def of(cls, text: str) -> Member:
        """A member as it is typed: NAME, or NAME@SCORER.

        What makes reports in its own way takes no scorer, so that an @ in its name is its own.

        Raises:
            ConfigError: it has no name, or is an ensemble itself.
        """
        own = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
        name, at, scorer = (text, "", "") if text.partition(":")[0] in own else text.partition("@")
        if not name or (at and not scorer):
            raise ConfigError(f"member is {text!r}; expected a backend, or a backend, @ and the folder of its scorer")
        if name.partition(":")[0] == "ensemble":
            raise ConfigError(f"member is {text!r}; expected no ensemble in an ensemble, name its members")
        return cls(backend=name, scorer=scorer or None)

    def __str__(self) -> str:
        """As it is typed."""
        return self.backend if self.scorer is None else f"{self.backend}@{self.scorer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """How one score is combined from M members.

    Attributes:
        center: what the calibrated scores are measured from: people's mean score, or their log-odds of an error.
        calibration: offset and slope of each member; None for one that is not used, because it does not say this.
        weights: of each member, 0 or more; 0 where it is not used.
    """

    center: float
    calibration: tuple[tuple[float, float] | None, ...]
    weights: tuple[float, ...]

    def of(self, said: Float64) -> Float64:
        """Combine what the members say.

        Args:
            said: shape (N, M), NaN where a member says nothing.

        Returns: shape (N,), NaN where all members that count say nothing.
        """
        known, total = np.zeros(len(said)), sum(self.weights)
        moved = np.zeros(len(said))
        for column, line, weight in zip(said.T, self.calibration, self.weights, strict=True):
            if line is None or weight == 0.0:
                continue
            calibrated = line[0] + line[1] * column - self.center
            known += np.where(np.isnan(column), 0.0, weight)
            moved += np.where(np.isnan(column), 0.0, weight * calibrated)
        with np.errstate(invalid="ignore", divide="ignore"):
            grown = moved * (total / known)
        return np.where(known > 0.0, self.center + grown, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Combination:
    """A fitted combination of M members.

    Attributes:
        members: the first of them leads: times, words left out and whatever is not combined are its.
        blends: by target (`TARGETS`); of what is absent the leader's word stands.
        thresholds: probabilities, falling: from which a phone is flagged at low, normal and high sensitivity, and one
            more; None where errors are not combined.
        card: what its makers say about it.
    """

    members: tuple[Member, ...]
    blends: Mapping[str, Blend]
    thresholds: tuple[float, float, float, float] | None
    card: Mapping[str, Any] = field(default_factory=dict)

    def of(self, said: Sequence[Values]) -> Values:
        """Combine what the members say of an utterance; what no blend covers is as the first of them says."""
        first = said[0]
        found = {
            target: blend.of(np.column_stack([values.of(target) for values in said]))
            for target, blend in self.blends.items()
        }

        def score(target: str, own: Float64) -> Float64:
            return np.clip(found[target], 0.0, 1.0) if target in found else own

        odds = found.get("error")
        words = [score(f"word {name}", first.word[:, k]) for k, name in enumerate(WORD_SCORES)]
        utterance = [score(f"utterance {name}", first.utterance[[k]]) for k, name in enumerate(UTTERANCE)]
        return Values(
            phone=score("phone", first.phone),
            word=np.column_stack(words),
            utterance=np.concatenate(utterance),
            error=first.error if odds is None else np.where(np.isnan(odds), np.nan, logistic(np.nan_to_num(odds))),
        )


def plain_average(members: Sequence[Member]) -> Combination:
    """The mean of the members' scores as they are, where nothing was fitted; errors are the leader's."""
    share = 1.0 / len(members)
    blend = Blend(
        center=0.0,
        calibration=((0.0, 1.0),) * len(members),
        weights=(share,) * len(members),
    )
    scores = {target: blend for target in TARGETS if target != "error"}
    return Combination(members=tuple(members), blends=scores, thresholds=None)


def write_combination(path: Path, combination: Combination) -> None:
    """Store a combination; the file appears in one step.

    Raises:
        ConfigError: it cannot be written.
    """
    plain = dict(combination.card) | {
        "format": FORMAT,
        "members": [asdict(member) for member in combination.members],
        "blends": {target: asdict(blend) for target, blend in combination.blends.items()},
        "thresholds": combination.thresholds,
    }
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; name a file in a writable folder") from error


def read_combination(path: Path) -> Combination:
    """Read a combination that `elocute train ensemble` made.

    Raises:
        ConfigError: the file cannot be read, is something else, or contradicts itself.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the combination {path}: {error.strerror}; give a file that `elocute train ensemble` made"
        ) from error
    except ValueError as error:  # not UTF-8, not JSON
        raise ConfigError(f"the combination {path} is not JSON: {error}; make it again") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        got = plain.get("format") if isinstance(plain, dict) else type(plain).__name__
        raise ConfigError(f"{path}: format is {got!r}; expected {FORMAT!r}, as `elocute train ensemble` writes it")
    try:
        members = tuple(Member(backend=str(one["backend"]), scorer=one["scorer"]) for one in plain["members"])
        blends = {target: _blend(blend) for target, blend in plain["blends"].items()}
        thresholds = None if plain["thresholds"] is None else tuple(map(float, plain["thresholds"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{path}: {error!r} while reading members, blends and thresholds; expected a file as `elocute train "
            "ensemble` writes it, make it again"
        ) from error
    _check(path, members, blends, thresholds)
    card = {key: value for key, value in plain.items() if key not in ("format", "members", "blends", "thresholds")}
    low, normal, high, least = thresholds or (0.0, 0.0, 0.0, 0.0)
    return Combination(
        members=members,
        blends=blends,
        thresholds=None if thresholds is None else (low, normal, high, least),
        card=card,
    )


def _blend(plain: Mapping[str, Any]) -> Blend:
    """A blend from its JSON."""
    return Blend(
        center=float(plain["center"]),
        calibration=tuple(None if line is None else (float(line[0]), float(line[1])) for line in plain["calibration"]),
        weights=tuple(map(float, plain["weights"])),
    )


def _check(
    path: Path, members: Sequence[Member], blends: Mapping[str, Blend], thresholds: Sequence[float] | None
) -> None:
    """ConfigError unless all parts fit each other and every number is one."""
    if not 1 <= len(members) <= MOST_MEMBERS:
        raise ConfigError(f"{path} has {len(members)} members; expected 1 to {MOST_MEMBERS}")
    unknown = sorted(set(blends) - set(TARGETS))
    if unknown:
        raise ConfigError(f"{path}: unknown score {unknown[0]!r}; expected {', '.join(TARGETS)}")
    for target, blend in blends.items():
        if not len(blend.weights) == len(blend.calibration) == len(members):
            raise ConfigError(
                f"{path}: {target} has {len(blend.weights)} weights and {len(blend.calibration)} calibrations; "
                f"expected {len(members)} of each, one a member"
            )
        used = [weight for weight, line in zip(blend.weights, blend.calibration, strict=True) if line is not None]
        numbers = [blend.center, *blend.weights, *(x for line in blend.calibration if line for x in line)]
        if not np.isfinite(numbers).all() or min(blend.weights) < 0 or sum(used) <= 0:
            raise ConfigError(f"{path}: {target}: expected finite numbers, and weights of which one is above 0")
    if ("error" in blends) != (thresholds is not None):
        raise ConfigError(f"{path}: thresholds and the blend 'error' go together; expected both or neither")
    if thresholds is not None and (len(thresholds) != 4 or list(thresholds) != sorted(thresholds, reverse=True)):
        raise ConfigError(f"{path}: thresholds are {list(thresholds)}; expected four, falling")
