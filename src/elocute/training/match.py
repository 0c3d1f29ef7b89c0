"""Was it speech, and was it this text: the two regressions of `gop/match.py`, fitted on right and wrong pairs.

Pairs are made of training utterances, as acoustic models heard them that did not train on the speaker, and of noises:
right texts (whole, cut short, in noise, beside another utterance), texts of other utterances (as long, and far shorter
than the speech), speech played backwards, noises and tones.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from elocute.acoustic import Backend, load_backend
from elocute.assessor import Assessor
from elocute.audio import load_audio
from elocute.config import AssessorConfig
from elocute.corpora.speechocean762 import ScoredUtterance
from elocute.ctc import viterbi
from elocute.errors import AlignmentError
from elocute.evaluation import distort, roc_auc
from elocute.evaluation.operating import fit_logistic
from elocute.evaluation.robustness_cases import LOW_TOTAL
from elocute.gop.match import Match, Matcher
from elocute.phones import PHONES, phonemize
from elocute.training.acoustic_model import FRAME_SHIFT_S
from elocute.training.scorer_predictions import HeldoutBackend
from elocute.types import SAMPLE_RATE_HZ, Float32, Float64, Posteriors

Kind = Literal[
    "right", "cut", "begins-late", "noisy", "joined", "joined-before",
    "wrong", "short", "reversed", "noise", "chords",
]  # fmt: skip
RIGHT_TEXT: frozenset[Kind] = frozenset({"right", "cut", "begins-late", "noisy", "joined", "joined-before"})
NO_SPEECH: frozenset[Kind] = frozenset({"noise", "chords"})

MIN_WORDS = 4
"""Of an utterance that is cut."""
CUTS = (0.25, 0.5, 0.75)
SNRS_DB = (0.0, 5.0, 10.0)
SHORT = 0.5
"""A short text has at most so many of the phones of what was said."""
CHORDS_S = 5.0
PAUSE_FRAMES = 25
"""Of silence between two utterances that are joined."""
NOISE_COUNTS = 3
"""Times that each pair without speech counts: there are few, and none of them may get a score."""
_NEIGHBOURS = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A recording and a text.

    Attributes:
        kind: how it was made.
        speaker: whose voice, or whose text where there is no voice.
        heard: what the acoustic model without the speaker heard; None to hear it now, by the shipped one.
        samples: shape (N,), 16 kHz.
        text: what is said to have been spoken.
        phones: canonical phones of its words.
    """

    kind: Kind
    speaker: str
    heard: Posteriors | None
    samples: Float32
    text: str
    phones: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What was found out of a pair.

    Attributes:
        kind: of the pair.
        speaker: of the pair.
        total: score, 0 to 1, times the share of the words that was said, were the match not in doubt.
        match: evidence and the rest; None where the text needs more frames than there are, which is refused.
    """

    kind: Kind
    speaker: str
    total: float
    match: Match | None


def make_pairs(
    utterances: Sequence[ScoredUtterance],
    heard: Mapping[str, Posteriors],
    noises: Sequence[Path],
    *,
    count: int,
    seed: int,
) -> Iterator[Pair]:
    """Draw utterances and make every kind of pair of them."""
    rng = np.random.default_rng(seed)
    drawn = [utterances[k] for k in rng.permutation(len(utterances))[:count]]
    lengths = np.array([len(one.phones) for one in drawn])
    for number, one in enumerate(drawn):
        own = heard[one.id]
        samples = load_audio(one.audio).samples
        yield _pair("right", one, own, samples, one)
        like = [k for k in np.argsort(np.abs(lengths - lengths[number]))[:_NEIGHBOURS] if drawn[k].text != one.text]
        yield _pair("wrong", one, own, samples, drawn[int(rng.choice(like))])
        short = [k for k in np.flatnonzero(lengths <= SHORT * lengths[number]) if drawn[k].text != one.text]
        other = drawn[(number + 1) % count]
        both = load_audio(other.audio).samples
        if short and number % 2:
            yield _pair("short", one, own, samples, drawn[int(rng.choice(short))])
        elif short:
            text_of = drawn[int(rng.choice([k for k in short if drawn[k].text != other.text]))]
            yield _joined("short", one, own, samples, heard[other.id], both, text_of=text_of)
        if number % 3 == 0:
            backwards = replace(own, log_probs=own.log_probs[::-1].copy(), ratings=_ratings(own)[::-1].copy())
            yield _pair("reversed", one, backwards, samples[::-1].copy(), one)
        elif number % 3 == 1:
            yield _joined("joined", one, own, samples, heard[other.id], both, text_of=one)
        else:
            yield _joined("joined-before", one, own, samples, heard[other.id], both, text_of=other)
        if len(one.words) >= MIN_WORDS:
            yield _cut(one, own, samples, number)
        if number % 3 == 0:
            clip = load_audio(noises[number % len(noises)]).samples
            mixed = distort.with_noise(samples, distort.looped(clip, len(samples), 0.0), SNRS_DB[number // 3 % 3])
            yield _pair("noisy", one, None, mixed, one)
        if number % 5 == 0:
            yield _pair("chords", one, None, distort.tone_chords(round(CHORDS_S * SAMPLE_RATE_HZ), rng), one)
    for number, path in enumerate(noises):
        one = drawn[number % count]
        yield _pair("noise", one, None, load_audio(path).samples, one)


def _pair(
    kind: Kind, one: ScoredUtterance, heard: Posteriors | None, samples: Float32, text_of: ScoredUtterance
) -> Pair:
    return Pair(
        kind=kind,
        speaker=one.speaker,
        heard=heard,
        samples=samples.astype(np.float32),
        text=text_of.text,
        phones=tuple(word.phones for word in text_of.words),
    )


def _cut(one: ScoredUtterance, heard: Posteriors, samples: Float32, number: int) -> Pair:
    """The first quarter, half or three quarters of the words, or the second half."""
    path = viterbi(heard.log_probs, [PHONES.index(phone) + 1 for phone in one.phones], 0).spans
    borders = np.cumsum([0, *(len(word.phones) for word in one.words)])
    is_late = number % 4 == 3
    words = max(1, round((0.5 if is_late else CUTS[number % 4]) * len(one.words)))
    middle = int(path[borders[words] - 1][1] + path[borders[words]][0]) // 2
    kept = slice(middle, None) if is_late else slice(0, middle)
    hop = round(FRAME_SHIFT_S * SAMPLE_RATE_HZ)
    part = samples[middle * hop :] if is_late else samples[: middle * hop]
    some = replace(heard, log_probs=heard.log_probs[kept], ratings=_ratings(heard)[kept])
    return _pair("begins-late" if is_late else "cut", one, some, part, one)


def _joined(
    kind: Kind,
    one: ScoredUtterance,
    heard: Posteriors,
    samples: Float32,
    heard_after: Posteriors,
    after: Float32,
    *,
    text_of: ScoredUtterance,
) -> Pair:
    """Two utterances after each other, with the text of one of them."""
    hop = round(FRAME_SHIFT_S * SAMPLE_RATE_HZ)
    padded = np.zeros(len(heard.log_probs) * hop, dtype=np.float32)
    padded[: len(samples)] = samples[: len(padded)]
    silent = np.full((PAUSE_FRAMES, heard.log_probs.shape[1]), np.log(1e-4), dtype=np.float32)
    silent[:, 0] = np.log1p(-1e-4 * (silent.shape[1] - 1))
    ratings = np.repeat(_ratings(heard)[-1:], PAUSE_FRAMES, axis=0)
    both = replace(
        heard,
        log_probs=np.concatenate([heard.log_probs, silent, heard_after.log_probs]),
        ratings=np.concatenate([_ratings(heard), ratings, _ratings(heard_after)]),
    )
    return _pair(kind, one, both, np.concatenate([padded, np.zeros(PAUSE_FRAMES * hop), after]), text_of)


def _ratings(heard: Posteriors) -> Float32:
    """The ratings; the embedded acoustic model gives them always."""
    assert heard.ratings is not None
    return heard.ratings


def examine(
    pairs: Sequence[Pair], *, processes: int | None = None, progress: Callable[[int, int], None] | None = None
) -> list[Example]:
    """Evidence of every pair, found as the assessor finds it, with one process a core."""
    chunks = [pairs[start : start + 20] for start in range(0, len(pairs), 20)]
    found: list[Example] = []
    with concurrent.futures.ProcessPoolExecutor(
        processes or os.cpu_count(), mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        for part in pool.map(_examine_chunk, chunks):
            found += part
            if progress:
                progress(len(found), len(pairs))
    return found


def _examine_chunk(pairs: Sequence[Pair]) -> list[Example]:
    """Evidence of some pairs, in a process of its own."""
    embedded = load_backend("embedded", threads=1)
    assessor = Assessor(AssessorConfig(threads=1), backend=embedded)
    return [_example(assessor, embedded, pair) for pair in pairs]


def _example(assessor: Assessor, embedded: Backend, pair: Pair) -> Example:
    """Evidence of one pair."""
    assessor.backend = HeldoutBackend(pair.heard) if pair.heard is not None else embedded
    audio = load_audio(pair.samples, sample_rate=SAMPLE_RATE_HZ)
    canonical = phonemize(pair.text, pronunciations=pair.phones)
    try:
        found = assessor.find(audio, assessor.backend.posteriors(audio), canonical)
    except AlignmentError:
        return Example(kind=pair.kind, speaker=pair.speaker, total=0.0, match=None)
    total = found.scores.total * found.match.evidence.share
    return Example(kind=pair.kind, speaker=pair.speaker, total=total, match=found.match)


def fit_matcher(examples: Sequence[Example], *, folds: int = 5, seed: int = 1) -> tuple[Matcher, dict[str, Any]]:
    """Fit both regressions; the metrics are of regressions that did not see the speaker.

    Whether it is speech is learned from all pairs; whether it is the text, from those with speech.

    Returns: the regressions; and for each kind of pair how many there were, and the shares that were refused, lowered,
    and scored above `LOW_TOTAL` of 100 all the same; with the AUC of right against wrong texts.
    """
    found = [(one, one.match) for one in examples if one.match is not None]
    matcher = _fitted(found)
    speakers = sorted({one.speaker for one in examples})
    fold_of = dict(zip(speakers, np.random.default_rng(seed).permutation(len(speakers)) % folds, strict=True))
    judged: dict[int, Match] = {}
    for fold in range(folds):
        part = _fitted([pair for pair in found if fold_of[pair[0].speaker] != fold])
        judged |= {id(one): part.judge(match) for one, match in found if fold_of[one.speaker] == fold}
    metrics: dict[str, Any] = {}
    for kind in get_args(Kind):
        mine = [(one, judged.get(id(one))) for one in examples if one.kind == kind]
        scored = [(one.total, match) for one, match in mine if match is not None and match.is_scorable]
        metrics[kind] = {
            "pairs": len(mine),
            "refused": _share(len(mine) - len(scored), len(mine)),
            "lowered": _share(sum(match.trust < 1 for _, match in scored), len(mine)),
            "above_20": _share(sum(total * match.trust > LOW_TOTAL / 100 for total, match in scored), len(mine)),
        }
    spoken = [(one, match) for one, match in found if one.kind not in NO_SPEECH]
    is_right = np.array([one.kind in RIGHT_TEXT for one, _ in spoken])
    metrics["roc_auc_text"] = round(roc_auc(is_right, np.array([judged[id(one)].text for one, _ in spoken])), 4)
    return matcher, metrics


def _share(count: int, of: int) -> float | None:
    """A share to three decimals; None of nothing."""
    return round(count / of, 3) if of else None


def _fitted(found: Sequence[tuple[Example, Match]]) -> Matcher:
    """Both regressions."""
    is_speech = np.array([one.kind not in NO_SPEECH for one, _ in found])
    counts = np.where(is_speech, 1, NOISE_COUNTS)
    inputs = np.array([match.evidence.of_speech for _, match in found])
    speech = _fit(np.repeat(inputs, counts, axis=0), np.repeat(is_speech, counts))
    spoken = [(one, match) for one, match in found if one.kind not in NO_SPEECH]
    is_right = np.array([one.kind in RIGHT_TEXT for one, _ in spoken])
    return Matcher(speech=speech, text=_fit(np.array([match.evidence.of_text for _, match in spoken]), is_right))


def _fit(inputs: Float64, positive: NDArray[np.bool_]) -> tuple[float, ...]:
    """Bias and weights, to four decimals."""
    bias, weights = fit_logistic(inputs, positive)
    return tuple(round(value, 4) for value in (bias, *weights))


def card(matcher: Matcher, metrics: dict[str, Any], command: str) -> dict[str, Any]:
    """What is stored: the regressions, what they were fitted on, and how well they do."""
    return {
        "name": "elocute match",
        "kind": "two logistic regressions, bias first; inputs are those of elocute.gop.match.Evidence",
        "data": [
            "speechocean762, official train split (CC BY 4.0): its recordings with their own and with other texts, "
            "heard by acoustic models that did not train on the speaker",
            "ESC-10 noise, its CC0 clips; chords of tones",
        ],
        "licence": "Apache-2.0",
        "command": command,
        "limits": [
            "noisy recordings, noises and tones were heard by the shipped acoustic model",
            "of reversed recordings the posteriors were turned round, which is easier than hearing them",
            "other languages than English were not heard",
        ],
        "speech": list(matcher.speech),
        "text": list(matcher.text),
        "evaluation": metrics,
    }
