"""`elocute evaluate l2arctic`: mispronunciation detection and diagnosis against annotators."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.batch import progress_bar
from elocute.cli.evaluate_run import identity_of, kept_when_stopped, prediction_facts
from elocute.cli.options import DEFAULTS, BackendName, Verbose
from elocute.cli.output import show, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from elocute.corpora.l2arctic import ArcticCorpus
    from elocute.evaluation.predictions import StoredPredictions

TEST = "test"
ALL = "all"


def l2arctic(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The corpus: a folder for each speaker.")],
    speakers: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="Codes with commas between; test: the usual NJS,TLV,TNI,TXHC,YKWK,ZHAA; or all."
        ),
    ] = TEST,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N sentences of each speaker.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Stored predictions: read if there, else made (.jsonl.gz); no audio is read."
        ),
    ] = None,
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write everything as JSON; - is stdout, without tables."),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples of the speakers for an interval.")] = 500,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes that assess; default: one for each core.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Assess again, and replace stored predictions.")] = False,
    backend: BackendName = DEFAULTS.backend,
    verbose: Verbose = False,
) -> None:
    """Measure on L2-ARCTIC (CC BY-NC 4.0): are the mispronounced phones found, and is what was said named?

    Every annotated sentence is assessed with the annotation's canonical phones, once: the predictions are kept, and the
    next evaluation needs neither audio nor models. Killed and started again, it goes on where it was. Tables show the
    measures of the literature with their definitions, trivial detectors beside the model, and 95 % intervals over
    speakers. The shipped models never heard this corpus.
    """
    from elocute.cli.evaluate_l2arctic_table import render
    from elocute.corpora.l2arctic import SPEAKERS, TEST_SPEAKERS, read_l2arctic
    from elocute.evaluation.mdd import evaluate_mdd
    from elocute.evaluation.mdd_result import to_json

    named = {TEST: TEST_SPEAKERS, ALL: tuple(SPEAKERS)}
    wanted = named.get(speakers) or tuple(name.strip().upper() for name in speakers.split(","))
    corpus = _limited(read_l2arctic(folder, wanted), limit)
    for key, reason in corpus.unusable:
        sys.stderr.write(f"elocute: {key} is left out: {reason}\n")
    sys.stderr.write(
        f"elocute: {len(corpus.utterances)} annotated sentences; {len(corpus.unannotated)} recordings without "
        "annotation are passed over\n"
    )
    names = next((name for name, value in named.items() if value == wanted), "-".join(wanted))
    path = predictions or Path(f"l2arctic-{names}{'' if limit is None else f'-first{limit}'}.predictions.jsonl.gz")
    stored = _stored(path, corpus, backend, workers, is_named=predictions is not None, fresh=fresh)
    result = evaluate_mdd(corpus, stored, draws=draws, data={"limit": limit})
    if json_out is not None and str(json_out) == "-":
        write(to_json(result))
        return
    if json_out is not None:
        write(to_json(result), json_out)
    show(*render(result))


def _limited(corpus: ArcticCorpus, limit: int | None) -> ArcticCorpus:
    """The first sentences of each speaker."""
    if limit is None:
        return corpus
    kept, count = [], dict.fromkeys((item.speaker for item in corpus.utterances), 0)
    for item in corpus.utterances:
        count[item.speaker] += 1
        if count[item.speaker] <= limit:
            kept.append(item)
    return replace(corpus, utterances=tuple(kept))


def _stored(
    path: Path, corpus: ArcticCorpus, backend: str, workers: int | None, *, is_named: bool, fresh: bool
) -> StoredPredictions:
    """Stored predictions, made first if need be; those under the default name must be of the installed models."""
    from elocute.evaluation.assessing import REPORT_SCALE
    from elocute.evaluation.predictions import read_predictions

    if not path.exists() or fresh:
        _assess(path, corpus, backend, workers, fresh=fresh)
        return read_predictions(path)
    stored = read_predictions(path)
    if not is_named and stored.provenance.get("configuration") != identity_of(backend, REPORT_SCALE):
        raise ConfigError(
            f"{path} was made by other models or another version; make it again with --fresh, or name it with "
            "--predictions to evaluate it as it is"
        )
    sys.stderr.write(f"elocute: from the predictions stored in {path}\n")
    return stored


def _assess(path: Path, corpus: ArcticCorpus, backend: str, workers: int | None, *, fresh: bool) -> None:
    """Assess the recordings and store the predictions."""
    from elocute.evaluation.assessing import REPORT_SCALE, CorpusFactory
    from elocute.evaluation.mdd_assessing import assess_arctic

    sys.stderr.write(f"elocute: assessing {len(corpus.utterances)} recordings into {path}\n")
    identity = identity_of(backend, REPORT_SCALE)
    with kept_when_stopped(), progress_bar() as progress:
        assess_arctic(
            corpus.utterances,
            path,
            make_assessor=CorpusFactory(backend=backend),
            provenance=_provenance(corpus, identity),
            configuration=identity,
            workers=workers,
            progress=progress,
            fresh=fresh,
        )


def _provenance(corpus: ArcticCorpus, identity: str) -> dict[str, Any]:
    """Where predictions of the shipped models come from."""
    return prediction_facts(identity) | {
        "protocol": "the shipped models with the annotation's canonical phones; no speaker was in their training",
        "corpus": "L2-ARCTIC",
        "speakers": list(dict.fromkeys(item.speaker for item in corpus.utterances)),
        "utterances": len(corpus.utterances),
    }
