"""Hard cases of a corpus, assessed on several processes; a killed run goes on."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from elocute.batch.local import AssessRow, run_batch
from elocute.corpora.spoken import SpokenCorpus, recordings_of
from elocute.errors import ConfigError
from elocute.evaluation.robustness_cases import CASES
from elocute.evaluation.robustness_judge import CanAssess
from elocute.evaluation.robustness_observe import Observation, RobustnessFactory
from elocute.evaluation.robustness_plan import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One utterance: what was said of its cases, and which could not be built."""

    id: str
    observations: tuple[Observation, ...]
    not_built: Mapping[str, str]
    unreadable: str | None


def assess_cases(
    corpus: SpokenCorpus,
    selection: Selection,
    keep: Path,
    *,
    cases: Sequence[str],
    clips: Mapping[str, Path],
    make_assessor: Callable[[], CanAssess],
    identity: str,
    seed: int,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    fresh: bool = False,
) -> tuple[Answer, ...]:
    """Assess every case of every plan, a worker's job an utterance; what is finished is kept.

    Args:
        corpus: where the recordings are.
        selection: the plans.
        keep: JSON lines of finished utterances, `KEEP.partial` while there are others left. A finished file of the
            very same run is read and nothing assessed.
        cases: names of the cases; clean is always among them.
        clips: files of noise by name.
        make_assessor: called once in each worker; picklable.
        identity: a text that differs whenever the assessor would answer otherwise.
        seed: of what is drawn while building.
        workers: processes; None takes one for each core.
        progress: called with utterances done and in all.
        fresh: forget what was kept.

    Raises:
        ConfigError: a recording is missing, `keep` cannot be written, or holds another run.
        BatchError: a worker process died.
    """
    names = tuple(case.name for case in CASES if case.name in cases and case.name != "clean")
    run = _fingerprint(selection, names, clips, identity, seed)
    is_unfinished = keep.with_name(f"{keep.name}.partial.run").exists()
    if keep.exists() and not is_unfinished and not fresh:
        return _read(keep, run)
    ids = [plan.id for plan in selection.plans]
    others = [plan.other.id for plan in selection.plans if plan.other is not None]
    with recordings_of(corpus, [*ids, *others]) as recordings:
        factory = RobustnessFactory(
            make_assessor=make_assessor,
            plans={plan.id: plan for plan in selection.plans},
            recordings=recordings,
            clips=clips,
            cases=names,
            seed=seed,
            run=run,
        )
        _run(factory, keep, ids, run=run, workers=workers, progress=progress, fresh=fresh)
    return _read(keep, run)


def _run(
    factory: RobustnessFactory,
    keep: Path,
    ids: Sequence[str],
    *,
    run: str,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
    fresh: bool,
) -> None:
    """Give the utterances to worker processes."""
    make: Callable[[], AssessRow] = factory
    with tempfile.TemporaryDirectory(prefix="elocute-") as folder:
        manifest = Path(folder) / "manifest.jsonl"
        # The recordings are known to the factory; a path here would be another one every time they are unpacked.
        rows = [{"id": key, "audio": key, "text": factory.plans[key].text} for key in ids]
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        run_batch(
            manifest,
            keep,
            make_assessor=make,
            configuration=run,
            workers=workers,
            progress=progress,
            fresh=fresh,
        )


def _fingerprint(
    selection: Selection, cases: Sequence[str], clips: Mapping[str, Path], identity: str, seed: int
) -> str:
    """A text that is the same for the same run only; no path is part of it."""
    facts = {
        "plans": [asdict(plan) for plan in selection.plans],
        "cases": list(cases),
        "clips": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in clips.items()},
        "identity": identity,
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8")).hexdigest()


def _read(keep: Path, run: str) -> tuple[Answer, ...]:
    """The answers of a finished file; ConfigError unless they are of this run."""
    answers = []
    try:
        for line in keep.read_text(encoding="utf-8").split("\n")[:-1]:
            row = json.loads(line)
            report = row.get("report")
            if report is None:
                reason = f"{row['error']['type']}: {row['error']['message']}"
                answer = Answer(id=row["id"], observations=(), not_built={}, unreadable=reason)
            elif report["run"] != run:
                raise ConfigError(
                    f"{keep} holds a run with other utterances, cases, noise, seed or models; give the settings of "
                    "then, name another file with --keep, or assess again with --fresh"
                )
            else:
                observations = tuple(Observation(**item) for item in report["observations"])
                answer = Answer(id=row["id"], observations=observations, not_built=report["not_built"], unreadable=None)
            answers.append(answer)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{keep} is not what this command keeps ({type(error).__name__}: {error}); name another file with --keep"
        ) from error
    return tuple(answers)
