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
from elocute.phones import phonemize
from elocute.training.planting import insert_word, plant_errors
from elocute.training.scorer_data import ScoredFeatures, build_table
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
    """
    utterances = [one for folder in folders for one in native_utterances(folder, limit, rng)]
    if not utterances:
        return Natives()
    heard = hear(utterances)
    others = rng.permutation(len(utterances))
    changed = [plant_errors(one, rng) for one in utterances]
    longer = [insert_word(one, utterances[other], rng) for one, other in zip(utterances, others, strict=True)]
    spoken, planted, inserted = (
        build_table(table, heard, progress, are_planted=True)
        for table in (utterances, changed, longer[::INSERTED_EVERY])
    )
    return Natives(spoken=tuple(spoken), planted=(*planted, *inserted))


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
            ScoredWord(
                text=word.text,
                phones=tuple(phone.symbol for phone in word.phones),
                phone_accuracy=(BEST_PHONE,) * len(word.phones),
                accuracy=BEST_SCORE,
                stress=BEST_SCORE,
                total=BEST_SCORE,
            )
            for word in canonical
        )
        utterances.append(
            ScoredUtterance(
                id=f"{folder.name}/{one.id}",
                speaker=folder.name,
                gender="f",
                age=ADULT,
                audio=one.audio,
                text=one.text,
                words=words,
                accuracy=BEST_SCORE,
                completeness=BEST_SCORE,
                fluency=BEST_SCORE,
                prosodic=BEST_SCORE,
                total=BEST_SCORE,
            )
        )
        if len(utterances) == limit:
            break
    log.info("%s: %d recordings of native speech", folder, len(utterances))
    return utterances
