"""`elocute evaluate phi4`: a tuned speech language model against people, beside the paper's figures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elocute.cli.batch import progress_bar
from elocute.cli.evaluate_run import kept_when_stopped
from elocute.cli.options import Verbose
from elocute.cli.output import show, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from elocute.mllm.evaluation_result import Phi4Evaluation
    from elocute.mllm.examples import Example


def phi4(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Run of `elocute train phi4`, the model in it, or Phi-4-multimodal as released."
        ),
    ],
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="speechocean762 in its official layout.")],
    split: Annotated[
        str,
        typer.Option(metavar="NAME", help="test; or train: the fold of speakers that the run did not train on."),
    ] = "test",
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where answers are kept (.jsonl); the same command goes on with it. Default: in this folder, named "
            "after model and split.",
        ),
    ] = None,
    base: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The model that was tuned, if it is not where it was.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only N utterances, drawn evenly, for a quick try.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Questions that are answered at a time.")] = 16,
    longest: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Tokens after which an answer is cut off.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples of the speakers for an interval.")] = 500,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="cpu or cuda; default: the GPU where there is one.")
    ] = None,
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write everything as JSON; - is stdout, without tables."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Measure a speech language model: scores, transcripts, found errors, and whether its answers can be read.

    Every utterance is asked for scores and for a transcript, in the words in which the model was trained. Printed are
    the columns of Table 3 of arXiv 2509.02915 (beside its own figures), standard detection of mispronounced phones, an
    echo of the canonical phones, and how many answers were read as they are, with patience, or not at all: none is
    dropped. Killed and started again, it goes on where it was. Needs the extra 'phi4', and for the full size a GPU.
    """
    from elocute.cli.evaluate_phi4_table import render
    from elocute.mllm.assessor import identity, load_folder
    from elocute.mllm.evaluation import evaluate_answers, speed_of
    from elocute.mllm.stored import answers_in

    if split not in ("train", "test"):
        raise ConfigError(f"split is {split!r}; expected test, or train for the fold that was held out")
    examples = _limited(_examples(folder, corpus, split), limit)
    who = identity(str(folder))
    place = answers or Path(f"phi4-{who.split()[0]}-{split}{'' if limit is None else f'-{limit}'}.answers.jsonl")
    sys.stderr.write(f"elocute: {len(examples)} questions; answers are kept in {place}\n")
    loaded = load_folder(folder, device=device, base=base)
    with kept_when_stopped(), progress_bar("answering", "questions") as progress:
        made = answers_in(
            place,
            loaded.model,
            loaded.processor,
            examples,
            facts={"model": who, "split": split},
            batch_size=batch,
            max_new_tokens=longest,
            progress=progress,
        )
    result = evaluate_answers(examples, made, draws=draws, speed=speed_of(made), provenance=_facts(folder, who, split))
    _write(result, json_out)
    if json_out is None or str(json_out) != "-":
        show(*render(result))


def _write(result: Phi4Evaluation, json_out: Path | None) -> None:
    """The figures as JSON, if they are wanted."""
    from elocute.mllm.evaluation_result import to_json

    if json_out is not None:
        write(to_json(result), None if str(json_out) == "-" else json_out)


def _examples(folder: Path, corpus: Path, split: str) -> list[Example]:
    """Questions about the split: all of test, or of train the speakers that were held out.

    Raises:
        ConfigError: of train nothing was held out, as far as the run tells.
    """
    from elocute.assets import read_object
    from elocute.mllm.assessor import read_asked, run_file
    from elocute.mllm.examples import hold_out_fold, speechocean_examples

    asked = read_asked(folder)
    found = speechocean_examples(
        corpus,
        tasks=asked.tasks,
        split="train" if split == "train" else "test",
        style=asked.style,
        control_token=asked.control_token,
        word_delimiter=asked.word_delimiter,
    )
    if split == "test":
        return found
    record = run_file(folder)
    data = {} if record is None else read_object(record).get("recipe", {}).get("data", {})
    if data.get("held_fold", -1) < 0:
        raise ConfigError(
            f"split is train, and {folder} does not tell of speakers that it did not train on; evaluate --split test, "
            "or train with data.held_fold"
        )
    return hold_out_fold(found, data["held_fold"], folds=data["folds"])[1]


def _limited(examples: list[Example], limit: int | None) -> list[Example]:
    """So many utterances, evenly from all, with all their questions."""
    ids = list(dict.fromkeys(example.id for example in examples))
    if limit is None or limit >= len(ids):
        return examples
    wanted = {ids[number * len(ids) // limit] for number in range(limit)}
    return [example for example in examples if example.id in wanted]


def _facts(folder: Path, who: str, split: str) -> dict[str, Any]:
    """Who made the answers."""
    import shlex
    from datetime import date
    from importlib.metadata import version

    from elocute.evaluation.provenance import commit_of_checkout, machine

    return {
        "model": f"{folder.name} {who}",
        "split": split,
        "elocute": version("elocute"),
        "commit": commit_of_checkout(),
        "command": shlex.join(["elocute", *sys.argv[1:]]),
        "machine": machine(),
        "date": date.today().isoformat(),
    }
