"""speechocean762 as questions and answers: one example for every utterance and task.

What a phoneme transcript says of a phone that people called wrong (mean score below 0.5):

| annotation | transcript | why |
|---|---|---|
| another phone | that phone | |
| `X*`, X not the canonical phone | X | the nearest phone |
| `X*`, X the canonical phone | `<unk>` | "L, but not quite": plain L would turn an error into a match |
| `<unk>` | `<unk>` | |
| `<DEL>` | nothing | a transcript holds what was spoken |
| none: the file does not tell | `<unk>`, or the canonical phone | `unannotated` chooses |

Every other phone is its canonical one. Sounds that speakers added are not in `scores.json`, and so in no transcript.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from elocute.corpora.speechocean762 import (
    MISPRONOUNCED_BELOW,
    UTTERANCE_SCORES,
    ScoredUtterance,
    ScoredWord,
    Split,
    read_speechocean762,
    speaker_folds,
)
from elocute.errors import ConfigError
from elocute.evaluation.recognition import Realised, realised_phones
from elocute.mllm.answers import UNKNOWN, write_apa, write_combined, write_mdd
from elocute.mllm.prompts import TASKS, Style, Task, user_turn

Unannotated = Literal["unknown", "canonical"]
"""What stands for a phone that people called wrong where the file does not say what was spoken instead."""
Phones = tuple[tuple[str, ...], ...]
"""Phones of each word."""
FOLD_SEED = 0
"""Deals the speakers into folds. The folds of scorers and of the acoustic model are dealt with 1 and hold others; what
is published of language models was measured on these, so a change would set their figures apart from what follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A question and its answer.

    Attributes:
        id: of the utterance; one utterance makes an example for every task.
        speaker: who speaks.
        audio: the recording.
        task: what is asked.
        user: everything up to where the answer begins, with `prompts.AUDIO` for the recording.
        answer: the target, without the closing `<|end|>`.
        text: the sentence as the corpus writes it.
        canonical: phones that should be spoken, by word.
        realised: phones that were spoken, by word, as the transcript has them.
        utterance: with all scores; None where the speech was not scored.
    """

    id: str
    speaker: str
    audio: Path
    task: Task
    user: str
    answer: str
    text: str
    canonical: Phones
    realised: Phones
    utterance: ScoredUtterance | None = None

    @property
    def key(self) -> str:
        """Unique among examples: utterance and task."""
        return f"{self.id}/{self.task}"

    @property
    def scores(self) -> dict[str, float] | None:
        """The experts' four sentence scores by name, 0 to 10."""
        return None if self.utterance is None else sentence_scores(self.utterance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Realisation:
    """How the wrong phones of a corpus came into its transcripts, in phones.

    Attributes:
        utterances: how many there are.
        phones: canonical phones.
        wrong: called wrong by people.
        substituted: written as another phone.
        approximate: of those, `X*`.
        distorted: `X*` of the canonical phone, written as `<unk>`.
        unknown: `<unk>` in the annotation.
        deleted: left out.
        unannotated: the file does not say what was spoken.
        contradictory: annotations of phones that their words do not have; not used.
    """

    utterances: int
    phones: int
    wrong: int
    substituted: int
    approximate: int
    distorted: int
    unknown: int
    deleted: int
    unannotated: int
    contradictory: int

    def __str__(self) -> str:
        """One sentence for a log."""
        said = (
            f"{self.utterances} utterances, {self.phones} phones, of which people called {self.wrong} wrong: "
            f"{self.substituted} spoken as another phone, {self.deleted} left out, "
            f"{self.unknown + self.distorted} as no clear phone"
        )
        if self.unannotated:
            said += f", {self.unannotated} without a word on what was spoken instead"
        return said


def speechocean_examples(
    folder: Path,
    *,
    tasks: Sequence[Task] = TASKS,
    split: Split = "train",
    control_token: bool = True,
    word_delimiter: bool = False,
    style: Style = "rubric",
    unannotated: Unannotated = "unknown",
) -> list[Example]:
    """Every utterance of a split with every task, the tasks of one utterance side by side.

    Args:
        folder: root of the corpus in its official layout.
        tasks: what to ask.
        split: "train" or "test".
        control_token: see `user_turn`.
        word_delimiter: whether transcripts keep the phones of words apart.
        style: see `user_turn`.
        unannotated: see `Unannotated`; only matters to files without `mispronunciations`.

    Raises:
        ConfigError: the corpus is not in its layout, a recording is missing, or a task is unknown or named twice.
    """
    if not tasks or len(set(tasks)) != len(tasks):
        raise ConfigError(f"tasks are {list(tasks)}; expected one or more of {', '.join(get_args(Task))}, each once")
    if unannotated not in get_args(Unannotated):
        raise ConfigError(f"unannotated is {unannotated!r}; expected one of {', '.join(get_args(Unannotated))}")
    users = {
        task: user_turn(task, control_token=control_token, word_delimiter=word_delimiter, style=style) for task in tasks
    }
    utterances = read_speechocean762(folder, split)
    absent = [utterance.audio for utterance in utterances if not utterance.audio.is_file()]
    if absent:
        raise ConfigError(
            f"{len(absent)} of {len(utterances)} recordings of {folder} are missing, first {absent[0]}; unpack them all"
        )
    return [
        _example(utterance, task, user, word_delimiter, unannotated)
        for utterance in utterances
        for task, user in users.items()
    ]


def realisation_of(utterances: Iterable[ScoredUtterance]) -> Realisation:
    """Count how wrong phones come into transcripts; what a training should say before it starts."""
    counts: Counter[str] = Counter()
    for utterance in utterances:
        counts["utterances"] += 1
        for word in utterance.words:
            said = realised_phones(word)
            counts["contradictory"] += len(word.mispronunciations or ()) - len(said)
            counts["phones"] += len(word.phones)
            for index, (phone, score) in enumerate(zip(word.phones, word.phone_accuracy, strict=True)):
                if score < MISPRONOUNCED_BELOW:
                    counts["wrong"] += 1
                    kind, approximate = _kind_of(said.get(index), phone)
                    counts[kind] += 1
                    counts["approximate"] += approximate
    names = ("utterances", "phones", "wrong", "substituted", "approximate", "distorted", "unknown", "deleted")
    return Realisation(**{name: counts[name] for name in (*names, "unannotated", "contradictory")})


def utterances_of(examples: Iterable[Example]) -> list[ScoredUtterance]:
    """The scored utterances behind examples, each once, in their order."""
    return list({example.id: example.utterance for example in examples if example.utterance is not None}.values())


def hold_out_fold(
    examples: Sequence[Example], fold: int, *, folds: int = 5, seed: int = FOLD_SEED
) -> tuple[list[Example], list[Example]]:
    """Examples to train on, and those of the speakers of one fold; nobody is on both sides.

    Folds are alike in age group and mean total score (`speaker_folds`), and dealt by `FOLD_SEED`.

    Raises:
        ConfigError: there is no such fold, there are more folds than speakers, or an example has no scores.
    """
    if not 0 <= fold < folds:
        raise ConfigError(f"fold is {fold}; expected 0 to {folds - 1}")
    without = [example.key for example in examples if example.utterance is None]
    if without:
        raise ConfigError(f"{len(without)} examples have no scores, first {without[0]}; folds need scored utterances")
    fold_of = speaker_folds(utterances_of(examples), folds, seed)
    kept = [example for example in examples if fold_of[example.speaker] != fold]
    return kept, [example for example in examples if fold_of[example.speaker] == fold]


def sentence_scores(utterance: ScoredUtterance) -> dict[str, float]:
    """The four sentence scores that are learned, by name."""
    return {name: float(getattr(utterance, name)) for name in UTTERANCE_SCORES}


def realised(word: ScoredWord, unannotated: Unannotated = "unknown") -> tuple[str, ...]:
    """Phones of a word as they were spoken; see the table of this module."""
    said = realised_phones(word)
    spoken = []
    for index, (phone, score) in enumerate(zip(word.phones, word.phone_accuracy, strict=True)):
        if score >= MISPRONOUNCED_BELOW:
            spoken.append(phone)
            continue
        heard = said.get(index)
        kind, _ = _kind_of(heard, phone)
        if kind == "substituted":
            assert heard is not None
            spoken.append(heard.phone or UNKNOWN)
        elif kind == "unannotated" and unannotated == "canonical":
            spoken.append(phone)
        elif kind != "deleted":
            spoken.append(UNKNOWN)
    return tuple(spoken)


def _kind_of(heard: Realised | None, canonical: str) -> tuple[str, bool]:
    """How a wrong phone is written, as a field of `Realisation`, and whether its annotation was `X*`."""
    if heard is None:
        return "unannotated", False
    if heard.kind in ("deleted", "unknown"):
        return heard.kind, False
    # The canonical phone without a star contradicts its score; plain, it would be an error that is none.
    is_approximate = heard.kind == "approximate"
    return ("distorted" if heard.phone == canonical else "substituted"), is_approximate


def _example(
    utterance: ScoredUtterance, task: Task, user: str, word_delimiter: bool, unannotated: Unannotated
) -> Example:
    """One question about one utterance."""
    words = [word.text for word in utterance.words]
    spoken = tuple(realised(word, unannotated) for word in utterance.words)
    scores = sentence_scores(utterance)
    if task == "apa":
        answer = write_apa(scores)
    elif task == "mdd":
        answer = write_mdd(words, spoken, word_delimiter=word_delimiter)
    else:
        answer = write_combined(scores, words, spoken, word_delimiter=word_delimiter)
    return Example(
        id=utterance.id,
        speaker=utterance.speaker,
        audio=utterance.audio,
        task=task,
        user=user,
        answer=answer,
        text=utterance.text,
        canonical=tuple(word.phones for word in utterance.words),
        realised=spoken,
        utterance=utterance,
    )
