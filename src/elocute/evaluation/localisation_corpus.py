"""Recordings into which errors are planted: who says what, and which phones are known to be well said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elocute.corpora.layouts import Corpus, read_corpus, with_recordings
from elocute.corpora.speechocean762 import ScoredUtterance, Split
from elocute.corpora.transcribed import TranscribedUtterance, read_transcribed
from elocute.errors import ConfigError, PhoneError, TextError
from elocute.evaluation.localisation_planting import Phones, Place, bare
from elocute.phones import phonemize
from elocute.training.planting import GOOD_FROM
from elocute.types import Canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One recording.

    Attributes:
        id: of the recording.
        speaker: who speaks.
        audio: path.
        text: what is said.
        phones: canonical phones of each word.
        is_fixed: whether `phones` is what counts as right; else it is the lexicon's first form, and the variant that
            was said has to be found.
        is_good: for each phone whether it is known to be well said.
    """

    id: str
    speaker: str
    audio: Path
    text: str
    phones: tuple[Phones, ...]
    is_fixed: bool
    is_good: tuple[tuple[bool, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recordings:
    """The recordings of a folder.

    Attributes:
        name: of the corpus.
        spoken: recordings, in the corpus's order.
        left_out: reasons why others are not among them, and how many.
    """

    name: str
    spoken: tuple[Spoken, ...]
    left_out: dict[str, int]


def read_recordings(folder: Path, split: Split, unpacked: Path) -> Recordings:
    """Read speechocean762, in either layout, or a folder of transcribed speech.

    Args:
        folder: of the corpus.
        split: of speechocean762; a folder of transcribed speech has none.
        unpacked: folder for recordings that the corpus keeps in larger files.

    Raises:
        ConfigError: the folder is no corpus, or a recording is missing.
    """
    if not Path(folder).is_dir():
        raise ConfigError(f"{folder} is no folder; expected speechocean762, or transcripts.tsv beside audio/")
    if (Path(folder) / "transcripts.tsv").is_file():
        return _transcribed(Path(folder), read_transcribed(Path(folder)))
    return _scored(read_corpus(Path(folder), split), unpacked)


def _scored(corpus: Corpus, unpacked: Path) -> Recordings:
    """Recordings that people scored."""
    utterances = with_recordings(corpus, corpus.utterances, unpacked)
    return Recordings(name="speechocean762", spoken=tuple(_with_scores(one) for one in utterances), left_out={})


def _with_scores(utterance: ScoredUtterance) -> Spoken:
    """One of them; what people scored 1.8 of 2 or more is well said."""
    return Spoken(
        id=utterance.id,
        speaker=utterance.speaker,
        audio=utterance.audio,
        text=utterance.text,
        phones=tuple(word.phones for word in utterance.words),
        is_fixed=True,
        is_good=tuple(tuple(score >= GOOD_FROM for score in word.phone_accuracy) for word in utterance.words),
    )


def _transcribed(folder: Path, utterances: Sequence[TranscribedUtterance]) -> Recordings:
    """Recordings of good speakers, whose words the lexicon knows for sure; the folder is one speaker."""
    spoken, left_out = [], {"a word is not in the lexicon": 0, "the text cannot be pronounced": 0}
    for one in utterances:
        try:
            canonical = phonemize(one.text)
        except (PhoneError, TextError):
            left_out["the text cannot be pronounced"] += 1
            continue
        if any(word.source == "g2p" for word in canonical):
            left_out["a word is not in the lexicon"] += 1
            continue
        spoken.append(
            Spoken(
                id=one.id,
                speaker=folder.resolve().name,
                audio=one.audio,
                text=one.text,
                phones=dictionary_phones(canonical),
                is_fixed=False,
                is_good=tuple((True,) * len(word.phones) for word in canonical),
            )
        )
    if not spoken:
        raise ConfigError(f"{folder}: none of {len(utterances)} sentences can be used; expected words of the lexicon")
    return Recordings(name=folder.resolve().name, spoken=tuple(spoken), left_out=left_out)


def dictionary_phones(canonical: Canonical) -> tuple[Phones, ...]:
    """Phones of each word as the lexicon says them first."""
    return tuple(tuple(phone.symbol for phone in word.phones) for word in canonical)


def accepted_variants(text: str, phones: Sequence[Phones]) -> list[set[Phones]]:
    """Every accepted pronunciation of each word: the corpus's own, and the lexicon's where it counts the same words."""
    own = [{word} for word in phones]
    try:
        canonical = phonemize(text)
    except (PhoneError, TextError):
        return own
    if len(canonical.words) != len(phones):
        return own
    return [
        mine | {bare(variant.phones) for variant in word.variants}
        for mine, word in zip(own, canonical.words, strict=True)
    ]


def good_places(spoken: Spoken, phones: Sequence[Phones]) -> list[Place]:
    """Phones of words of two phones and more, where that word and its neighbours are well said throughout."""
    is_good = [all(word) for word in spoken.is_good]
    return [
        Place(word=w, phone=p)
        for w, word in enumerate(phones)
        if len(word) > 1 and all(is_good[max(w - 1, 0) : w + 2])
        for p in range(len(word))
    ]
