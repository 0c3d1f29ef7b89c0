"""`elocute evaluate stress`: is the stressed syllable found, in voices and words that the model has not heard?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.batch import progress_bar
from elocute.cli.evaluate_run import identity_of, run_facts
from elocute.cli.figures import new_table, number, with_interval, with_note
from elocute.cli.options import DEFAULTS, BackendName, Verbose
from elocute.cli.output import show, write
from elocute.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from elocute.evaluation.stress import StressResult
    from elocute.evaluation.stress_data import Listener, StressRow
    from elocute.evaluation.stress_speech import Voice

_SCALE = 100


class Condition(StrEnum):
    """What is done to the recordings before they are heard."""

    CLEAN = "clean"
    NOISE = "noise"
    TELEPHONE = "telephone"


def stress(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR]...", help="Native speech with transcripts.tsv, or speechocean762 (split train)."),
    ] = None,
    voices: Annotated[
        bool, typer.Option("--voices/--no-voices", help="Let flite, festival and espeak-ng speak, where installed.")
    ] = True,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Recordings of each folder, drawn at random; default: all.")
    ] = None,
    sentences: Annotated[
        int, typer.Option(min=1, metavar="N", help="Sentences with moved stress, and pairs, for each group of voices.")
    ] = 150,
    condition: Annotated[
        Condition, typer.Option(help="Heard as recorded, in pink noise (10 dB), or by telephone (8 kHz, mu-law).")
    ] = Condition.CLEAN,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Of everything that is drawn.")] = 0,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples for an interval.")] = 500,
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write everything as JSON; - is stdout, without tables."),
    ] = None,
    backend: BackendName = DEFAULTS.backend,
    verbose: Verbose = False,
) -> None:
    """Measure how often the syllable that bears the stress is found.

    Three sources: pairs of noun and verb, and words with their stress moved, spoken by synthesisers to order; words of
    native speech, which should be stressed as in the lexicon; words of learners whose stress people called right. Every
    voice and corpus that the shipped model was trained on is judged by a twin that was trained without it.
    """
    from elocute.acoustic import load_backend
    from elocute.evaluation.result import dumps
    from elocute.evaluation.stress import CONDITIONS, FORMAT, StressResult, held_out_model, judged, measure_parts
    from elocute.evaluation.stress_data import Listener
    from elocute.evaluation.stress_speech import installed

    speakers = installed() if voices else ()
    if not speakers and not folders:
        raise ConfigError("there is nothing to hear; expected a synthesiser (flite, festival, espeak-ng) or a folder")
    import numpy as np

    listener = Listener(
        backend=load_backend(backend, threads=1),
        distort=CONDITIONS[condition.value],
        rng=np.random.default_rng([seed, 1]),
    )
    rows: list[StressRow] = []
    silent: dict[str, int] = {}
    for name, count, found in _sources(speakers, folders or (), listener, limit=limit, sentences=sentences, seed=seed):
        with progress_bar(f"hearing {name}", "recordings") as progress:
            for done, words in enumerate(found, start=1):
                rows += words
                silent[name] = silent.get(name, 0) + (not words)
                progress(done, count)
    if not rows:
        raise ConfigError("no word of two or three syllables was heard; name recordings with longer words")
    result = StressResult(
        parts=measure_parts(rows, judged(rows, held_out_model), draws=draws),
        silent=silent,
        settings={"condition": condition.value, "seed": seed, "limit": limit, "sentences": sentences, "draws": draws},
        provenance=run_facts(identity_of(backend, _SCALE)),
    )
    if json_out is not None:
        write(dumps(result, FORMAT), None if str(json_out) == "-" else json_out)
    if str(json_out) != "-":
        show(*_render(result))


def _sources(
    voices: Sequence[Voice],
    folders: Sequence[Path],
    listener: Listener,
    *,
    limit: int | None,
    sentences: int,
    seed: int,
) -> Iterator[tuple[str, int, Iterator[list[StressRow]]]]:
    """Name, number of recordings and words of each source."""
    import numpy as np

    from elocute.evaluation.stress import moved_sentences, pair_sentences, pair_voices, voices_by_group
    from elocute.evaluation.stress_data import learner_rows, recorded_rows, synthetic_rows

    rng = np.random.default_rng(seed)
    for group, members in voices_by_group(voices).items():
        every = pair_sentences()
        chosen = sorted(rng.permutation(len(every) // 2)[: -(-sentences // 2)].tolist())
        pairs = [every[2 * n + form] for n in chosen for form in (0, 1)]
        yield f"pairs by {group}", len(pairs), synthetic_rows(pairs, pair_voices(members), listener, kind="pair")
        moved = moved_sentences(sentences, rng, held_out=True)
        yield f"moved stress by {group}", len(moved), synthetic_rows(moved, members, listener)
    for folder in folders:
        if (folder / "transcripts.tsv").is_file():
            from elocute.corpora.spoken import read_spoken

            corpus = read_spoken(folder)
            some = [corpus.utterances[n] for n in rng.permutation(len(corpus.utterances))[:limit]]
            yield corpus.name, len(some), recorded_rows(some, corpus.name, listener)
        else:
            from elocute.corpora.speechocean762 import read_speechocean762

            scored = read_speechocean762(folder)
            drawn = [scored[n] for n in rng.permutation(len(scored))[:limit]]
            yield folder.resolve().name, len(drawn), learner_rows(drawn, listener)


def _render(result: StressResult) -> Iterator[RenderableType]:
    """The parts as a table."""
    table = new_table(
        f"Stressed syllable found ({result.settings['condition']})",
        "part", "words", "right (95 %)", "balanced", "first", "apart", "false", "noticed",
    )  # fmt: skip
    for part in result.parts:
        table.add_row(
            part.part,
            str(part.words),
            with_interval(part.right),
            number(part.balanced),
            number(part.first),
            number(part.apart),
            number(part.false),
            number(part.noticed),
        )
    yield with_note(
        table,
        "balanced: mean over the places of the stress; first: always naming the first syllable; apart: the forms of "
        "a pair told from each other; false: the report would name another syllable although the lexicon agrees with "
        "the speaker; noticed: it would where the lexicon asks for another. Voices and corpora are judged by models "
        "that have not heard them.",
    )
    for name, count in result.silent.items():
        if count:
            yield f"Without a word that counts: {count} recordings, {name}"
