"""Native speech for the scorer: nobody scored it, but its text is known and its speaker needs no lessons.

Learners' recordings teach that the lattice is often wrong about a single phone. In clear speech it is not: where all
else is heard as certainly as a native speaker is heard, one phone that is heard as another is an error. Native
recordings with planted errors are the only ones that show it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elocute.corpora.speechocean762 import ScoredUtterance, ScoredWord
from elocute.corpora.transcribed import read_transcribed
from elocute.errors import PhoneError, TextError
from elocute.phones import phonemize, split_stress
from elocute.training.planting import WRONG, insert_word, plant_errors
from elocute.training.scorer_data import ScoredFeatures, build_table
from elocute.training.synthetic import read_synthetic
from elocute.types import Posteriors

log = logging.getLogger(__name__)

INSERTED_EVERY = 2
"""One in so many recordings also gets a word into its text that nobody said."""
BEST_PHONE, BEST_SCORE = 2.0, 10.0
ADULT = 30
"""Years; stands for the unknown age of a native speaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Natives:
    """Native speech with its own text, and with errors planted in the text."""

    spoken: tuple[ScoredFeatures, ...] = ()
    planted: tuple[ScoredFeatures, ...] = ()


def native_rows(
    folders: Sequence[Path],
    limit: int,
    rng: np.random.Generator,
    hear: Callable[[Sequence[ScoredUtterance]], Mapping[str, Posteriors]],
    progress: Callable[[int, int], None] | None = None,
    synthetic: Sequence[Path] = (),
) -> Natives:
    """Features of native speech.

    The shipped acoustic model has heard these recordings in training, so it is surer here than with strangers. That is
    the point: it is as sure of them as of any very clear voice.

    Args:
        folders: transcribed recordings.
        limit: of each folder.
        rng: draws recordings and errors.
        hear: what the acoustic model hears in them.
        progress: called with done and all recordings of each table.
        synthetic: folders of `elocute train synthetic`, of which as many recordings are taken.
    """
    utterances = [one for folder in folders for one in native_utterances(folder, limit, rng)]
    voices = [one for folder in synthetic for one in synthetic_utterances(folder, limit, rng)]
    if not utterances and not voices:
        return Natives()
    heard = hear([*utterances, *voices])
    others = rng.permutation(len(utterances))
    changed = [plant_errors(one, rng) for one in utterances]
    longer = [insert_word(one, utterances[other], rng) for one, other in zip(utterances, others, strict=True)]
    spoken, planted, inserted = (
        build_table(table, heard, progress, are_planted=True)
        for table in (utterances, changed, longer[::INSERTED_EVERY])
    )
    right, wrong = (
        build_table(
            [one for one in voices if (min(one.phone_accuracy) == WRONG) == errs], heard, progress, are_planted=True
        )
        for errs in (False, True)
    )
    return Natives(spoken=(*spoken, *right), planted=(*planted, *inserted, *wrong))


def native_utterances(folder: Path, limit: int, rng: np.random.Generator) -> list[ScoredUtterance]:
    """Some transcribed recordings as utterances with full marks; only those whose words the lexicon knows for sure."""
    known = read_transcribed(folder)
    utterances = []
    for place in rng.permutation(len(known)).tolist():
        one = known[place]
        try:
            canonical = phonemize(one.text)
        except (PhoneError, TextError):
            continue  # counted below
        if any(word.source == "g2p" for word in canonical):
            continue
        words = tuple(
            _scored_word(word.text, [p.symbol for p in word.phones], [BEST_PHONE] * len(word.phones))
            for word in canonical
        )
        utterances.append(_with_full_marks(f"{folder.name}/{one.id}", folder.name, one.audio, one.text, words))
        if len(utterances) == limit:
            break
    log.info("%s: %d recordings of native speech", folder, len(utterances))
    return utterances


def synthetic_utterances(folder: Path, limit: int, rng: np.random.Generator) -> list[ScoredUtterance]:
    """Some synthetic recordings with what should have been said in them; what was said otherwise scores 0."""
    known = list(read_synthetic(folder))
    utterances = []
    for place in rng.permutation(len(known))[:limit].tolist():
        audio, sentence = known[place]
        words = tuple(
            _scored_word(
                "".join(asked),
                [split_stress(phone)[0] for phone in asked],
                [BEST_PHONE if one == other else WRONG for one, other in zip(asked, said, strict=True)],
            )
            for asked, said in zip(sentence.canonical, sentence.said, strict=True)
        )
        text = " ".join(word.text for word in words)
        utterances.append(_with_full_marks(f"{folder.name}/{sentence.id}", str(sentence.voice), audio, text, words))
    log.info("%s: %d synthetic recordings", folder, len(utterances))
    return utterances


def _scored_word(text: str, phones: Sequence[str], scores: Sequence[float]) -> ScoredWord:
    """A word whose phones are scored, with full marks itself."""
    return ScoredWord(
        text=text,
        phones=tuple(phones),
        phone_accuracy=tuple(scores),
        accuracy=BEST_SCORE,
        stress=BEST_SCORE,
        total=BEST_SCORE,
    )


def _with_full_marks(id_: str, speaker: str, audio: Path, text: str, words: tuple[ScoredWord, ...]) -> ScoredUtterance:
    """An utterance of somebody whom nobody scored, as if everybody had given the best scores."""
    return ScoredUtterance(
        id=id_,
        speaker=speaker,
        gender="f",
        age=ADULT,
        audio=audio,
        text=text,
        words=words,
        accuracy=BEST_SCORE,
        completeness=BEST_SCORE,
        fluency=BEST_SCORE,
        prosodic=BEST_SCORE,
        total=BEST_SCORE,
    )
