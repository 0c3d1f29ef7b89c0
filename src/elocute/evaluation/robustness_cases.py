"""Hard cases: which there are, what is asked of each, and what counts as success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from elocute.errors import ConfigError
from elocute.evaluation import distort
from elocute.evaluation.robustness_build import (
    Builder,
    backwards,
    begins_late,
    changed,
    clean,
    cut_word,
    distorted,
    false_start,
    inserted_word,
    noise_floor,
    noise_only,
    noisy,
    other_text,
    pink,
    repeated,
    reverb,
    silence,
    sound,
    truncated,
    with_other,
)

Group = Literal["clean", "unasked", "text", "cut", "extra", "distorted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of hard case.

    Attributes:
        name: stable, kebab-case.
        group: what is asked of it.
        about: what it is, in a few words.
        build: makes it.
        needs_noise: whether it needs noise clips.
    """

    name: str
    group: Group
    about: str
    build: Builder
    needs_noise: bool = False


CASES: tuple[Case, ...] = (
    Case(name="clean", group="clean", about="the recording with its text", build=clean),
    Case(
        name="wrong-text", group="unasked", about="text of another utterance", build=other_text(lambda p: p.wrong_text)
    ),
    Case(name="short-text", group="unasked", about="a few words nobody said", build=other_text(lambda p: p.short_text)),
    Case(name="reversed", group="unasked", about="speech played backwards", build=backwards),
    Case(name="silence", group="unasked", about="digital silence", build=silence),
    Case(name="noise-floor", group="unasked", about="white noise at -70 dB", build=noise_floor),
    Case(name="noise-only", group="unasked", about="clips of noise", build=noise_only, needs_noise=True),
    Case(name="white-only", group="unasked", about="white noise", build=sound(distort.coloured_noise)),
    Case(name="pink-only", group="unasked", about="pink noise", build=sound(pink)),
    Case(name="hum-only", group="unasked", about="hum of the mains", build=sound(distort.mains_hum)),
    Case(name="chords-only", group="unasked", about="chords of tones", build=sound(distort.tone_chords)),
    Case(name="swapped-word", group="text", about="a word of the text exchanged", build=changed(lambda p: p.swapped)),
    Case(
        name="swapped-word-near",
        group="text",
        about="exchanged for a similar one",
        build=changed(lambda p: p.swapped_near),
    ),
    Case(name="added-word", group="text", about="a word of the text nobody said", build=changed(lambda p: p.added)),
    Case(name="cut-word", group="text", about="a word cut out of the recording", build=cut_word),
    Case(name="truncated-25", group="cut", about="the first quarter of the words", build=truncated(0.25)),
    Case(name="truncated-50", group="cut", about="the first half", build=truncated(0.5)),
    Case(name="truncated-75", group="cut", about="the first three quarters", build=truncated(0.75)),
    Case(name="begins-late-50", group="cut", about="the second half", build=begins_late),
    Case(name="repeated-word", group="extra", about="a word said twice", build=repeated(1, 1)),
    Case(name="repeated-phrase", group="extra", about="two or three words said twice", build=repeated(2, 3)),
    Case(name="false-start", group="extra", about="a word begun, then said", build=false_start),
    Case(name="inserted-word", group="extra", about="a strange word spliced in", build=inserted_word),
    Case(name="joined", group="extra", about="another utterance after it", build=with_other(is_before=False)),
    Case(name="joined-before", group="extra", about="another utterance before it", build=with_other(is_before=True)),
    Case(name="noise-20", group="distorted", about="noise at 20 dB SNR", build=noisy(20.0), needs_noise=True),
    Case(name="noise-10", group="distorted", about="noise at 10 dB SNR", build=noisy(10.0), needs_noise=True),
    Case(name="noise-5", group="distorted", about="noise at 5 dB SNR", build=noisy(5.0), needs_noise=True),
    Case(name="noise-0", group="distorted", about="noise at 0 dB SNR", build=noisy(0.0), needs_noise=True),
    Case(name="reverb", group="distorted", about="a room, RT60 0.6 s", build=reverb),
    Case(name="telephone", group="distorted", about="300-3400 Hz, mu-law", build=distorted(distort.telephoned)),
    Case(name="clipped", group="distorted", about="10 % of samples clip", build=distorted(distort.clipped)),
    Case(name="opus-12k", group="distorted", about="Opus, 12 kbit/s", build=distorted(distort.opus_coded)),
    Case(name="speed-80", group="distorted", about="20 % slower", build=distorted(lambda x: distort.at_speed(x, 0.8))),
    Case(name="speed-120", group="distorted", about="20 % faster", build=distorted(lambda x: distort.at_speed(x, 1.2))),
)
"""Every case, in the order of the tables."""

BY_NAME = {case.name: case for case in CASES}

LOW_TOTAL = 20.0
"""Of 100: what was not asked for may score so much at most, unless it is refused."""
COMPLETENESS_WITHIN = 0.1
TOTAL_WITHIN = 10.0
"""Of 100: how far a distortion may move the total."""

SUCCESS = {
    "clean": "scored, and no word called omitted",
    "unasked": f"refused, or total of at most {LOW_TOTAL:g} of 100",
    "text": "swapped: that word of the text has an error; added or cut: it is an omission",
    "cut": f"completeness within {COMPLETENESS_WITHIN:g} of the share of words that is there; a refusal fails",
    "extra": "an extra entry (repetition, restart, insertion; joined: insertion) at that place, and no word called "
    "omitted that is not so in the clean recording",
    "distorted": f"scored, and total within {TOTAL_WITHIN:g} of 100 of the clean one",
}
"""What counts as success in each group."""


def chosen_cases(names: Sequence[str], *, has_noise: bool) -> tuple[str, ...]:
    """Names of the cases of a run, in the order of the tables: clean, and those asked for, or all that can be made.

    Args:
        names: asked for; empty for all.
        has_noise: whether there are clips of noise.

    Raises:
        ConfigError: a name is unknown, or its case needs clips and there are none.
    """
    for name in names:
        if name not in BY_NAME:
            close = get_close_matches(name, BY_NAME, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected some of {', '.join(BY_NAME)}"
            raise ConfigError(f"{name!r} is no case; {hint}")
        if BY_NAME[name].needs_noise and not has_noise:
            raise ConfigError(f"case {name} needs clips of noise; name their folder with --noise")
    wanted = {"clean", *names} if names else {case.name for case in CASES if has_noise or not case.needs_noise}
    return tuple(case.name for case in CASES if case.name in wanted)
