"""Whether one wrong phone of a clear voice is heard: short phrases by synthesisers, said right and with one error.

    python benchmarks/clear_voices.py [--l1 zh] [--all-voices] [--json FILE]

A phone is changed for a usual error of learners in sixteen words and phrases. Each is said by the three voices that no
training of ours hears (`training/synthetic.py`, UNHEARD), or with --all-voices by others as well. Counted are errors
that the edit lattice names first, left to itself; that the report flags, and names rightly, at normal and at high
sensitivity; and phones flagged at the same places of what was said right. Needs flite and espeak-ng.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from elocute.acoustic import load_backend
from elocute.assessor import Assessor
from elocute.config import AssessorConfig
from elocute.evaluation.stress_speech import Voice, installed, speak_stressed
from elocute.gop import said_posterior
from elocute.gop.confusions import learned_prior
from elocute.phones import PHONES, phonemize, split_stress, with_stress
from elocute.training.synthetic import NARROW_BAND, UNHEARD
from elocute.types import Audio, Float64

ERRORS = (
    ("think", "TH", "S"), ("I think so", "TH", "S"), ("thank you very much", "TH", "S"), ("a thick book", "TH", "S"),
    ("three things", "TH", "S"), ("both of them", "TH", "S"), ("this is good", "DH", "Z"),
    ("my mother is here", "DH", "D"), ("a very nice day", "V", "W"), ("red car", "R", "L"),
    ("a ship at sea", "IH", "IY"), ("a bad man", "AE", "EH"), ("my zoo", "Z", "S"), ("the light is on", "L", "R"),
    ("a fan", "F", "P"), ("good night", "N", "L"),
)  # fmt: skip
"""Text, the phone that should be said, at its first place, and what is said instead."""
SENSITIVITIES: tuple[Literal["normal", "high"], ...] = ("normal", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One error of one voice.

    Attributes:
        is_first: whether the edit lattice gives what was said the highest posterior there.
        log_odds: of what was said against what should have been said, said wrong and said right, nats.
        flagged: whether the report calls the phone wrong, by sensitivity.
        named: whether it says rightly what was said.
        false: whether the phone is called wrong although it was said right.
    """

    voice: str
    text: str
    canonical: str
    said: str
    is_first: bool
    log_odds: tuple[float, float]
    flagged: dict[str, bool]
    named: dict[str, bool]
    false: dict[str, bool]


class Listener:
    """The acoustic model, and the assessor at each sensitivity."""

    def __init__(self, l1: str | None) -> None:
        self.backend = load_backend("embedded", threads=1)
        self.assessors = {
            name: Assessor(AssessorConfig(l1=l1, sensitivity=name, threads=1), backend=self.backend)
            for name in SENSITIVITIES
        }

    def posterior(self, audio: Audio, words: list[list[str]], place: int) -> Float64:
        """Of each phone, and of nothing, at one place of the text, by the edit lattice; shape (40,)."""
        heard = self.backend.posteriors(audio)
        canonical = np.array([PHONES.index(split_stress(phone)[0]) for word in words for phone in word])
        said = said_posterior(heard.log_probs, canonical, heard.phone_set, learned_prior())
        return np.asarray(said.posterior[place])

    def called(self, audio: Audio, text: str, word: int, phone: int) -> dict[str, str | None]:
        """What the report says was spoken at a place that it calls wrong, by sensitivity; None where it does not."""
        found: dict[str, str | None] = {}
        for name, assessor in self.assessors.items():
            listed = assessor.assess(audio, text).mispronunciations
            here = [one for one in listed if (one.word_index, one.phone_index) == (word, phone)]
            found[name] = (here[0].actual or "nothing") if here else None
        return found


def case_of(voice: Voice, text: str, canonical: str, said: str, listener: Listener) -> Case | None:
    """One error of one voice; None where the voice cannot say it."""
    right = [[with_stress(phone) for phone in word.phones] for word in phonemize(text)]
    w, p = next((w, p) for w, word in enumerate(right) for p, phone in enumerate(word) if bare(phone) == canonical)
    wrong = [list(word) for word in right]
    wrong[w][p] = said + right[w][p][len(canonical) :]
    spoken = [speak_stressed(words, voice) for words in (wrong, right)]
    if spoken[0] is None or spoken[1] is None:
        return None
    place = sum(map(len, right[:w])) + p
    posteriors = [listener.posterior(audio, right, place) for audio in spoken if audio is not None]
    ids = [PHONES.index(said), PHONES.index(canonical)]
    odds = [float(np.subtract(*np.log(posterior[ids] + 1e-12))) for posterior in posteriors]
    called, false = (listener.called(audio, text, w, p) for audio in spoken if audio is not None)
    return Case(
        voice=str(voice),
        text=text,
        canonical=canonical,
        said=said,
        is_first=int(posteriors[0].argmax()) == PHONES.index(said),
        log_odds=(odds[0], odds[1]),
        flagged={name: actual is not None for name, actual in called.items()},
        named={name: actual == said for name, actual in called.items()},
        false={name: actual is not None for name, actual in false.items()},
    )


def bare(phone: str) -> str:
    """A phone without its stress digit."""
    return split_stress(phone)[0]


def table(cases: list[Case]) -> str:
    """A line for each voice, and one for all."""
    rows = {"all": cases} | {
        name: [one for one in cases if one.voice == name] for name in Counter(c.voice for c in cases)
    }
    lines = [
        "| voice | errors | first in the lattice | log-odds said wrong, right (median) "
        "| flagged, named (normal) | (high) | right ones flagged (normal, high) |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, some in rows.items():
        odds = np.median([one.log_odds for one in some], axis=0)
        points = [
            f"{sum(one.flagged[level] for one in some)}, {sum(one.named[level] for one in some)}"
            for level in SENSITIVITIES
        ]
        false = ", ".join(str(sum(one.false[level] for one in some)) for level in SENSITIVITIES)
        first = sum(one.is_first for one in some)
        lines.append(
            f"| {name} | {len(some)} | {first} | {odds[0]:+.1f}, {odds[1]:+.1f} | {' | '.join(points)} | {false} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--l1", help="first language of the profile, as in `elocute assess`")
    parser.add_argument("--all-voices", action="store_true", help="voices of the training, too")
    parser.add_argument("--json", type=Path, help="write every case")
    options = parser.parse_args()
    voices = [one for one in (*installed(), NARROW_BAND) if options.all_voices or str(one) in UNHEARD]
    if not voices:
        parser.error(f"none of {', '.join(UNHEARD)} is installed; install flite and espeak-ng")
    listener = Listener(options.l1)
    cases = [case for voice in voices for error in ERRORS if (case := case_of(voice, *error, listener)) is not None]
    print(table(cases))
    if options.json:
        options.json.write_text(json.dumps([asdict(case) for case in cases], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
