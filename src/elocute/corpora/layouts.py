"""speechocean762 in whichever layout a folder holds it: the official one, or the parquet files of Hugging Face.

The parquet layout is that of `mispeech/speechocean762`: `data/train-*.parquet` and `data/test-*.parquet`, a row an
utterance, with the fields of `scores.json`, `speaker`, `gender`, `age` and `audio` (`bytes` and `path`). It has no
column for the utterance's id; `audio.path` is the id and a suffix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from elocute.corpora.speechocean762 import (
    ScoredUtterance,
    Split,
    read_score_table,
    read_speechocean762,
    scored_utterance,
)
from elocute.errors import ConfigError, MissingExtraError

Layout = Literal["official", "parquet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """One split of the corpus.

    Attributes:
        folder: where it is.
        layout: in which form.
        split: train or test.
        utterances: in the corpus's order; in the parquet layout `audio` is a bare file name until `with_recordings`.
        details: the single experts' scores; None where the folder has none.
    """

    folder: Path
    layout: Layout
    split: Split
    utterances: tuple[ScoredUtterance, ...]
    details: Path | None


def read_corpus(folder: Path, split: Split, scores: Path | None = None) -> Corpus:
    """Read one split, in the layout that the folder has.

    Args:
        folder: root of the corpus.
        split: train or test.
        scores: another `scores.json` than the corpus's own.

    Raises:
        ConfigError: the folder holds neither layout, lacks the split, or contradicts itself.
        MissingExtraError: the layout is parquet and pyarrow is not installed.
    """
    folder = Path(folder)
    files = _parquet_files(folder, split)
    layout: Layout
    if files and not (folder / split / "wav.scp").is_file():
        layout, utterances = "parquet", _read_parquet(files, scores)
    elif (folder / "resource").is_dir() or (folder / "train").is_dir() or (folder / "test").is_dir():
        layout, utterances = "official", read_speechocean762(folder, split, scores)
    else:
        others = [other for other in ("train", "test") if _parquet_files(folder, other)]
        held = f"it holds only the split {others[0]}" if others else "nothing of either is there"
        raise ConfigError(
            f"{folder} is not speechocean762's split {split}: expected its official layout ({split}/wav.scp, "
            f"resource/scores.json) or parquet files (data/{split}-*.parquet), but {held}; name the corpus's root"
        )
    if not utterances:
        raise ConfigError(f"{folder}: the split {split} has no utterances; expected some")
    details = folder / "resource" / "scores-detail.json"
    return Corpus(
        folder=folder,
        layout=layout,
        split=split,
        utterances=tuple(utterances),
        details=details if details.is_file() else None,
    )


def with_recordings(corpus: Corpus, utterances: Sequence[ScoredUtterance], into: Path) -> list[ScoredUtterance]:
    """The utterances with recordings that can be opened; those of parquet files are unpacked into a folder.

    Raises:
        ConfigError: a recording is missing.
    """
    if corpus.layout == "parquet":
        wanted = {utterance.id: utterance for utterance in utterances}
        for row in _rows(_parquet_files(corpus.folder, corpus.split), ["audio"]):
            name = PurePosixPath(str(row["audio"]["path"])).name
            if (utterance := wanted.get(PurePosixPath(name).stem)) is None:
                continue
            if not row["audio"]["bytes"]:
                raise ConfigError(f"{corpus.folder}: {name} has no bytes; expected the recording in audio.bytes")
            (into / utterance.audio.name).write_bytes(row["audio"]["bytes"])
        utterances = [replace(utterance, audio=into / utterance.audio.name) for utterance in utterances]
    missing = [utterance for utterance in utterances if not utterance.audio.is_file()]
    if missing:
        raise ConfigError(
            f"{missing[0].audio} not found, and {len(missing) - 1} more of {len(utterances)} recordings; expected "
            f"those of the split {corpus.split}"
        )
    return list(utterances)


def _parquet_files(folder: Path, split: str) -> list[Path]:
    """Parquet files of a split, in `data/` or in the folder itself."""
    return sorted((folder / "data").glob(f"{split}-*.parquet")) or sorted(folder.glob(f"{split}-*.parquet"))


def _rows(files: Sequence[Path], columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Rows of parquet files, a few in memory at a time."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError(
            "pyarrow is not installed, which parquet files need; install elocute[evaluate]"
        ) from error
    for path in files:
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=64, columns=columns):
                    yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError) as error:
            raise ConfigError(f"cannot read {path}: {error}; expected a parquet file of speechocean762") from error


_NEEDED = ("text", "accuracy", "completeness", "fluency", "prosodic", "total", "words", "speaker", "gender", "age")


def _read_parquet(files: Sequence[Path], scores: Path | None) -> list[ScoredUtterance]:
    """Utterances of parquet files, without their recordings."""
    scored = None if scores is None else read_score_table(scores)
    utterances: dict[str, ScoredUtterance] = {}
    # Of `audio` only the path: the recordings of a split are 290 MB.
    for row in _rows(files, [*_NEEDED, "audio.path"]):
        utterance = _from_row(row, scored, files[0].parent, scores)
        if utterance.id in utterances:
            raise ConfigError(f"{files[0].parent}: utterance {utterance.id} occurs twice; expected every one once")
        utterances[utterance.id] = utterance
    return list(utterances.values())


def _from_row(row: dict[str, Any], scored: dict[str, Any] | None, folder: Path, scores: Path | None) -> ScoredUtterance:
    """One row of a parquet file, with the scores of another file if there is one."""
    lacking = [name for name in (*_NEEDED, "audio") if row.get(name) is None]
    if lacking:
        raise ConfigError(f"{folder}: a row has no {lacking[0]!r}; expected the columns of mispeech/speechocean762")
    audio = PurePosixPath(str(row["audio"]["path"]))
    utterance_id = audio.stem
    if not (utterance_id.isdecimal() and len(utterance_id) == 9):
        raise ConfigError(
            f"{folder}: audio.path is {row['audio']['path']!r}; expected the utterance's id of nine digits and a suffix"
        )
    if scored is not None and utterance_id not in scored:
        raise ConfigError(f"the other scores lack utterance {utterance_id}; expected every one of the split")
    return scored_utterance(
        utterance_id,
        row if scored is None else scored[utterance_id],
        source=scores or folder,
        speaker=str(row["speaker"]),
        gender=str(row["gender"]),
        age=int(row["age"]),
        audio=Path(audio.name),
    )
