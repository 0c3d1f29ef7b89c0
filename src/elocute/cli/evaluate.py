"""`elocute evaluate`: the shipped models, or stored predictions, against people's scores."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.batch import progress_bar
from elocute.cli.evaluate_durations import durations
from elocute.cli.evaluate_l2arctic import l2arctic
from elocute.cli.evaluate_pauses import pauses
from elocute.cli.evaluate_phi4 import phi4
from elocute.cli.evaluate_pitch import pitch
from elocute.cli.evaluate_robustness import robustness
from elocute.cli.evaluate_run import identity_of, kept_when_stopped, prediction_facts
from elocute.cli.evaluate_stress import stress
from elocute.cli.options import DEFAULTS, BackendName, Verbose
from elocute.cli.output import show, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from elocute.corpora.layouts import Corpus
    from elocute.corpora.speechocean762 import ScoredUtterance
    from elocute.evaluation.predictions import StoredPredictions

OUT_OF_FOLD = "out-of-fold.jsonl.gz"
"""Asset: what models made like the shipped ones, but without the speaker, say of the split train."""

EXAMPLES = (
    "elocute evaluate speechocean762 DIR --split test",
    "elocute evaluate speechocean762 DIR --split train --folds 5",
    "elocute evaluate speechocean762 DIR --split test --limit 40",
    "elocute evaluate speechocean762 DIR --split train --folds 5 \\",
    "  --latency benchmarks/latency.json --card docs",
    "elocute evaluate l2arctic DIR --json mdd.json",
    "elocute evaluate robustness DIR --noise NOISES --limit 200 --plot totals.svg",
    "elocute evaluate localisation DIR --split test --limit 100",
    "elocute evaluate l1 DIR --heldout RUNS --l1 zh --against ar",
    "elocute evaluate durations DIR --held-out RUN/held-out",
    "elocute evaluate pauses DIR --split test --limit 200",
    "elocute evaluate phi4 RUN DIR --split train",
    "elocute evaluate pitch DIR DIR --limit 100",
    "elocute evaluate stress DIR --condition telephone",
)
"""Shown under the help of the command."""

app = typer.Typer(help="Measure scores and found errors against people's.", no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Measure scores and found errors against people's, on a data set that you have."""


class SplitChoice(StrEnum):
    """Part of the corpus."""

    TRAIN = "train"
    TEST = "test"


@app.command()
def speechocean762(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The corpus: official layout, or the parquet files of Hugging Face.")
    ],
    split: Annotated[SplitChoice, typer.Option(help="Which part; the shipped models trained on train.")] = (
        SplitChoice.TEST
    ),
    folds: Annotated[
        int | None, typer.Option(min=2, metavar="K", help="Also report each of K speaker-disjoint folds.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another scores.json than the corpus's own.")
    ] = None,
    details: Annotated[
        Path | None, typer.Option(metavar="FILE", help="scores-detail.json, if not in DIR/resource: the human ceiling.")
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
    card: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the benchmark card: DIR/benchmark.md, .html and drawings."),
    ] = None,
    latency: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For the card: what benchmarks/latency.py --json wrote.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the card in DIR instead; exit code 1 if it differs.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N utterances, for a quick try.")
    ] = None,
    shuffle_labels: Annotated[
        int | None,
        typer.Option(min=0, metavar="SEED", help="Deal people's scores anew: nothing may be found where nothing is."),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples of the speakers for an interval.")] = 500,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes that assess; default: one for each core.")
    ] = None,
    in_sample: Annotated[
        bool,
        typer.Option("--in-sample", help="With train: assess it with the shipped models, which trained on it."),
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Assess again, and replace stored predictions.")] = False,
    backend: BackendName = DEFAULTS.backend,
    verbose: Verbose = False,
) -> None:
    """Measure on speechocean762: agreement with its experts, detection of errors, and what people reach themselves.

    Every recording is assessed with the corpus's own canonical phones, once: the predictions are kept, and the next
    evaluation needs neither audio nor models. Killed and started again, it goes on where it was. Tables show trivial
    baselines beside the model, and 95 % intervals over speakers.

    The shipped models trained on the split train. What is measured there, unless --in-sample or --predictions say
    otherwise, is what models made like them but without the speaker say of each utterance; it comes with elocute.
    """
    from elocute.assets import asset_path
    from elocute.cli.evaluate_card import card as make_card
    from elocute.cli.evaluate_card import check_options
    from elocute.corpora.experts import read_experts
    from elocute.corpora.layouts import read_corpus
    from elocute.corpora.speechocean762 import speaker_folds
    from elocute.evaluation.evaluate import Protocol
    from elocute.evaluation.evaluate import evaluate as measure
    from elocute.evaluation.result import to_json

    check_options(card, latency, check=check)
    if details is not None and not details.is_file():
        raise ConfigError(f"{details} not found; expected the corpus's scores-detail.json")
    corpus = read_corpus(folder, split.value, scores)
    utterances = corpus.utterances[:limit]
    protocol = Protocol(folds=folds, draws=draws, shuffle_seed=shuffle_labels)
    if folds is not None:
        speaker_folds(utterances, folds, protocol.fold_seed)  # that many? better refused before anything is assessed
    is_train = split is SplitChoice.TRAIN
    if in_sample and (predictions is not None or not is_train):
        raise ConfigError("--in-sample assesses the split train; give it with --split train and without --predictions")
    if is_train and not in_sample and predictions is None:
        if fresh:
            raise ConfigError("nothing to assess again: predictions of train came with elocute; add --in-sample")
        predictions = asset_path(OUT_OF_FOLD)
    path = predictions or Path(_default_name(split, limit))
    stored = _stored(path, corpus, utterances, backend, workers, is_named=predictions is not None, fresh=fresh)
    _check_split(stored, corpus, path)
    detail_file = details or corpus.details
    with progress_bar("measuring", "parts") as progress:
        result = measure(
            utterances,
            stored,
            experts=None if detail_file is None else read_experts(detail_file, utterances),
            protocol=protocol,
            data={"corpus": "speechocean762", "split": split.value, "limit": limit, "other_scores": scores is not None},
            progress=progress,
        )
    if card is not None:
        make_card(
            card,
            result,
            predictions=path,
            utterances=utterances,
            details=detail_file,
            latency=latency,
            check=check,
        )
    if json_out is not None and str(json_out) == "-":
        write(to_json(result))
        return
    if json_out is not None:
        write(to_json(result), json_out)
    from elocute.cli.evaluate_table import render

    show(*render(result))


def _default_name(split: SplitChoice, limit: int | None) -> str:
    """Where predictions are kept unless the user says so, in the current folder."""
    first = "" if limit is None else f"-first{limit}"
    return f"speechocean762-{split.value}{first}.predictions.jsonl.gz"


def _stored(
    path: Path,
    corpus: Corpus,
    utterances: tuple[ScoredUtterance, ...],
    backend: str,
    workers: int | None,
    *,
    is_named: bool,
    fresh: bool,
) -> StoredPredictions:
    """Stored predictions, made first if need be.

    Those in a file that the user named are taken as they are, whoever made them; those under the default name must be
    of the installed models.
    """
    from elocute.evaluation.assessing import REPORT_SCALE
    from elocute.evaluation.predictions import read_predictions

    if path.exists() and not fresh:
        stored = read_predictions(path)
        if not is_named and stored.provenance.get("configuration") != identity_of(backend, REPORT_SCALE):
            raise ConfigError(
                f"{path} was made by other models or another version; make it again with --fresh, or name it with "
                "--predictions to evaluate it as it is"
            )
        sys.stderr.write(f"elocute: from the predictions stored in {path}\n")
        if stored.provenance.get("seen_in_training"):
            _warn_of_seen_speakers()
        return stored
    _assess(path, corpus, utterances, backend, workers, fresh=fresh)
    return read_predictions(path)


def _assess(
    path: Path,
    corpus: Corpus,
    utterances: tuple[ScoredUtterance, ...],
    backend: str,
    workers: int | None,
    *,
    fresh: bool,
) -> None:
    """Assess the recordings and store the predictions."""
    from elocute.evaluation.assessing import REPORT_SCALE, CorpusFactory, assess_corpus

    if corpus.split == "train":
        _warn_of_seen_speakers()
    sys.stderr.write(f"elocute: assessing {len(utterances)} recordings into {path}\n")
    identity = identity_of(backend, REPORT_SCALE)
    with kept_when_stopped(), progress_bar() as progress:
        assess_corpus(
            corpus,
            utterances,
            path,
            make_assessor=CorpusFactory(backend=backend),
            provenance=_provenance(corpus, len(utterances), identity),
            configuration=identity,
            workers=workers,
            progress=progress,
            fresh=fresh,
        )


def _provenance(corpus: Corpus, utterances: int, identity: str) -> dict[str, Any]:
    """Where predictions of the shipped models come from."""
    seen = corpus.split == "train"
    return prediction_facts(identity) | {
        "protocol": "the shipped models, which trained on these speakers"
        if seen
        else "the shipped models; no speaker of this split was in their training",
        "seen_in_training": seen,
        "corpus": "speechocean762",
        "split": corpus.split,
        "utterances": utterances,
    }


def _check_split(stored: StoredPredictions, corpus: Corpus, path: Path) -> None:
    """ConfigError if predictions are of utterances that the split does not have."""
    known = {utterance.id for utterance in corpus.utterances}
    strange = [prediction.id for prediction in stored.utterances if prediction.id not in known]
    if strange:
        raise ConfigError(
            f"{path} has {len(strange)} of {len(stored.utterances)} predictions, first {strange[0]}, for utterances "
            f"that the split {corpus.split} lacks; expected predictions of this split"
        )


def _warn_of_seen_speakers() -> None:
    """Say loudly that figures will flatter."""
    sys.stderr.write(
        "elocute: WARNING: the shipped models trained on the split train; what they score there says nothing about "
        "speakers that they do not know. Evaluate --split test, or train without --in-sample\n"
    )


app.command("durations")(durations)
app.command("l2arctic")(l2arctic)
app.command("robustness")(robustness)
app.command("pauses")(pauses)
app.command("phi4")(phi4)
app.command("pitch")(pitch)
app.command("stress")(stress)
