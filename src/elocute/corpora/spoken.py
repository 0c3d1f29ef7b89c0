"""Any corpus as recordings with texts, without scores: speechocean762 in its layouts, or a transcribed folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from elocute.corpora.layouts import Corpus, read_corpus, with_recordings
from elocute.corpora.speechocean762 import Split
from elocute.corpora.transcribed import read_transcribed
from elocute.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenUtterance:
    """A recording and the sentence spoken in it.

    Attributes:
        id: unique in its corpus.
        speaker: who spoke; None where the corpus does not tell.
        audio: the recording; in parquet files a bare name until `recordings_of`.
        text: the sentence.
        phones: the corpus's own canonical ARPABET phones of each word; None where it has none.
    """

    id: str
    speaker: str | None
    audio: Path
    text: str
    phones: tuple[tuple[str, ...], ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenCorpus:
    """Recordings with texts.

    Attributes:
        name: of the corpus, or of its folder.
        split: None where it has none.
        utterances: in the corpus's order.
        scored: the corpus that was read, where it is speechocean762.
    """

    name: str
    split: Split | None
    utterances: tuple[SpokenUtterance, ...]
    scored: Corpus | None

    @property
    def has_speakers(self) -> bool:
        """Whether it is known who spoke."""
        return all(utterance.speaker is not None for utterance in self.utterances)


def read_spoken(folder: Path, split: Split | None = None) -> SpokenCorpus:
    """Read a corpus in whichever layout the folder has.

    Args:
        folder: root of speechocean762 (official or parquet), or a folder with `transcripts.tsv` and `audio/`.
        split: of speechocean762, test if None; a transcribed folder has none.

    Raises:
        ConfigError: the folder is neither, has no such split, or contradicts itself.
        MissingExtraError: the layout is parquet and pyarrow is not installed.
    """
    folder = Path(folder)
    if (folder / "transcripts.tsv").is_file():
        if split is not None:
            raise ConfigError(f"{folder} is a folder of transcripts.tsv, which has no splits; leave out --split")
        read = read_transcribed(folder)
        if not read:
            raise ConfigError(f"{folder / 'transcripts.tsv'} lists no recording; expected lines of id, tab, sentence")
        plain = (SpokenUtterance(id=u.id, speaker=None, audio=u.audio, text=u.text, phones=None) for u in read)
        return SpokenCorpus(name=folder.resolve().name, split=None, utterances=tuple(plain), scored=None)
    marks = ("resource", "train", "test", "data")
    if not any((folder / mark).is_dir() for mark in marks) and not any(folder.glob("*.parquet")):
        raise ConfigError(
            f"{folder} holds no corpus that can be read; expected speechocean762 (its official layout or parquet "
            "files), or transcripts.tsv with lines of id, tab, sentence beside audio/id.*"
        )
    corpus = read_corpus(folder, split or "test")
    scored = (
        SpokenUtterance(
            id=u.id, speaker=u.speaker, audio=u.audio, text=u.text, phones=tuple(word.phones for word in u.words)
        )
        for u in corpus.utterances
    )
    return SpokenCorpus(name="speechocean762", split=corpus.split, utterances=tuple(scored), scored=corpus)


@contextmanager
def recordings_of(corpus: SpokenCorpus, ids: Sequence[str]) -> Iterator[Mapping[str, Path]]:
    """Files of these utterances by id; what must be unpacked for it is deleted afterwards.

    Raises:
        ConfigError: a recording is missing.
    """
    wanted = set(ids)
    if corpus.scored is None:
        yield {utterance.id: utterance.audio for utterance in corpus.utterances if utterance.id in wanted}
        return
    with tempfile.TemporaryDirectory(prefix="elocute-") as folder:
        chosen = [utterance for utterance in corpus.scored.utterances if utterance.id in wanted]
        yield {utterance.id: utterance.audio for utterance in with_recordings(corpus.scored, chosen, Path(folder))}
