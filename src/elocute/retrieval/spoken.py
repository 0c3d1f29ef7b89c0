"""Recordings with what was said at every phone, from several corpora, for building an index and measuring with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from elocute.corpora.l2arctic import UNKNOWN, read_l2arctic, spliced
from elocute.corpora.l2arctic_annotation import AnnotatedPhone, Said
from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW, ScoredWord, read_speechocean762, speaker_folds
from elocute.corpora.transcribed import read_transcribed
from elocute.errors import ConfigError, PhoneError, TextError
from elocute.phones import PHONES, phonemize

CorpusKind = Literal["native", "speechocean762", "l2arctic"]
WELL_SAID = 1.8
"""Mean expert score from which a phone of speechocean762 stands for itself; below, down to `MISPRONOUNCED_BELOW`, it is
heavily accented, and stands for nothing."""
FOLD_SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One of several parts of speechocean762's speakers."""

    number: int
    of: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One recording.

    Attributes:
        id: of the recording.
        speaker: who.
        audio: its file.
        phones: canonical phones, and what annotators heard at each.
        is_sure: whether each phone may stand for what was said in an index.
    """

    id: str
    speaker: str
    audio: Path
    phones: tuple[AnnotatedPhone, ...]
    is_sure: tuple[bool, ...]

    @property
    def canonical(self) -> tuple[str, ...]:
        """What should have been said."""
        return tuple(phone.canonical for phone in self.phones)

    @property
    def said(self) -> tuple[str, ...]:
        """What was, where it is known, else what should have been; nothing for what was left out."""
        return tuple(phone.said.phone or phone.canonical for phone in self.phones if phone.said.kind != "deleted")

    @property
    def perceived(self) -> tuple[str, ...]:
        """What annotators heard, `UNKNOWN` where they could not tell."""
        return spliced(
            [None if phone.said.kind == "deleted" else phone.said.phone or UNKNOWN for phone in self.phones], ()
        )

    @property
    def said_is_sure(self) -> tuple[bool, ...]:
        """Whether each of `said` may stand in an index."""
        pairs = zip(self.phones, self.is_sure, strict=True)
        return tuple(is_sure for phone, is_sure in pairs if phone.said.kind != "deleted")


def read_spoken(
    kind: CorpusKind, folder: Path, *, fold: Fold | None = None, leave_out: bool = False, limit: int | None = None
) -> list[Spoken]:
    """Read a corpus.

    Args:
        kind: of the corpus.
        folder: where it is.
        fold: of speechocean762, speakers to take.
        leave_out: take all but these speakers.
        limit: recordings at most, drawn evenly from the whole list.

    Raises:
        ConfigError: no such corpus there, or a fold of a corpus that has none.
    """
    if fold is not None and kind != "speechocean762":
        raise ConfigError(f"fold is {fold.number} of {fold.of}; only speechocean762 is dealt into folds, not {kind}")
    readers = {"native": _native, "l2arctic": _l2arctic}
    found = readers[kind](folder) if kind in readers else _speechocean(folder, fold, leave_out=leave_out)
    if not found:
        raise ConfigError(f"{folder} has no recordings that can be used; expected {kind}")
    if limit is not None and limit < len(found):
        found = [found[index] for index in np.linspace(0, len(found) - 1, limit).round().astype(int)]
    return found


def corpus_hash(spoken: Sequence[Spoken]) -> str:
    """What tells these recordings and their annotation from others."""
    digest = hashlib.sha256()
    for item in spoken:
        phones = [(phone.canonical, phone.said.kind, phone.said.phone) for phone in item.phones]
        digest.update(f"{item.id} {item.audio.stat().st_size} {phones}\n".encode())
    return digest.hexdigest()


def _native(folder: Path) -> list[Spoken]:
    """Transcribed native speech: everything is taken to have been said as it should be."""
    spoken = []
    for item in read_transcribed(folder):
        try:
            canonical = phonemize(item.text)
        except (PhoneError, TextError):
            continue
        if any(word.source == "g2p" for word in canonical):
            continue  # nobody knows how these are said
        phones = tuple(_phone(phone.symbol, Said(kind="same", phone=phone.symbol)) for phone in canonical.phones)
        spoken.append(
            Spoken(id=item.id, speaker=folder.name, audio=item.audio, phones=phones, is_sure=(True,) * len(phones))
        )
    return spoken


def _speechocean(folder: Path, fold: Fold | None, *, leave_out: bool) -> list[Spoken]:
    """Learners of speechocean762's train split."""
    utterances = read_speechocean762(folder)
    folds = speaker_folds(utterances, fold.of, FOLD_SEED) if fold else {}
    spoken = []
    for item in utterances:
        if fold is not None and (folds[item.speaker] == fold.number) is leave_out:
            continue
        phones = tuple(phone for word in item.words for phone in _scored(word))
        sure = tuple(
            score >= WELL_SAID or (phone.said.kind == "substituted" and not phone.said.is_approximate)
            for phone, score in zip(phones, item.phone_accuracy, strict=True)
        )
        spoken.append(Spoken(id=item.id, speaker=item.speaker, audio=item.audio, phones=phones, is_sure=sure))
    return spoken


def _scored(word: ScoredWord) -> list[AnnotatedPhone]:
    """Phones of a word: those scored as mispronounced with what the experts heard, if they say so."""
    heard = {note.index: note.pronounced for note in word.mispronunciations or ()}
    phones = []
    for index, (symbol, score) in enumerate(zip(word.phones, word.phone_accuracy, strict=True)):
        said = Said(kind="same", phone=symbol)
        if score < MISPRONOUNCED_BELOW:
            text = heard.get(index, "<unk>")
            name = text.rstrip("*").rstrip("0123456789")
            if text == "<DEL>":
                said = Said(kind="deleted", phone=None)
            elif name in PHONES:
                said = Said(kind="substituted", phone=name, is_approximate=text.endswith("*"))
            else:
                said = Said(kind="unknown", phone=None)
        phones.append(_phone(symbol, said))
    return phones


def _l2arctic(folder: Path) -> list[Spoken]:
    """Annotated recordings of L2-ARCTIC; distortions and what nobody could tell stand for nothing."""
    return [
        Spoken(
            id=item.id,
            speaker=item.speaker,
            audio=item.audio,
            phones=item.phones,
            is_sure=tuple(phone.said.phone is not None and not phone.said.is_approximate for phone in item.phones),
        )
        for item in read_l2arctic(folder).utterances
    ]


def _phone(symbol: str, said: Said) -> AnnotatedPhone:
    """A phone without times."""
    return AnnotatedPhone(canonical=symbol, stress=None, said=said, start_s=0.0, end_s=0.0)
