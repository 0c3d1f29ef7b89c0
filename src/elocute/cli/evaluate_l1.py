"""`elocute evaluate l1`: what knowing the speaker's first language is worth, and what a wrong one costs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elocute.cli.batch import progress_bar
from elocute.cli.evaluate_run import identity_of, run_facts
from elocute.cli.options import DEFAULTS, Verbose
from elocute.cli.output import show, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from elocute.corpora.speechocean762 import ScoredUtterance
    from elocute.evaluation.first_language import FirstLanguages, Heard, Places
    from elocute.types import Posteriors

_SCALE = 100
_SEED = 0
_NOTES = {
    "nats": "per phone, more is better; the counts behind 'none' saw these very phones, which flatters it.",
    "named": "a profile of another language also halves what was counted with Mandarin speakers, which helps here: "
    "compare the right language with wrong ones, not with none.",
}


def l1(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="speechocean762, official layout; the split train.")],
    heldout: Annotated[
        Path,
        typer.Option(
            metavar="RUNS",
            help="Acoustic folds of `elocute train acoustic --fold`: what models heard in speakers that they do not "
            "know.",
        ),
    ],
    languages: Annotated[
        list[str] | None,
        typer.Option("--l1", metavar="LANGUAGE", help="Whose profile; give it several times, or 'all'. Default: zh."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="LANGUAGE", help="Profiles that are wrong for these speakers, likewise. Default: ar."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="Utterances in which errors are planted, drawn for each language.")
    ] = 400,
    voices: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Sentences that flite speaks with an error of each language, if installed."
        ),
    ] = 60,
    draws: Annotated[int, typer.Option(min=1, metavar="N", help="Resamples of the speakers for an interval.")] = 500,
    json_out: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write everything as JSON; - is stdout, no tables.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Measure what the profile of a first language changes, and what it foresees.

    The speakers of speechocean762 grew up with Mandarin. Detection with and without a profile; how well errors are
    expected at phones that people called wrong or accented; how often errors are named that were planted by changing
    the text, of the usual kinds and of the kinds of each language; and whether predicted difficulty ranks words and
    phones as people's scores do.
    """
    from elocute.assessor import embedded_detector
    from elocute.assets import asset_path
    from elocute.cli.evaluate import OUT_OF_FOLD
    from elocute.corpora.speechocean762 import read_speechocean762
    from elocute.evaluation.first_language import (
        FirstLanguages,
        checked_codes,
        detection_rows,
        listen,
        naming_row,
        real_places,
    )
    from elocute.evaluation.foreseen import prediction_rows
    from elocute.evaluation.predictions import read_predictions
    from elocute.evaluation.result import dumps

    own = checked_codes(languages or ["zh"])
    codes = tuple(dict.fromkeys((*own, *checked_codes(against or ["ar"]))))
    utterances = read_speechocean762(folder)
    from elocute.training.scorer_data import read_heldout  # heavy: torch

    posteriors = read_heldout(heldout)
    stored = read_predictions(asset_path(OUT_OF_FOLD))
    with progress_bar("listening", "utterances") as progress:
        heard = listen(utterances, posteriors, progress)
    places = [*real_places(heard), *_planted(utterances, posteriors, own, limit), *_spoken(utterances, own, voices)]
    result = FirstLanguages(
        data={"corpus": folder.name, "split": "train", **_facts(heard)},
        provenance=run_facts(identity_of(DEFAULTS.backend, _SCALE)),
        settings={
            "l1": list(own),
            "against": list(codes[len(own) :]),
            "limit": limit,
            "voices": voices,
            "draws": draws,
            "seed": _SEED,
        },
        detection=tuple(
            detection_rows(heard, {one.id: one for one in stored.utterances}, embedded_detector(), codes, draws)
        ),
        naming=tuple(naming_row(one, codes, draws) for one in places if len(one.at)),
        prediction=tuple(prediction_rows(utterances, codes, draws)),
    )
    if json_out is not None:
        write(dumps(result, "elocute first languages 1"), None if str(json_out) == "-" else json_out)
    if str(json_out) != "-":
        show(*_render(result))


def _planted(
    utterances: Sequence[ScoredUtterance], heard: dict[str, Posteriors], codes: Sequence[str], limit: int
) -> Iterator[Places]:
    """Planted errors of the usual kinds, and of each language's kinds."""
    import numpy as np

    from elocute.evaluation.first_language import plant
    from elocute.phones.l1 import l1_profile

    for number, code in enumerate((None, *codes)):
        order = np.random.default_rng([_SEED, number]).permutation(len(utterances))[:limit]
        chosen = [utterances[index] for index in sorted(order.tolist())]
        part = "planted, usual errors" if code is None else f"planted, errors of {code}"
        profile = None if code is None else l1_profile(code)
        with progress_bar(part, "utterances") as progress:
            yield plant(part, chosen, heard, profile, seed=_SEED, progress=progress)


def _spoken(utterances: Sequence[ScoredUtterance], codes: Sequence[str], count: int) -> Iterator[Places]:
    """Errors of each language, spoken."""
    import numpy as np

    from elocute.acoustic import load_backend
    from elocute.evaluation.flite import installed_voices
    from elocute.evaluation.spoken_errors import speak_errors
    from elocute.phones.l1 import l1_profile

    names = installed_voices()
    if not names or not count:
        sys.stderr.write("elocute: flite speaks no errors here, so none are measured\n" if count else "")
        return
    backend = load_backend(DEFAULTS.backend, threads=1)
    texts = sorted({one.text for one in utterances})
    for number, code in enumerate(codes):
        chosen = [texts[index] for index in np.random.default_rng([_SEED, number]).permutation(len(texts))[:count]]
        with progress_bar(f"speaking errors of {code}", "sentences") as progress:
            yield speak_errors(chosen, l1_profile(code), names, backend, seed=_SEED, progress=progress)


def _facts(heard: Sequence[Heard]) -> dict[str, int]:
    """What was listened to."""
    return {
        "utterances": len(heard),
        "speakers": len({one.utterance.speaker for one in heard}),
        "phones": sum(len(one.canonical) for one in heard),
    }


def _render(result: FirstLanguages) -> Iterator[RenderableType]:
    """Everything as tables."""
    from elocute.cli.figures import new_table, with_interval, with_note

    data = result.data
    yield f"{data['corpus']} {data['split']}: {data['utterances']} utterances of {data['speakers']} speakers"
    yield ""
    table = new_table("Wrong phones found", "profile", "F1 (95 %)", "most that a probability moved")
    for row in result.detection:
        table.add_row(row.l1 or "none", with_interval(row.f1), f"{row.most_moved:.0e}")
    yield with_note(
        table,
        "at the shipped threshold, by models that did not know the speaker; a profile names what was said instead, "
        "and nothing may move.",
    )
    for naming in result.naming:
        yield ""
        unit = "errors named right" if naming.measure == "named" else "evidence that was expected, nats"
        table = new_table(f"{naming.part}: {naming.n} phones", "profile", f"{unit} (95 %)")
        table.add_row("none" if naming.measure == "named" else "none, over any", with_interval(naming.without))
        for code, change in naming.change.items():
            table.add_row(f"{code}, change", with_interval(change))
        yield with_note(table, _NOTES[naming.measure])
    yield ""
    table = new_table("Foreseen before a word is spoken", "predictor", "of", "n", "Spearman (95 %)", left=2)
    for foreseen in result.prediction:
        table.add_row(foreseen.predictor, foreseen.level, str(foreseen.n), with_interval(foreseen.scc))
    yield with_note(
        table,
        "with how badly people scored the word or phone; more is better, 0 is nothing foreseen. Means of a resample "
        "are noisier than those of all, so that intervals of word types lie low.",
    )
