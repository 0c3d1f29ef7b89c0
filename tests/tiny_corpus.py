"""A tiny corpus in speechocean762's official layout, made of the recordings in examples/; and a stand-in assessor."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elocute.batch.local import AssessRow
from elocute.batch.manifest import ManifestRow
from elocute.errors import AudioError
from elocute.phones import phonemize

EXAMPLES = Path(__file__).parent.parent / "examples"


def write_corpus(folder: Path, split: str = "test", *, annotated: bool = True) -> Path:
    """The examples as a corpus: two a speaker, a planted error scores 0, its word 3, its utterance 6."""
    rows = [json.loads(line) for line in (EXAMPLES / "manifest.jsonl").read_text().splitlines()]
    wav, speaker, scores = [], [], {}
    for number, row in enumerate(rows):
        who, utterance = f"{number // 2:04d}", f"0{number // 2:04d}{number:04d}"
        place = folder / "WAVE" / f"SPEAKER{who}" / f"{utterance}.flac"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((EXAMPLES / row["audio"]).read_bytes())
        wav.append(f"{utterance}\t{place.relative_to(folder)}\n")
        speaker.append((utterance, who))
        scores[utterance] = record(row["text"], row["planted"], annotated=annotated)
    (folder / split).mkdir(parents=True)
    (folder / "resource").mkdir(exist_ok=True)
    people = sorted({who for _, who in speaker})
    lists = {
        "wav.scp": wav,
        "utt2spk": [f"{utterance}\t{who}\n" for utterance, who in speaker],
        "spk2gender": [f"{who}\t{'fm'[int(who) % 2]}\n" for who in people],
        "spk2age": [f"{who}\t{8 + 15 * (int(who) % 2)}\n" for who in people],
    }
    for name, lines in lists.items():
        (folder / split / name).write_text("".join(lines))
    (folder / "resource" / "scores.json").write_text(json.dumps(scores))
    return folder


def record(text: str, planted: dict[str, Any] | None, *, annotated: bool) -> dict[str, Any]:
    """The scores of one utterance."""
    words = []
    for index, word in enumerate(phonemize(text)):
        phones = [phone.symbol for phone in word.phones]
        hit = planted is not None and planted["word_index"] == index
        wrong = [position for position in range(len(phones)) if hit and planted["phone_index"] in (position, None)]
        entry = {
            "text": word.text.upper(),
            "phones": phones,
            "phones-accuracy": [0.0 if position in wrong else 2.0 for position in range(len(phones))],
            "accuracy": 3 if hit else 10,
            "stress": 10,
            "total": 3 if hit else 10,
        }
        if annotated:
            entry["mispronunciations"] = [
                {
                    "canonical-phone": phones[position],
                    "index": position,
                    "pronounced-phone": planted["said"] if planted and planted["said"] else "<DEL>",
                }
                for position in wrong
            ]
        words.append(entry)
    total = 9 if planted is None else 6
    whole = {"accuracy": total, "completeness": 10.0, "fluency": 8, "prosodic": 8, "total": total}
    return whole | {"text": " ".join(word["text"] for word in words), "words": words}


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeFactory:
    """Makes assessors that score everything alike, and leave a file for each recording that they were given.

    Attributes:
        log: folder of those files.
        die_on: name of the file at whose existence the worker is killed; it is deleted first.
        refuse: id of an utterance that cannot be assessed.
    """

    log: Path
    die_on: str | None = None
    refuse: str | None = None

    def __call__(self) -> AssessRow:
        """Build the assessor."""
        return self.assess

    def assess(self, row: ManifestRow) -> Mapping[str, object]:
        """A row of predictions."""
        if row.id == self.die_on and (self.log / "kill").exists():
            (self.log / "kill").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        with (self.log / row.id).open("a") as file:
            file.write("x")
        if row.id == self.refuse:
            raise AudioError(f"{row.audio} is 0.0 s long; record again")
        assert row.phones is not None
        assert row.audio.is_file()
        phones = [phone for word in row.phones for phone in word]
        return {
            "id": row.id,
            "phone": [1.0 + row.audio.stat().st_size % 7 / 10] * len(phones),
            "word": [[5.0, 10.0, 5.0]] * len(row.phones),
            "utterance": {"total": 5.0},
        }
