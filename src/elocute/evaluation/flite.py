"""Sentences spoken by flite with exact phones: the speech synthesiser of Carnegie Mellon University, if installed.

Every word is given by its phones (SSML phoneme tags), and flite tells which phones it spoke; unless they are exactly
those that were asked for, there is no recording, because flite passes over what it does not know without a word.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elocute.audio import load_audio
from elocute.errors import ConfigError
from elocute.phones import parse_arpabet, split_stress
from elocute.types import Audio, Float64

VOICES = ("slt", "rms", "awb", "kal16")
"""Voices of 16 kHz that flite 2.2 comes with: two American, one Scottish, and a diphone voice."""
_TIMEOUT_S = 60.0
PAUSE = "pau"
# flite has a phone for schwa, which ARPABET without stress digits writes AH.
FLITE_SCHWA = {"ax": "AH"}
_SCHWA = "AH0"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Utterance:
    """What flite said.

    Attributes:
        audio: the recording.
        phones: phones that it spoke, ARPABET without stress digits, without pauses.
        start_s: begin of each phone, shape (L,).
        end_s: end of each phone, shape (L,).
    """

    audio: Audio
    phones: tuple[str, ...]
    start_s: Float64
    end_s: Float64


def installed_voices() -> tuple[str, ...]:
    """Those of `VOICES` that flite has here; none where there is no flite.

    Raises:
        ConfigError: flite is there and does not run.
    """
    if shutil.which("flite") is None:
        return ()
    listed = run_flite(["flite", "-lv"]).partition(":")[2].split()
    return tuple(voice for voice in VOICES if voice in listed)


def speak_phones(words: Sequence[Sequence[str]], voice: str) -> Utterance | None:
    """Let flite speak words that are given by their phones.

    Args:
        words: ARPABET phones of each word, stress digits optional.
        voice: one of `installed_voices`.

    Returns: the recording; None if flite did not speak exactly these phones.

    Raises:
        ConfigError: flite does not run.
        PhoneError: a phone is no ARPABET.
    """
    # flite reports phones that it does not know as if it had spoken them.
    wanted = tuple(split_stress(phone)[0] for word in words for phone in parse_arpabet(word))
    with tempfile.TemporaryDirectory(prefix="elocute-") as folder:
        sentence, wav = Path(folder) / "sentence.ssml", Path(folder) / "sentence.wav"
        sentence.write_text(ssml(words), encoding="utf-8")
        printed = run_flite(["flite", "-voice", voice, "-ssml", "-psdur", "-f", str(sentence), "-o", str(wav)])
        begin_s, spoken = 0.0, []
        for entry in printed.split():
            name, _, end = entry.partition(":")
            end_s = float(end)
            if name != PAUSE:
                spoken.append((FLITE_SCHWA.get(name, name.upper()), begin_s, end_s))
            begin_s = end_s
        if tuple(phone for phone, _, _ in spoken) != wanted:
            return None
        return Utterance(
            audio=load_audio(wav),
            phones=wanted,
            start_s=np.array([start for _, start, _ in spoken]),
            end_s=np.array([end for _, _, end in spoken]),
        )


def ssml(words: Sequence[Sequence[str]]) -> str:
    """The words as flite reads them; what stands between the tags is not spoken."""
    tags = (f'<phoneme ph="{" ".join(map(_named, word))}">word</phoneme>' for word in words)
    return f"<speak>{' '.join(tags)}.</speak>"


def _named(phone: str) -> str:
    """Name of an ARPABET phone in flite, which knows no secondary stress."""
    return "ax" if phone == _SCHWA else phone.lower().replace("2", "1")


def run_flite(command: Sequence[str]) -> str:
    """What a flite command prints."""
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(
            f"{' '.join(command[:3])} does not run ({error}); install flite 2.2, or leave it out"
        ) from error
    return done.stdout
