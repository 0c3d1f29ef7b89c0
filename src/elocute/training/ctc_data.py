"""What a CTC model is trained on: recordings with phones from any corpus, decoded once, split by speaker.

What cannot be used is refused with a reason, and counted; nothing is dropped in silence.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elocute.corpora.commonvoice import read_commonvoice
from elocute.corpora.librispeech import read_librispeech
from elocute.corpora.speechocean762 import MISPRONOUNCED_BELOW, ScoredUtterance, read_speechocean762
from elocute.corpora.spoken import SpokenUtterance
from elocute.corpora.transcribed import read_transcribed
from elocute.errors import ConfigError, PhoneError, TextError
from elocute.evaluation.recognition import realised_phones
from elocute.phones import PHONES, phonemize

KINDS = ("speechocean762", "native", "librispeech", "commonvoice")
WILDCARD = len(PHONES) + 1
"""First of two label ids that stand for 'any phone'; two, used in turn, so that neighbours need no blank between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A corpus to train on.

    Attributes:
        kind: one of `KINDS`.
        path: its folder, or a list in it.
    """

    kind: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One recording and the labels that its CTC path may take.

    Attributes:
        id: unique over all corpora: name of the corpus, slash, id there.
        speaker: likewise.
        audio: its file.
        labels: what was said as far as it is known; 1 to 39 are phones, from `WILDCARD` on any phone.
        phones: the same for measuring, with the canonical phone where nobody said what was heard.
    """

    id: str
    speaker: str
    audio: Path
    labels: tuple[int, ...]
    phones: tuple[int, ...]

    @property
    def frames_needed(self) -> int:
        """Frames of the shortest CTC path: one a label, one more between equal neighbours."""
        return len(self.labels) + sum(a == b for a, b in zip(self.labels, self.labels[1:], strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A recording that cannot be used.

    Attributes:
        id: as in `Example`.
        reason: a few words, the same for all recordings with the same trouble.
        detail: what exactly.
    """

    id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """What was read: what can be used, and what cannot."""

    kept: tuple[Example, ...]
    refused: tuple[Refusal, ...]

    def refusing(self, why: Callable[[Example], tuple[str, str] | None]) -> Examples:
        """Refuse those for which `why` gives a reason and its detail."""
        kept, refused = [], list(self.refused)
        for example in self.kept:
            found = why(example)
            if found is None:
                kept.append(example)
            else:
                refused.append(Refusal(id=example.id, reason=found[0], detail=found[1]))
        return Examples(kept=tuple(kept), refused=tuple(refused))

    def counts(self) -> dict[str, int]:
        """How many were refused for each reason, most frequent first."""
        return dict(Counter(refusal.reason for refusal in self.refused).most_common())


def parse_sources(texts: Iterable[str]) -> tuple[Source, ...]:
    """`KIND:DIR[,KIND:DIR...]`, once or more, as sources; a comma inside a folder's name is kept.

    Raises:
        ConfigError: an unknown kind, no folder, a folder named twice.
    """
    sources: list[Source] = []
    for text in texts:
        for part in re.split(rf",(?=(?:{'|'.join(KINDS)}):)", text):
            kind, colon, path = part.partition(":")
            if kind not in KINDS or not colon or not path:
                raise ConfigError(f"corpus is {part!r}; expected KIND:DIR with KIND one of {', '.join(KINDS)}")
            source = Source(kind=kind, path=Path(path))
            if not source.path.exists():
                raise ConfigError(f"corpus {path} not found; expected a folder of {kind}")
            if source.path.resolve() in [other.path.resolve() for other in sources]:
                raise ConfigError(f"corpus {path} is named twice; leave one of them out")
            sources.append(source)
    if not sources:
        raise ConfigError("no corpus; give --corpus KIND:DIR, such as librispeech:train-clean-100")
    return tuple(sources)


def read_examples(
    sources: Sequence[Source],
    unknown_words: Literal["skip", "g2p"] = "skip",
    progress: Callable[[int, int], None] | None = None,
) -> Examples:
    """Read corpora and find the phones of their sentences.

    Args:
        sources: the corpora.
        unknown_words: whether a text with words that the lexicon does not list is refused, or pronounced by the
            model of unknown words.
        progress: called with recordings done and their number.

    Raises:
        ConfigError: a corpus is not in its layout, or nothing in all of them can be used.
    """
    found: list[Example | Refusal] = []
    names = _names(sources)
    read = [(name, source.kind, _read(source)) for name, source in zip(names, sources, strict=True)]
    total = sum(len(utterances) for _, _, utterances in read)
    for name, _, utterances in read:
        for utterance in utterances:
            if isinstance(utterance, ScoredUtterance):
                found.append(_scored(name, utterance))
            else:
                found.append(_spoken(name, utterance, unknown_words))
            if progress is not None:
                progress(len(found), total)
    examples = Examples(
        kept=tuple(item for item in found if isinstance(item, Example)),
        refused=tuple(item for item in found if isinstance(item, Refusal)),
    )
    return check_left(examples.refusing(_without_recording))


def check_left(examples: Examples) -> Examples:
    """The examples themselves; ConfigError if every one was refused."""
    if not examples.kept:
        reasons = "; ".join(f"{reason}: {count}" for reason, count in examples.counts().items())
        raise ConfigError(f"none of {len(examples.refused)} recordings can be used ({reasons}); give other corpora")
    return examples


def hold_out(examples: Sequence[Example], share: float, most: int, seed: int) -> tuple[list[int], list[int]]:
    """Split by speaker: indices to train on, indices to evaluate on.

    A speaker is held out if the hash of its name falls into the share, so that the split of a corpus stays the same
    when others are added; of a corpus in which nobody falls into it, the speaker with the lowest hash, unless it has no
    other. A share of 0 holds nobody out.

    Args:
        examples: all of them.
        share: of the speakers of each corpus.
        most: number of indices to evaluate on; those with the lowest hashes of their ids.
        seed: goes into the hashes.

    Raises:
        ConfigError: somebody should be held out, but no corpus has two speakers.
    """
    if share == 0:
        return list(range(len(examples))), []

    def rank(name: str) -> float:
        return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big") / 2**64

    speakers: dict[str, set[str]] = {}
    for example in examples:
        speakers.setdefault(example.id.split("/", 1)[0], set()).add(example.speaker)
    held: set[str] = set()
    for members in speakers.values():
        if len(members) > 1:
            ordered = sorted(members, key=rank)
            held |= {name for name in ordered[:-1] if rank(name) < share} or {ordered[0]}
    if not held:
        raise ConfigError(
            "no corpus has two speakers, so that none can be held out; add a corpus, or give "
            "--set training.held_out=0 to train without a measure"
        )
    kept = [index for index, example in enumerate(examples) if example.speaker not in held]
    out = [index for index, example in enumerate(examples) if example.speaker in held]
    return kept, sorted(sorted(out, key=lambda index: rank(examples[index].id))[:most])


def write_refusals(examples: Examples, path: Path) -> None:
    """All refusals as a table: id, reason, detail."""
    lines = (f"{refusal.id}\t{refusal.reason}\t{' '.join(refusal.detail.split())}\n" for refusal in examples.refused)
    path.write_text("id\treason\tdetail\n" + "".join(lines), encoding="utf-8")


def _names(sources: Sequence[Source]) -> list[str]:
    """A short name of each corpus, unique among them."""
    names: list[str] = []
    for source in sources:
        name = source.kind if source.kind == "speechocean762" else f"{source.kind}-{source.path.resolve().stem}"
        names.append(name if name not in names else f"{name}-{len(names)}")
    return names


def _read(source: Source) -> Sequence[ScoredUtterance | SpokenUtterance]:
    """Every utterance of a corpus."""
    if source.kind == "speechocean762":
        return read_speechocean762(source.path, "train")
    if source.kind == "librispeech":
        return read_librispeech(source.path)
    if source.kind == "commonvoice":
        return read_commonvoice(source.path)
    # A plain folder does not tell who spoke: one speaker, so that nobody is on both sides of a split.
    return [
        SpokenUtterance(id=item.id, speaker=None, audio=item.audio, text=item.text, phones=None)
        for item in read_transcribed(source.path)
    ]


def _scored(name: str, utterance: ScoredUtterance) -> Example | Refusal:
    """An utterance of learners: canonical phones, and what was said in place of those that people called wrong.

    What was said is the corpus's annotation where it names a phone; any phone where nobody tells.
    """
    labels: list[int] = []
    phones: list[int] = []
    for word in utterance.words:
        said = realised_phones(word)
        for index, (phone, score) in enumerate(zip(word.phones, word.phone_accuracy, strict=True)):
            heard = said.get(index)
            if score < MISPRONOUNCED_BELOW and heard is not None and heard.kind == "deleted":
                continue
            if phone not in PHONES:
                return Refusal(id=f"{name}/{utterance.id}", reason="a phone that is not ARPABET", detail=phone)
            wrong = score < MISPRONOUNCED_BELOW
            if wrong and heard is not None and heard.kind == "phone" and heard.phone in PHONES:
                phone, wrong = heard.phone, False
            phones.append(PHONES.index(phone) + 1)
            labels.append(WILDCARD + len(labels) % 2 if wrong else phones[-1])
    if not labels:
        return Refusal(id=f"{name}/{utterance.id}", reason="nothing was said", detail=utterance.text)
    return Example(
        id=f"{name}/{utterance.id}",
        speaker=f"{name}/{utterance.speaker}",
        audio=utterance.audio,
        labels=tuple(labels),
        phones=tuple(phones),
    )


def _spoken(name: str, utterance: SpokenUtterance, unknown_words: str) -> Example | Refusal:
    """A transcribed utterance with the phones of its sentence."""
    key = f"{name}/{utterance.id}"
    if not utterance.text.strip():
        return Refusal(id=key, reason="no text", detail="the transcript is empty")
    try:
        canonical = phonemize(utterance.text)
    except (TextError, PhoneError) as error:
        return Refusal(id=key, reason="a text that cannot be pronounced", detail=str(error))
    unknown = [word.text for word in canonical.words if word.source == "g2p"]
    if unknown and unknown_words == "skip":
        return Refusal(id=key, reason="a word that the lexicon does not list", detail=", ".join(unknown))
    phones = tuple(PHONES.index(phone.symbol) + 1 for phone in canonical.phones)
    speaker = f"{name}/{utterance.speaker or ''}"
    return Example(id=key, speaker=speaker, audio=utterance.audio, labels=phones, phones=phones)


def _without_recording(example: Example) -> tuple[str, str] | None:
    """Why the recording cannot be opened, if it cannot."""
    return None if example.audio.is_file() else ("no recording", f"{example.audio} not found")
