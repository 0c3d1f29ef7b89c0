"""Assess annotated recordings of L2-ARCTIC into stored predictions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from elocute.batch.local import AssessRow
from elocute.batch.manifest import ManifestRow
from elocute.corpora.l2arctic import ArcticUtterance
from elocute.errors import ConfigError, PhoneError, TextError
from elocute.evaluation.assessing import assess_rows
from elocute.phones import phonemize


def assess_arctic(
    utterances: Sequence[ArcticUtterance],
    out: Path,
    *,
    make_assessor: Callable[[], AssessRow],
    provenance: Mapping[str, Any],
    configuration: str,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    fresh: bool = False,
) -> None:
    """Assess utterances against the annotation's canonical phones and store the predictions.

    Arguments are those of `evaluation.assessing.assess_rows`, which keeps what is done and goes on from there.

    Raises:
        ConfigError: a recording is missing, `out` cannot be written, or an unfinished run was another one.
        BatchError: a worker process died.
    """
    missing = [item.audio for item in utterances if not item.audio.is_file()]
    if missing:
        raise ConfigError(f"{missing[0]} not found, and {len(missing) - 1} more recordings; expected the whole corpus")
    with tempfile.TemporaryDirectory(prefix="elocute-") as folder:
        assess_rows(
            [row_of_utterance(item) for item in utterances],
            out,
            folder=Path(folder),
            make_assessor=make_assessor,
            provenance=provenance,
            configuration=configuration,
            workers=workers,
            progress=progress,
            fresh=fresh,
        )


def row_of_utterance(utterance: ArcticUtterance) -> ManifestRow:
    """An utterance as a row to assess; its canonical phones are the annotation's.

    The phones decide everything, and the text only has to have as many words: where it is counted otherwise than the
    annotation's words (`<unk>`, an abbreviation), placeholders stand for it.
    """
    phones = tuple(tuple(phone.canonical for phone in word.phones) for word in utterance.words)
    text = " ".join(word.text for word in utterance.words)
    try:
        phonemize(text, pronunciations=phones)
    except (TextError, PhoneError):
        text = " ".join(["word"] * len(phones))
    return ManifestRow(id=utterance.id, audio=utterance.audio, text=text, phones=phones)
