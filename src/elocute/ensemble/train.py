"""From out-of-fold predictions of several members to a fitted combination, and what it is worth.

Stacking learns from predictions of utterances whose speakers the members did not know; weights learned on what they
said of their own training speakers would favour whoever remembers best. The combination is then measured in the same
way: every fold of speakers is combined by blends that were learned without it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from elocute.corpora.speechocean762 import ScoredUtterance
from elocute.ensemble.combination import Blend, Combination, Member
from elocute.ensemble.fit import AVERAGES, RIDGES, Way, choose_way, fit_blend
from elocute.ensemble.items import Opinions, items_of, keep_omitted, opinions_of, tellers, truth_of
from elocute.ensemble.members import read_member
from elocute.ensemble.values import TARGETS, UTTERANCE, Values
from elocute.ensemble.worth import worth_of
from elocute.errors import ConfigError
from elocute.evaluation.operating import choose_thresholds
from elocute.evaluation.predictions import (
    PHONE_MAX,
    SCORE_MAX,
    Prediction,
    StoredPredictions,
)
from elocute.evaluation.provenance import commit_of_checkout, machine

log = logging.getLogger(__name__)

Method = Literal["average", "ridge"]
WAYS: Mapping[Method, Sequence[Way]] = {"average": AVERAGES, "ridge": RIDGES}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleTraining:
    """What a fitted combination depends on.

    Attributes:
        members: the first leads.
        predictions: file of each one's out-of-fold predictions, or answers of a language model (`read_member`).
        method: "average" or "ridge".
        folds: of speakers; those of the members' own training.
        fold_seed: seed that dealt the speakers.
        draws: resamples of the speakers behind each interval.
        shared_only: whether utterances that a member has no prediction of are left out; else they are refused.
        command: written into the card.
    """

    members: tuple[Member, ...]
    predictions: tuple[Path, ...]
    method: Method = "average"
    folds: int = 5
    fold_seed: int = 1
    draws: int = 500
    shared_only: bool = False
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedEnsemble:
    """A fitted combination with its card, and what it says of every utterance out of fold."""

    combination: Combination
    predictions: tuple[Prediction, ...]
    provenance: Mapping[str, Any]


def train_ensemble(
    utterances: Sequence[ScoredUtterance],
    config: EnsembleTraining,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedEnsemble:
    """Learn how the members are combined, and measure it out of fold.

    Args:
        utterances: with people's scores.
        config: what to combine, and how.
        progress: called with parts done and parts in all.

    Raises:
        ConfigError: fewer than two members, predictions that are missing, of other utterances, or not out of fold.
    """
    if len(config.members) < 2 or len(config.members) != len(config.predictions):
        raise ConfigError(f"an ensemble of {len(config.members)} members; expected two or more, each with predictions")
    stored = [read_member(path) for path in config.predictions]
    if config.shared_only:
        shared = set.intersection(*({one.id for one in found.utterances} for found in stored))
        utterances = [one for one in utterances if one.id in shared]
    for member, path, one in zip(config.members, config.predictions, stored, strict=True):
        _check(member, path, one, utterances, config)
    corpus = opinions_of(utterances, stored, folds=config.folds, fold_seed=config.fold_seed)
    items = {target: items_of(corpus, target) for target in TARGETS}
    # What the leader alone tells stays as it tells it; what another one alone tells is taken as that one tells it.
    items = {target: one for target, one in items.items() if set(tellers(one)) - {0}}
    blends: dict[str, Blend] = {}
    unseen: dict[str, dict[int, Blend]] = {}
    ways: dict[str, Way] = {}
    for number, (target, told) in enumerate(items.items()):
        if progress is not None:
            progress(number, len(items) + 1)
        offered = WAYS[config.method] if len(tellers(told)) > 1 else AVERAGES[:1]
        ways[target] = choose_way(told, offered)
        blends[target] = fit_blend(told, ways[target])
        parts = {fold: told.part(told.fold != fold) for fold in sorted(set(told.fold.tolist()))}
        unseen[target] = {fold: fit_blend(part, choose_way(part, offered)) for fold, part in parts.items()}
    draft = Combination(members=config.members, blends=blends, thresholds=None)
    combined = _out_of_fold(corpus, draft, unseen)
    thresholds = _thresholds(corpus, combined) if "error" in blends else None
    combination = replace(draft, thresholds=thresholds)
    predictions = tuple(
        _prediction(combination, [one[n] for one in corpus.stored], combined[n], utterance)
        for n, utterance in enumerate(utterances)
    )
    card = _card(config, stored, combination, ways, len(utterances)) | {
        "evaluation": worth_of(
            corpus, combined, [str(member) for member in config.members], list(blends), draws=config.draws
        )
    }
    if progress is not None:
        progress(len(items) + 1, len(items) + 1)
    return TrainedEnsemble(
        combination=replace(combination, card=card),
        predictions=predictions,
        provenance=_provenance(config, card, thresholds),
    )


def _check(
    member: Member,
    path: Path,
    stored: StoredPredictions,
    utterances: Sequence[ScoredUtterance],
    config: EnsembleTraining,
) -> None:
    """ConfigError unless predictions are out of fold and of these utterances."""
    if stored.provenance.get("seen_in_training"):
        raise ConfigError(
            f"{path}: {member} trained on these speakers (seen_in_training), so its weight would be far too high; "
            "give out-of-fold predictions, such as oof.jsonl.gz of `elocute train scorer`"
        )
    for name, ours in (("folds", config.folds), ("fold_seed", config.fold_seed)):
        theirs = stored.provenance.get(name)
        if theirs is not None and theirs != ours:
            raise ConfigError(
                f"{path}: {name} is {theirs}; expected {ours} as in this training, so that no blend sees the "
                f"speakers that it is measured on; give --{name.replace('_', '-')} {theirs}"
            )
    known = {one.id for one in stored.utterances}
    missing = [one.id for one in utterances if one.id not in known]
    if missing:
        raise ConfigError(
            f"{path} lacks {len(missing)} of {len(utterances)} utterances, first {missing[0]}; expected predictions "
            "of the whole split train; --shared-only takes those that all members have"
        )


def _out_of_fold(corpus: Opinions, draft: Combination, unseen: Mapping[str, Mapping[int, Blend]]) -> list[Values]:
    """What blends say of the utterances of folds that they did not see; omitted words stay as the leader has them."""
    by_fold = {
        fold: replace(draft, blends={target: blends[fold] for target, blends in unseen.items()})
        for fold in set(corpus.fold)
    }
    return [
        keep_omitted(by_fold[fold].of([one[n] for one in corpus.values]), corpus.values[0][n], leader, utterance)
        for n, (fold, leader, utterance) in enumerate(
            zip(corpus.fold, corpus.stored[0], corpus.utterances, strict=True)
        )
    ]


def _thresholds(corpus: Opinions, combined: Sequence[Values]) -> tuple[float, float, float, float]:
    """Operating points, on probabilities told out of fold; single numbers, chosen on all folds."""
    led = [n for n, is_led in enumerate(corpus.led) if is_led]
    stated = np.concatenate([combined[n].error for n in led])
    wrong = np.concatenate([truth_of(corpus.utterances[n], "error") for n in led]) > 0.5
    known = ~np.isnan(stated)
    return choose_thresholds(wrong[known], stated[known])


def _prediction(
    combination: Combination, said: Sequence[Prediction], combined: Values, utterance: ScoredUtterance
) -> Prediction:
    """The combined prediction of one utterance; what is not combined is the leader's."""
    leader = said[0]
    if leader.phone is None or leader.utterance is None:
        return leader
    own = np.array(leader.phone) / PHONE_MAX if len(leader.phone) == len(utterance.phones) else np.nan
    phone = np.where(np.isnan(combined.phone), own, combined.phone)
    scores = {name: _stored(score) for name, score in zip(UTTERANCE, combined.utterance, strict=True)}
    heard, error = leader.heard, leader.phone_error
    if combination.thresholds is not None:
        error = np.nan_to_num(combined.error).tolist()
        flagged = combined.error >= combination.thresholds[1]
        heard = _heard(said, flagged, combination.blends["error"].weights, utterance.phones)
    return replace(
        leader,
        phone=leader.phone if np.isnan(phone).any() else (phone * PHONE_MAX).tolist(),
        word=[tuple(_stored(score) for score in word) for word in combined.word],
        utterance=dict(leader.utterance) | {name: score for name, score in scores.items() if score is not None},
        phone_error=error,
        heard=heard,
    )


def _stored(score: float) -> float | None:
    """A score of 0 to 1 on the corpus's scale."""
    return None if np.isnan(score) else float(score) * SCORE_MAX


def _heard(
    said: Sequence[Prediction], flagged: NDArray[np.bool_], weights: Sequence[float], phones: Sequence[str]
) -> tuple[str | None, ...] | None:
    """What was said at each phone; where it is flagged the error that the weightiest of its finders names."""
    ranked = [said[m] for m in np.argsort([-weight for weight in weights], kind="stable")]
    known = [one.heard for one in ranked if one.heard is not None and len(one.heard) == len(phones)]
    if not known:
        return None
    return tuple(
        next((heard[i] for heard in known if heard[i] != own), own) if flagged[i] else own
        for i, own in enumerate(phones)
    )


def _card(
    config: EnsembleTraining,
    stored: Sequence[StoredPredictions],
    combination: Combination,
    ways: Mapping[str, Way],
    utterances: int,
) -> dict[str, Any]:
    """What a fitted combination depends on."""
    return {
        "name": "elocute ensemble",
        "version": date.today().isoformat(),
        "kind": "the members' scores added up by fitted weights, around people's mean score",
        "licence": "Apache-2.0",
        "data": ["speechocean762, official train split (CC BY 4.0), out-of-fold predictions of every member"],
        "method": config.method,
        "ways": {
            target: {
                "calibrated": way.is_calibrated,
                "penalty": None if np.isinf(way.penalty) else way.penalty,
                "weights": [round(weight, 4) for weight in combination.blends[target].weights],
            }
            for target, way in ways.items()
        },
        "made_from": [
            {
                "member": str(member),
                "model": one.provenance.get("model"),
                "protocol": one.provenance.get("protocol"),
                "commit": one.provenance.get("commit"),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for member, path, one in zip(config.members, config.predictions, stored, strict=True)
        ],
        "utterances": utterances,
        "folds": config.folds,
        "fold_seed": config.fold_seed,
        "command": config.command,
        "limits": [
            "measured on the learners of speechocean762 alone; members that are wrong together stay wrong",
            "out of fold the blends were learned without the speaker, while the members were chosen with all in view",
        ],
    }


def _provenance(
    config: EnsembleTraining, card: Mapping[str, Any], thresholds: Sequence[float] | None
) -> dict[str, Any]:
    """Where the combined predictions come from."""
    return {
        "model": f"elocute ensemble of {', '.join(map(str, config.members))}",
        "protocol": f"out of fold: {config.folds} speaker-disjoint folds of train; neither members nor blends learned "
        "from the speaker; thresholds of the detector are single numbers chosen on all of them",
        "split": "train",
        "folds": config.folds,
        "fold_seed": config.fold_seed,
        "method": config.method,
        "made_from": card["made_from"],
        "threshold": None if thresholds is None else min(thresholds[1], 1.0),
        "command": config.command,
        "commit": commit_of_checkout(),
        "machine": machine(),
        "date": date.today().isoformat(),
    }
