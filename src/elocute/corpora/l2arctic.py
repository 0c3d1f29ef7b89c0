"""L2-ARCTIC: 26,867 English sentences read by 24 speakers of six languages, 3,599 of them annotated phone by phone.

Source: G. Zhao et al., "L2-ARCTIC: A Non-Native English Speech Corpus", Interspeech 2018; release v5.0. **Licence:
CC BY-NC 4.0, not for commercial use.** Nothing of the corpus comes with elocute, and nothing that learned from it may.

Layout: `SPEAKER/{wav,transcript,annotation}/arctic_aNNNN.{wav,txt,TextGrid}` (also `SPEAKER/SPEAKER/...`, as some
archives unpack); `textgrid/` holds forced alignments, which nobody checked and which are not read. Since v5.0 the
folder `suitcase_corpus` holds one spontaneous story of each speaker (but ASI and SKA), its files named by the speaker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elocute.corpora.l2arctic_annotation import AnnotatedPhone, AnnotatedWord, Insertion, read_annotation
from elocute.errors import ConfigError

Gender = Literal["f", "m"]
Part = Literal["sentences", "suitcase"]
UNKNOWN = "<unk>"
"""Stands in a string of phones for a sound that annotators could not tell; no hypothesis ever equals it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A speaker's gender and first language."""

    gender: Gender
    l1: str


_BY_L1 = {
    "Arabic": "ABA m SKA f YBAA m ZHAA f",
    "Hindi": "ASI m RRBI m SVBI f TNI f",
    "Korean": "HJK f HKK m YDCK f YKWK m",
    "Mandarin": "BWC m LXC f NCC f TXHC m",
    "Spanish": "EBVS m ERMS m MBMPS f NJS f",
    "Vietnamese": "HQTV m PNV f THV f TLV m",
}
"""From the corpus's README; there Mandarin is called Chinese."""


def _speakers() -> Iterator[tuple[str, Speaker]]:
    """Every speaker."""
    for l1, text in _BY_L1.items():
        parts = text.split()
        for name, letter in zip(parts[::2], parts[1::2], strict=True):
            yield name, Speaker(gender="f" if letter == "f" else "m", l1=l1)


SPEAKERS: Mapping[str, Speaker] = dict(sorted(_speakers()))
"""The 24 speakers, by their codes."""
TEST_SPEAKERS = ("NJS", "TLV", "TNI", "TXHC", "YKWK", "ZHAA")
"""One of each first language: the test set of nearly every published figure (K. Fu et al., arXiv 2104.08428)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcticUtterance:
    """One annotated recording.

    Attributes:
        id: speaker and file, "NJS-arctic_a0001".
        speaker: code.
        l1: first language.
        gender: "f" or "m".
        audio: path of the recording.
        text: the transcript.
        words: with canonical phones and what was said at each.
        insertions: sounds that the text does not have.
        unknown_words: words of which nobody gave canonical phones; they are not in `words`.
        slips: where the annotation breaks its own rules, and how it was read.
    """

    id: str
    speaker: str
    l1: str
    gender: Gender
    audio: Path
    text: str
    words: tuple[AnnotatedWord, ...]
    insertions: tuple[Insertion, ...]
    unknown_words: tuple[str, ...] = ()
    slips: tuple[str, ...] = ()

    @property
    def phones(self) -> tuple[AnnotatedPhone, ...]:
        """Canonical phones in order."""
        return tuple(phone for word in self.words for phone in word.phones)

    @property
    def canonical(self) -> tuple[str, ...]:
        """Canonical phones as a string, ARPABET without stress."""
        return tuple(phone.canonical for phone in self.phones)

    @property
    def perceived(self) -> tuple[str, ...]:
        """What annotators heard as a string: `X*` as X, `UNKNOWN` for what they could not tell."""
        return spliced(
            [None if phone.said.kind == "deleted" else phone.said.phone or UNKNOWN for phone in self.phones],
            [(item.gap, item.phone or UNKNOWN) for item in self.insertions],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcticCorpus:
    """The annotated recordings of some speakers, and what else their folders hold.

    Attributes:
        utterances: by speaker as asked for, then by file name.
        unannotated: ids of recordings without annotation; most are.
        unusable: id and reason of annotations that contradict themselves. The release has a few.
    """

    utterances: tuple[ArcticUtterance, ...]
    unannotated: tuple[str, ...]
    unusable: tuple[tuple[str, str], ...]


def spliced(said: Sequence[str | None], inserted: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    """What was said at each canonical phone (None for nothing) and between them, as one string.

    Args:
        said: one entry for each canonical phone.
        inserted: (canonical phones before it, phone) of each insertion, in order.
    """
    between: list[list[str]] = [[] for _ in range(len(said) + 1)]
    for gap, phone in inserted:
        between[gap].append(phone)
    whole = list(between[0])
    for phone_said, after in zip(said, between[1:], strict=True):
        whole += [] if phone_said is None else [phone_said]
        whole += after
    return tuple(whole)


def read_l2arctic(folder: Path, speakers: Sequence[str] = TEST_SPEAKERS, part: Part = "sentences") -> ArcticCorpus:
    """Read the annotated recordings of some speakers.

    Args:
        folder: root of the corpus.
        speakers: codes of speakers.
        part: the read sentences, or the spontaneous story.

    Raises:
        ConfigError: a speaker or a folder is missing, an annotation has no recording or no transcript, or no
            annotation can be used.
    """
    folder = Path(folder)
    unknown = [name for name in speakers if name not in SPEAKERS]
    if unknown or not speakers or len(set(speakers)) < len(speakers):
        what = f"speaker {unknown[0]!r} is not of L2-ARCTIC" if unknown else "speakers are missing or named twice"
        raise ConfigError(f"{what}; expected each once, of {', '.join(SPEAKERS)}")
    utterances: list[ArcticUtterance] = []
    unannotated: list[str] = []
    unusable: list[tuple[str, str]] = []
    for name in speakers:
        root = _root(folder, name if part == "sentences" else "suitcase_corpus")
        files = [_files(root, kind) for kind in ("wav", "transcript", "annotation")]
        if part == "suitcase":
            files = [{stem: path for stem, path in kind.items() if stem.upper() == name} for kind in files]
        audio, texts, annotations = files
        for stem, path in annotations.items():
            for kind, others in (("recording in wav/", audio), ("transcript", texts)):
                if stem not in others:
                    raise ConfigError(f"{path} has no {kind} of that name beside it; expected the whole corpus")
            key = f"{name}-{stem if part == 'sentences' else part}"
            try:
                utterances.append(_utterance(key, name, audio[stem], texts[stem], path))
            except ConfigError as error:  # kept and reported: a few files of the release contradict themselves
                unusable.append((key, str(error)))
        unannotated += [f"{name}-{stem}" for stem in audio if stem not in annotations]
    if not utterances:
        reason = unusable[0][1] if unusable else f"{folder} has no annotation of {', '.join(speakers)}"
        raise ConfigError(f"no annotation can be used: {reason}")
    return ArcticCorpus(utterances=tuple(utterances), unannotated=tuple(unannotated), unusable=tuple(unusable))


def _utterance(key: str, name: str, audio: Path, transcript: Path, annotation: Path) -> ArcticUtterance:
    """One annotated recording."""
    found = read_annotation(annotation)
    try:
        text = transcript.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {transcript}: {error}; expected the sentence in UTF-8") from error
    return ArcticUtterance(
        id=key,
        speaker=name,
        l1=SPEAKERS[name].l1,
        gender=SPEAKERS[name].gender,
        audio=audio,
        text=text,
        words=found.words,
        insertions=found.insertions,
        unknown_words=found.unknown_words,
        slips=found.slips,
    )


def _root(folder: Path, name: str) -> Path:
    """The folder that holds a speaker's `wav`, `transcript` and `annotation`."""
    for root in (folder / name, folder / name / name):
        if (root / "wav").is_dir():
            for kind in ("transcript", "annotation"):
                if not (root / kind).is_dir():
                    raise ConfigError(f"{root / kind} not found; expected it beside {root / 'wav'}")
            return root
    held = ", ".join(sorted(path.name for path in folder.iterdir())[:6]) if folder.is_dir() else "no such folder"
    raise ConfigError(
        f"{folder / name / 'wav'} not found ({folder}: {held}); expected L2-ARCTIC's root, a folder for each speaker"
    )


def _files(root: Path, kind: str) -> dict[str, Path]:
    """Files of one kind by name, sorted; hidden ones are not the corpus's."""
    found: dict[str, Path] = {}
    for path in sorted((root / kind).iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise ConfigError(f"{found[path.stem]} and {path} have the same name; keep one of them")
        found[path.stem] = path
    return found
