"""A stand-in for the assessor that worker processes can import, and a command that runs a batch with it.

    python tests/batch_fakes.py MANIFEST OUT WORKERS DELAY_S

Kept apart from the tests, so that a worker need not import pytest.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elocute.batch.local import AssessRow, run_batch
from elocute.batch.manifest import ManifestRow
from elocute.errors import AudioError, ConfigError, TextError


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeFactory:
    """Makes assessors that echo the row; some rows can be told to misbehave.

    Attributes:
        delay_s: each row takes so long; rows with an odd number of letters in their text take twice that.
        bug_on: id of the row that meets a bug.
        nan_on: id of the row whose report cannot be JSON.
        die_on: id of the row at which the worker is killed.
        died: file that is made when it is; once it is there, nobody is killed any more. None: each time.
        no_model: building the assessor fails.
        pids: folder in which each worker leaves a file named after its process.
    """

    delay_s: float = 0.0
    bug_on: str | None = None
    nan_on: str | None = None
    die_on: str | None = None
    died: Path | None = None
    no_model: bool = False
    pids: Path | None = None

    def __call__(self) -> AssessRow:
        """Build the assessor."""
        if self.no_model:
            raise ConfigError("no model of that name; see `elocute models`")
        if self.pids is not None:
            (self.pids / str(os.getpid())).touch()
        return self.assess

    def assess(self, row: ManifestRow) -> Mapping[str, object]:
        """The echo of a row."""
        time.sleep(self.delay_s * (1 + len(row.text) % 2))
        if row.id == self.die_on and not (self.died and self.died.exists()):
            if self.died is not None:
                self.died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if row.id == self.bug_on:
            raise KeyError("AX")
        if row.id == self.nan_on:
            return {"score": float("nan")}
        if not row.text.strip():
            raise TextError("the text is empty; give the sentence that was read")
        if not row.audio.exists():
            raise AudioError(f"no such file: {row.audio.name}; check the path")
        return {
            "text": row.text,
            "bytes": row.audio.stat().st_size,
            "phones": row.phones,
            "score": len(row.text) / 3,
            "threads": os.environ["OMP_NUM_THREADS"],
        }


if __name__ == "__main__":
    manifest, out, workers, delay_s = sys.argv[1:]
    run_batch(
        Path(manifest),
        Path(out),
        make_assessor=FakeFactory(delay_s=float(delay_s), pids=Path(out).parent),
        configuration="fake",
        workers=int(workers),
    )
