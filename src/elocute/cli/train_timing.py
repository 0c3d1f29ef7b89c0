"""`elocute train timing`: the network that finds phone boundaries, and one for each voice that must not hear it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

_EACH_NATIVE = 90
_EACH_LEARNER = 5


def timing(
    speechocean: Annotated[Path, typer.Option(help="speechocean762 in its official layout.", exists=True)],
    native: Annotated[list[Path], typer.Option(help="Folder of transcribed native speech; repeat for more.")],
    noise: Annotated[Path, typer.Option(help="Folder of noise recordings.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder for timing.npz, its card, and held-out/.", file_okay=False)],
    voice_recordings: Annotated[int, typer.Option(help="Synthetic recordings of each voice.", min=1)] = 150,
    noises: Annotated[int, typer.Option(help="Clips of noise, evenly over the folder.", min=1)] = 20,
    steps: Annotated[int, typer.Option(help="Of every network.", min=1)] = 3000,
    seed: Annotated[int, typer.Option(help="Of everything drawn.", min=0)] = 1,
) -> None:
    """Train the network that hears where phones begin and end, on flite's voices and on real recordings.

    Five recordings of each learner and ninety of each native folder are heard. For every voice of flite, held-out/ gets
    a network that was made without it, for `elocute evaluate durations`.
    """
    import numpy as np
    import torch
    from rich.console import Console
    from rich.progress import Progress

    from elocute.acoustic import load_backend
    from elocute.audio import load_audio
    from elocute.corpora.speechocean762 import read_speechocean762
    from elocute.evaluation.flite import VOICES, installed_voices
    from elocute.evaluation.synthetic import speak_texts
    from elocute.prosody.sound import write_model
    from elocute.training.recordings import native_recordings, speechocean_recordings
    from elocute.training.timing import TimingTraining, align_recordings, card, train

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    voices = installed_voices()
    if voices != VOICES:
        raise typer.BadParameter(f"flite has {', '.join(voices) or 'no voice'} here; needed are {', '.join(VOICES)}")
    held_out = out / "held-out"
    held_out.mkdir(parents=True, exist_ok=True)
    chosen, heard = [], dict[str, int]()
    for recording in speechocean_recordings(speechocean):
        heard[recording.speaker] = heard.get(recording.speaker, 0) + 1
        chosen += [recording] if heard[recording.speaker] <= _EACH_LEARNER else []
    for folder in native:
        chosen += native_recordings(folder)[:_EACH_NATIVE]
    files = [path for path in sorted(noise.iterdir()) if path.suffix not in (".md", ".txt", ".csv", ".json")]
    clips = [load_audio(files[n]) for n in np.unique(np.linspace(0, len(files) - 1, noises).astype(int))]
    texts = sorted({" ".join(word.text for word in one.words) for one in read_speechocean762(speechocean)})
    config = TimingTraining(steps=steps, seed=seed)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("aligning", total=len(chosen))
        real = align_recordings(chosen, load_backend("embedded"), lambda: bar.advance(task))
        task = bar.add_task("speaking", total=voice_recordings * len(voices))
        spoken = speak_texts(texts, voices, voice_recordings, seed=seed, progress=lambda: bar.advance(task))
        task = bar.add_task("training", total=1 + len(voices))
        torch.set_num_threads(1)  # matrices so small are slower on more
        for voice in (None, *voices):
            model = train(spoken, real, clips, config, without=voice)
            write_model(out / "timing.npz" if voice is None else held_out / f"{voice}.npz", model)
            bar.advance(task)
    # Names of folders, not their places on this machine.
    folders = " ".join(f"--native {folder.name}" for folder in native)
    command = (
        f"elocute train timing --speechocean DIR {folders} --noise {noise.name} --voice-recordings {voice_recordings} "
        f"--noises {noises} --steps {steps} --seed {seed} --out RUN"
    )
    facts = card(out / "timing.npz", spoken, real, config, command)
    (out / "timing.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    typer.echo(json.dumps(facts, indent=1))
