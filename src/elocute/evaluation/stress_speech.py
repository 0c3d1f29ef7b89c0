"""Sentences whose words are stressed to order: flite, festival and espeak-ng, whichever of them is installed.

The synthesisers are programs of their own, run as such; nothing of them is imported. Each is given phones and stress,
not spelling. flite tells which phones it spoke and is held to them; the other two are trusted.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elocute.audio import load_audio
from elocute.errors import ConfigError
from elocute.evaluation import flite
from elocute.phones import VOWELS, split_stress
from elocute.phones.syllables import syllable_indices
from elocute.types import Audio, Phone

ESPEAK_VOICES = ("en-us", "en-us+f2", "en-us+m3", "en-us+f4", "en-gb+m1", "en-us+klatt2", "en-us+Andy", "en-gb-x-rp+f3")
_FESTIVAL_VOICE = "kal_diphone"
_TIMEOUT_S = 60.0
_SPEED_WPM = 150
# Names of ARPABET phones in espeak-ng's American English; the two that stress divides have their own rows below.
_ESPEAK = dict(
    pair.split(":", 1)
    for pair in (
        "AA:A: AE:a AO:O: AW:aU AY:aI EH:E EY:eI IH:I IY:i: OW:oU OY:OI UH:U UW:u: B:b CH:tS D:d DH:D F:f G:g HH:h "
        "JH:dZ K:k L:l M:m N:n NG:N P:p R:r S:s SH:S T:t TH:T V:v W:w Y:j Z:z ZH:Z"
    ).split()
)
_ESPEAK_STRESSED = {"AH": ("@", "V"), "ER": ("3", "3:")}
_ESPEAK_MARKS = {0: "", 1: "'", 2: ","}


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A voice of a synthesiser.

    Attributes:
        engine: "flite", "festival" or "espeak".
        name: as the engine calls it.
    """

    engine: str
    name: str

    @property
    def group(self) -> str:
        """Whose sound it is: kal speaks in two engines; all of espeak-ng's are one synthesiser."""
        if self.engine == "espeak":
            return "espeak"
        return "kal" if self.name.startswith("kal") else self.name

    def __str__(self) -> str:
        """Engine and name."""
        return f"{self.engine} {self.name}"


def installed() -> tuple[Voice, ...]:
    """All voices that can speak here; none where no synthesiser is installed."""
    voices = [Voice(engine="flite", name=name) for name in flite.installed_voices()]
    if shutil.which("festival") is not None:
        voices.append(Voice(engine="festival", name=_FESTIVAL_VOICE))
    if shutil.which("espeak-ng") is not None:
        voices += [Voice(engine="espeak", name=name) for name in ESPEAK_VOICES]
    return tuple(voices)


def speak_stressed(words: Sequence[Sequence[str]], voice: Voice) -> Audio | None:
    """Let a voice speak words that are given by ARPABET phones with stress digits on the vowels.

    Returns: the recording; None where the voice is known not to have said just that.

    Raises:
        ConfigError: the synthesiser does not run.
    """
    if voice.engine == "flite":
        # flite has no secondary stress and would make it a primary one.
        said = flite.speak_phones([[phone.replace("2", "0") for phone in word] for word in words], voice.name)
        return None if said is None else said.audio
    with tempfile.TemporaryDirectory(prefix="elocute-") as folder:
        wav = Path(folder) / "sentence.wav"
        if voice.engine == "espeak":
            spelt = " ".join(f"[[{_in_espeak(word)}]]" for word in words)
            _run(["espeak-ng", "-v", voice.name, "-s", str(_SPEED_WPM), "-w", str(wav), f"{spelt}."])
        else:
            script = Path(folder) / "sentence.scm"
            script.write_text(_in_festival(words, wav), encoding="utf-8")
            _run(["festival", "-b", str(script)])
        return load_audio(wav)


def as_phones(words: Sequence[Sequence[str]]) -> tuple[tuple[Phone, ...], ...]:
    """ARPABET phones with stress digits as the assessor has them, with their syllables."""
    return tuple(
        tuple(
            Phone(symbol=bare, stress=stress, word_index=number, syllable_index=syllable)
            for (bare, stress), syllable in zip(map(split_stress, word), syllable_indices(word), strict=True)
        )
        for number, word in enumerate(words)
    )


def _in_espeak(word: Sequence[str]) -> str:
    """A word in espeak-ng's phoneme names, separated where two could be read as one."""
    names = []
    for phone in word:
        bare, stress = split_stress(phone)
        if bare in _ESPEAK_STRESSED:
            names.append(_ESPEAK_MARKS[stress or 0] + _ESPEAK_STRESSED[bare][bool(stress)])
        else:
            names.append(_ESPEAK_MARKS[stress or 0] + _ESPEAK[bare])
    return "|".join(names)


def _in_festival(words: Sequence[Sequence[str]], wav: Path) -> str:
    """A script for festival: every word is an entry of its lexicon, made for it."""
    entries = [
        f'(lex.add.entry \'("zq{chr(97 + n // 26)}{chr(97 + n % 26)}" n ({_syllables_of(word)})))'
        for n, word in enumerate(words)
    ]
    text = " ".join(f"zq{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(len(words)))
    return "\n".join(
        [
            f"(voice_{_FESTIVAL_VOICE})",
            *entries,
            f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{wav}" \'riff)',
        ]
    )


def _syllables_of(word: Sequence[str]) -> str:
    """Syllables of a word as festival's lexicon has them: phones in brackets, then 1 for stress."""
    indices = syllable_indices(word)
    parts = []
    for index in range(indices[-1] + 1):
        phones = [phone for phone, at in zip(word, indices, strict=True) if at == index]
        names = ["ax" if phone == "AH0" else split_stress(phone)[0].lower() for phone in phones]
        stress = int(any(split_stress(phone) == (split_stress(phone)[0], 1) for phone in phones))
        parts.append(f"(({' '.join(names)}) {stress})")
    return " ".join(parts)


def is_vowel(phone: str) -> bool:
    """Whether an ARPABET phone, with or without digit, is a vowel."""
    return split_stress(phone)[0] in VOWELS


def _run(command: Sequence[str]) -> None:
    """Run a synthesiser."""
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"{command[0]} does not run ({error}); install it anew, or leave its voices out") from error
