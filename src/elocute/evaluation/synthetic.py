"""Sentences that flite reads from text, at several rates, with the times of its phones.

Unlike `evaluation.flite`, where the phones of every word are given, flite chooses pronunciation, melody and pauses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elocute.audio import load_audio
from elocute.evaluation.flite import FLITE_SCHWA, PAUSE, Utterance, run_flite
from elocute.phones import PHONES

STRETCHES = (0.85, 1.0, 1.0, 1.2, 1.45)
"""How much longer than usual phones are: a fast reader, two at flite's own rate, a slow one and a learner."""
_JOINED_SHARE = 0.35
"""Of the recordings, two sentences with a comma between them, at which flite pauses."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spoken:
    """What a voice read, and how."""

    voice: str
    text: str
    stretch: float
    utterance: Utterance


def speak_texts(
    texts: Sequence[str],
    voices: Sequence[str],
    count: int,
    *,
    seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> list[Spoken]:
    """Let each voice read `count` texts, none of them another voice's while they last.

    Args:
        texts: one sentence each, without punctuation.
        voices: of `installed_voices`.
        count: recordings of each voice.
        seed: of the choice of texts and rates.
        progress: called after each recording.

    Raises:
        ConfigError: flite does not run.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(texts)).tolist()
    spoken = []
    for place in range(count * len(voices)):
        voice = voices[place // count]
        text = texts[order[place % len(texts)]]
        if rng.random() < _JOINED_SHARE:
            text = f"{text}, {texts[int(rng.integers(len(texts)))]}"
        stretch = STRETCHES[int(rng.integers(len(STRETCHES)))]
        utterance = speak_text(f"{text}.", voice, stretch)
        if utterance is not None:
            spoken.append(Spoken(voice=voice, text=text, stretch=stretch, utterance=utterance))
        progress()
    return spoken


def speak_text(text: str, voice: str, stretch: float = 1.0) -> Utterance | None:
    """Let flite read a text; None if it speaks no phone, or one that ARPABET does not have.

    Args:
        text: with punctuation; at a comma flite pauses.
        voice: one of `installed_voices`.
        stretch: how much longer than usual phones are.

    Raises:
        ConfigError: flite does not run.
    """
    with tempfile.TemporaryDirectory(prefix="elocute-") as folder:
        wav = Path(folder) / "sentence.wav"
        rate = f"duration_stretch={stretch}"
        printed = run_flite(["flite", "-voice", voice, "--setf", rate, "-psdur", "-t", text.lower(), "-o", str(wav)])
        begin_s, phones = 0.0, []
        for entry in printed.split():
            name, _, end = entry.partition(":")
            if name != PAUSE:
                phones.append((FLITE_SCHWA.get(name, name.upper()), begin_s, float(end)))
            begin_s = float(end)
        if not phones or any(phone not in PHONES for phone, _, _ in phones):
            return None
        return Utterance(
            audio=load_audio(wav),
            phones=tuple(phone for phone, _, _ in phones),
            start_s=np.array([start for _, start, _ in phones]),
            end_s=np.array([end for _, _, end in phones]),
        )
