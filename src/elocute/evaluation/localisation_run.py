"""Plant errors in many recordings and have them judged, on the processes of one machine."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elocute.batch.local import AssessRow, run_batch
from elocute.evaluation.localisation_corpus import Spoken
from elocute.evaluation.localisation_measures import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """What came of a run: every outcome, and why others are missing."""

    outcomes: tuple[Outcome, ...]
    skipped: Mapping[str, int]


def run_trials(
    chosen: Sequence[Spoken],
    make: Callable[[], AssessRow],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trials:
    """Plant errors in recordings and have them judged, on several processes.

    Args:
        chosen: recordings.
        make: makes what answers them (`TrialFactory`), once in each worker.
        workers: processes; None takes one for each core.
        progress: called with recordings done and in all.

    Raises:
        BatchError: a worker process died.
    """
    outcomes: list[Outcome] = []
    skipped: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="elocute-") as folder:
        manifest, out = Path(folder) / "manifest.jsonl", Path(folder) / "outcomes.jsonl"
        rows = ({"id": one.id, "audio": str(one.audio.resolve()), "text": one.text} for one in chosen)
        manifest.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        run_batch(manifest, out, make_assessor=make, configuration="", workers=workers, progress=progress)
        for line in out.read_text(encoding="utf-8").split("\n")[:-1]:
            row = json.loads(line)
            if "error" in row:
                skipped[f"{row['error']['type']}: {row['error']['message']}"] += 1
                continue
            outcomes.extend(map(outcome_of, row["report"]["outcomes"]))
            skipped.update(row["report"]["skipped"])
    return Trials(outcomes=tuple(outcomes), skipped=dict(skipped.most_common()))


def outcome_of(plain: Mapping[str, Any]) -> Outcome:
    """An outcome from plain JSON values."""
    heard = plain["heard_at_place"]
    listed = {"word": tuple(plain["word"]), "heard_at_place": None if heard is None else tuple(heard)}
    return Outcome(**{**plain, **listed})
