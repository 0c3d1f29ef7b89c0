"""Mispronunciation detection and diagnosis on L2-ARCTIC: from annotations and stored predictions to every measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from elocute.corpora.l2arctic import ArcticCorpus, ArcticUtterance, spliced
from elocute.errors import ConfigError
from elocute.evaluation.bootstrap import (
    DRAWS,
    SEED,
    Draws,
    Estimate,
    Ranking,
    estimate_of_sums,
    ratio,
    roc_auc_of_counts,
)
from elocute.evaluation.mdd_answers import Answer, answer_of
from elocute.evaluation.mdd_counts import (
    Counts,
    aligned_counts,
    edits,
    insertion_counts,
    is_mispronounced,
    phone_counts,
)
from elocute.evaluation.mdd_result import (
    ALIGNED,
    DEFINITIONS,
    DIAGNOSIS,
    ECHO,
    EVERYTHING,
    FREE,
    MODEL,
    NOTHING,
    PHONES,
    STRICT,
    DetectionRow,
    InsertionRow,
    MddEvaluation,
    RankingRow,
    StringRow,
)
from elocute.evaluation.predictions import StoredPredictions
from elocute.types import Float64, Int64


class _Part:
    """Some utterances, with resamples of their speakers."""

    def __init__(self, name: str, speakers: Sequence[str], keeps: Sequence[bool], draws: int, seed: int) -> None:
        self.name = name
        self.members = [index for index, kept in enumerate(keeps) if kept]
        present, self._speaker = np.unique([speakers[index] for index in self.members], return_inverse=True)
        self._draws = Draws.of(len(present), draws, seed)

    def rows(self, table: Float64) -> Float64:
        """Rows of the part's utterances."""
        return table[self.members]

    def ratio(self, table: Float64, top: Sequence[float], bottom: Sequence[float]) -> Estimate:
        """Ratio of two weighted sums of columns."""
        rows = self.rows(table)
        columns = np.column_stack([rows @ np.array(top), rows @ np.array(bottom)])
        return estimate_of_sums(ratio, self._speaker, columns, self._draws)

    def auc(self, wrong: Sequence[Sequence[bool]], suspicion: Sequence[Float64]) -> Estimate:
        """Area under the ROC curve of the part's phones."""
        sizes = [len(wrong[index]) for index in self.members]
        items = np.concatenate([np.array(wrong[index], dtype=bool) for index in self.members])
        score = np.concatenate([suspicion[index] for index in self.members])
        speaker: Int64 = np.repeat(self._speaker, sizes)
        ranking = Ranking.of(items, score, speaker, self._draws.speakers)
        return ranking.estimate(roc_auc_of_counts, self._draws)


def evaluate_mdd(
    corpus: ArcticCorpus,
    stored: StoredPredictions,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    data: Mapping[str, object] | None = None,
) -> MddEvaluation:
    """Measure stored predictions against annotators.

    Args:
        corpus: annotated recordings.
        stored: predictions, at least one for each of them.
        draws: resamples of the speakers behind each interval.
        seed: of the resampling.
        data: facts about the data to add to those counted here.

    Raises:
        ConfigError: predictions are missing or do not fit the corpus, or say nothing that can be measured.
    """
    utterances = corpus.utterances
    by_id = {prediction.id: prediction for prediction in stored.utterances}
    missing = [item.id for item in utterances if item.id not in by_id]
    if missing:
        raise ConfigError(
            f"the predictions lack {len(missing)} of {len(utterances)} utterances, first {missing[0]}; expected one "
            "for each: are they of these speakers, and whole?"
        )
    predictions = [by_id[item.id] for item in utterances]
    answers = [answer_of(item, found, stored.threshold) for item, found in zip(utterances, predictions, strict=True)]
    can_flag = all(answer.flagged is not None for answer in answers)
    has_free = any(answer.free is not None for answer in answers)
    if not can_flag and not has_free:
        raise ConfigError(
            "the predictions neither flag phones (no `heard`, no `threshold`) nor tell phones heard without the text "
            "(`perceived`); expected one of them"
        )
    parts = list(_parts(utterances, draws, seed))
    strings = _strings(utterances, answers, can_flag=can_flag, has_free=has_free)
    return MddEvaluation(
        data=dict(data or {}) | _facts(corpus),
        provenance=dict(stored.provenance),
        settings={
            "draws": draws,
            "seed": seed,
            "interval": "95 %, percentiles, whole speakers resampled",
            "threshold": stored.threshold,
        },
        unscored={item.id: str(item.reason) for item in predictions if not item.is_scored},
        detection=(
            *(_phone_rows(utterances, answers, parts) if can_flag else ()),
            *_aligned_rows(utterances, strings, parts),
        ),
        ranking=tuple(_ranking_rows(utterances, answers, parts)),
        insertions=tuple(_insertion_rows(utterances, answers, parts)) if can_flag else (),
        strings=tuple(_string_rows(utterances, strings, parts)),
        definitions=DEFINITIONS,
        notes=tuple(_notes(corpus, can_flag=can_flag, has_free=has_free)),
    )


def _parts(utterances: Sequence[ArcticUtterance], draws: int, seed: int) -> Iterator[_Part]:
    """All, every first language that has several speakers here, and every speaker."""
    speakers = [item.speaker for item in utterances]
    yield _Part("all", speakers, [True] * len(utterances), draws, seed)
    for l1 in sorted({item.l1 for item in utterances}):
        if len({item.speaker for item in utterances if item.l1 == l1}) > 1:
            yield _Part(l1, speakers, [item.l1 == l1 for item in utterances], draws, seed)
    for name, l1 in dict.fromkeys((item.speaker, item.l1) for item in utterances):
        yield _Part(f"{name} ({l1})", speakers, [item.speaker == name for item in utterances], draws, seed)


def _phone_rows(
    utterances: Sequence[ArcticUtterance], answers: Sequence[Answer], parts: Sequence[_Part]
) -> Iterator[DetectionRow]:
    """Detection phone by phone, under both readings of an accent, with both trivial detectors."""
    for labels in (PHONES, STRICT):
        tables: dict[str, list[Counts]] = {MODEL: [], NOTHING: [], EVERYTHING: []}
        for item, answer in zip(utterances, answers, strict=True):
            assert answer.flagged is not None
            L = len(item.phones)
            for name, flags, heard in (
                (MODEL, answer.flagged, answer.heard),
                (NOTHING, (False,) * L, None),
                (EVERYTHING, (True,) * L, None),
            ):
                tables[name].append(phone_counts(item.phones, flags, heard, strict=labels == STRICT))
        for name, counts in tables.items():
            yield from _detection_rows(labels, name, counts, parts)


def _aligned_rows(
    utterances: Sequence[ArcticUtterance], strings: Mapping[str, Sequence[Sequence[str]]], parts: Sequence[_Part]
) -> Iterator[DetectionRow]:
    """Detection by aligned strings."""
    for name, hypotheses in strings.items():
        counts = [
            aligned_counts(item.canonical, item.perceived, hypothesis)
            for item, hypothesis in zip(utterances, hypotheses, strict=True)
        ]
        yield from _detection_rows(ALIGNED, name, counts, parts)


def _detection_rows(
    labels: str, predictor: str, counts: Sequence[Counts], parts: Sequence[_Part]
) -> Iterator[DetectionRow]:
    """Counts and rates of one predictor, part by part."""
    table = np.array([each.row for each in counts])
    for part in parts:
        ta, fr, fa, tr, cd, de = (int(total) for total in part.rows(table).sum(axis=0))

        def rate(top: str, bottom: str, part: _Part = part) -> Estimate:
            names = ("TA", "FR", "FA", "TR", "CD", "DE")
            sides = [[float(side.split().count(name)) for name in names] for side in (top, bottom)]
            return part.ratio(table, sides[0], sides[1])

        yield DetectionRow(
            part=part.name,
            labels=labels,
            predictor=predictor,
            ta=ta,
            fr=fr,
            fa=fa,
            tr=tr,
            cd=cd,
            de=de,
            # Who flags nothing although something is wrong finds nothing: 0, not unknown.
            precision=rate("TR", "TR FR") if tr + fr or not fa else Estimate(value=0.0),
            recall=rate("TR", "TR FA"),
            f1=rate("TR TR", "TR TR FR FA"),
            frr=rate("FR", "TA FR"),
            far=rate("FA", "FA TR"),
            der=rate("DE", "CD DE"),
            da=rate("CD", "CD DE"),
            accuracy=rate("TA TR", "TA FR FA TR"),
        )


def _ranking_rows(
    utterances: Sequence[ArcticUtterance], answers: Sequence[Answer], parts: Sequence[_Part]
) -> Iterator[RankingRow]:
    """How well suspicion ranks; phones of an utterance that is not scored get the mean."""
    known = [value for answer in answers for value in answer.suspicion or ()]
    if not known:
        return
    mean = float(np.mean(known))
    suspicion: list[Float64] = [
        np.full(len(item.phones), mean) if answer.suspicion is None else np.array(answer.suspicion)
        for item, answer in zip(utterances, answers, strict=True)
    ]
    for labels in (PHONES, STRICT):
        wrong = [[is_mispronounced(phone, strict=labels == STRICT) for phone in item.phones] for item in utterances]
        for part in parts:
            flat = [value for index in part.members for value in wrong[index]]
            yield RankingRow(
                part=part.name, labels=labels, n=len(flat), wrong=sum(flat), roc_auc=part.auc(wrong, suspicion)
            )


def _insertion_rows(
    utterances: Sequence[ArcticUtterance], answers: Sequence[Answer], parts: Sequence[_Part]
) -> Iterator[InsertionRow]:
    """Added sounds, by gap; who detects none finds none."""
    annotated = [[(added.gap, added.phone) for added in item.insertions] for item in utterances]
    for predictor, detected in ((MODEL, [answer.inserted for answer in answers]), (NOTHING, [()] * len(answers))):
        table = np.array([insertion_counts(*pair).row for pair in zip(annotated, detected, strict=True)])
        for part in parts:
            found, named, missed, false = (int(total) for total in part.rows(table).sum(axis=0))
            yield InsertionRow(
                part=part.name,
                predictor=predictor,
                found=found,
                named=named,
                missed=missed,
                false=false,
                precision=part.ratio(table, (1, 0, 0, 0), (1, 0, 0, 1)),
                recall=part.ratio(table, (1, 0, 0, 0), (1, 0, 1, 0)),
                f1=part.ratio(table, (2, 0, 0, 0), (2, 0, 1, 1)),
            )


def _strings(
    utterances: Sequence[ArcticUtterance], answers: Sequence[Answer], *, can_flag: bool, has_free: bool
) -> dict[str, list[tuple[str, ...]]]:
    """Every hypothesis of what was said: heard without the text, named in the diagnosis, and the text itself."""
    found: dict[str, list[tuple[str, ...]]] = {}
    if has_free:
        found[FREE] = [answer.free or () for answer in answers]
    if can_flag and all(answer.heard is not None for answer in answers):
        found[DIAGNOSIS] = [spliced(answer.heard or (), answer.inserted) for answer in answers]
    return found | {ECHO: [item.canonical for item in utterances]}


def _string_rows(
    utterances: Sequence[ArcticUtterance], strings: Mapping[str, Sequence[Sequence[str]]], parts: Sequence[_Part]
) -> Iterator[StringRow]:
    """Error rates of strings against what annotators heard."""
    for name, hypotheses in strings.items():
        pairs = zip(utterances, hypotheses, strict=True)
        table = np.array([edits(item.perceived, hypothesis).row for item, hypothesis in pairs])
        for part in parts:
            substitutions, deletions, insertions, length = (int(total) for total in part.rows(table).sum(axis=0))
            yield StringRow(
                part=part.name,
                hypothesis=name,
                utterances=len(part.members),
                length=length,
                substitutions=substitutions,
                deletions=deletions,
                insertions=insertions,
                per=part.ratio(table, (1, 1, 1, 0), (0, 0, 0, 1)),
                correct=part.ratio(table, (-1, -1, 0, 1), (0, 0, 0, 1)),
                accuracy=part.ratio(table, (-1, -1, -1, 1), (0, 0, 0, 1)),
            )


def _facts(corpus: ArcticCorpus) -> dict[str, object]:
    """Counts of what was evaluated."""
    utterances = corpus.utterances
    phones = [phone for item in utterances for phone in item.phones]
    kinds = Counter("distorted" if phone.is_distorted else phone.said.kind for phone in phones)
    return {
        "corpus": "L2-ARCTIC",
        "speakers": list(dict.fromkeys(item.speaker for item in utterances)),
        "utterances": len(utterances),
        "unannotated": len(corpus.unannotated),
        "unusable": dict(corpus.unusable),
        "slips": [slip for item in utterances for slip in item.slips],
        "words": sum(len(item.words) for item in utterances),
        "unknown_words": sum(len(item.unknown_words) for item in utterances),
        "phones": len(phones),
        "substituted": kinds["substituted"],
        "distorted": kinds["distorted"],
        "deleted": kinds["deleted"],
        "unknown": kinds["unknown"],
        "inserted": sum(len(item.insertions) for item in utterances),
    }


def _notes(corpus: ArcticCorpus, *, can_flag: bool, has_free: bool) -> Iterator[str]:
    """What a reader of the figures should know."""
    speakers = len({item.speaker for item in corpus.utterances})
    notes = {
        "the predictions have no operating point and name nothing, so only strings are measured": not can_flag,
        "no PER of free decoding: the predictions hold no phones decoded without the text": not has_free,
        f"intervals resample {speakers} speakers, which are few: take them as rough": 1 < speakers < 12,
        "one speaker has no interval": speakers == 1,
        f"{len(corpus.unusable)} annotations contradict themselves and were left out; `unusable` in the JSON says why":
            bool(corpus.unusable),
    }  # fmt: skip
    return (note for note, applies in notes.items() if applies)
