"""The language model against people: scores, transcripts, found errors, and how often its answers can be read at all.

`evaluate_examples` lets the model answer and measures; `evaluate_answers` measures answers that are there already, so
that figures can be had again without a model. Nothing is dropped: see "answers" in `DEFINITIONS` for what an answer
that cannot be read counts as.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elocute.errors import ConfigError
from elocute.evaluation.bootstrap import DRAWS, Draws
from elocute.mllm.answers import KEYS, SCORE_KEYS, Answer, parse_answer
from elocute.mllm.collate import Recordings
from elocute.mllm.evaluation_measures import (
    Transcript,
    correlations,
    detection_row,
    score_row,
    transcript_row,
)
from elocute.mllm.evaluation_result import (
    ECHO,
    MODEL,
    RIGHT,
    AnswerCounts,
    Phi4Evaluation,
    ScoreRow,
    Speed,
    StoredAnswer,
)
from elocute.mllm.examples import Example
from elocute.mllm.generation import BATCH_SIZE, SCORES, Generated, Generation, Progress
from elocute.mllm.generation import generate as answer_examples
from elocute.types import Float64

__all__ = ["answer_examples", "evaluate_answers", "evaluate_examples", "expected_scores", "speed_of"]

MOST_SHOWN, MOST_CHARACTERS = 10, 300
"""Failed answers that are kept to be looked at, and how much of each."""
LEAST_MASS = 0.5
"""Where the scores 0 to 10 had less of the probability than this, the model was not writing a score there."""


def evaluate_examples(
    model: Any,
    processor: Any,
    examples: Sequence[Example],
    *,
    batch_size: int = BATCH_SIZE,
    max_new_tokens: int | None = None,
    recordings: Recordings | None = None,
    draws: int = DRAWS,
    progress: Progress | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Phi4Evaluation:
    """Let the model answer every example, and measure its answers.

    Args:
        model: Phi-4-multimodal with or without adapters, on its device; left as it was.
        processor: its processor.
        examples: questions with what people say.
        batch_size: examples that are answered at a time.
        max_new_tokens: most that an answer may have; None leaves room for what the recording can hold.
        recordings: decoded before; None reads each when it is needed.
        draws: resamples of the speakers for intervals.
        progress: called with examples answered and examples in all.
        provenance: who made the model, for the file.

    Raises:
        ConfigError: no examples.
        AudioError: a recording cannot be used.
    """
    if not examples:
        raise ConfigError("no examples to evaluate; expected one or more")
    made = answer_examples(
        model,
        processor,
        examples,
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        recordings=recordings,
        progress=progress,
    )
    return evaluate_answers(examples, made.answers, draws=draws, speed=speed_of(made), provenance=provenance)


def speed_of(made: Generation | Sequence[StoredAnswer]) -> Speed:
    """What a generation took."""
    if isinstance(made, Generation):
        answers, tokens, seconds = len(made.answers), made.tokens, made.seconds
    else:
        answers, tokens = len(made), sum(one.tokens for one in made)
        seconds = sum(one.seconds for one in made)
    return Speed(
        answers=answers,
        tokens=tokens,
        seconds=seconds,
        tokens_per_s=tokens / seconds if seconds > 0 else None,
        answers_per_s=answers / seconds if seconds > 0 else None,
    )


def evaluate_answers(
    examples: Sequence[Example],
    answers: Sequence[Generated | StoredAnswer | str],
    *,
    draws: int = DRAWS,
    speed: Speed | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Phi4Evaluation:
    """Measure answers.

    Args:
        examples: questions with what people say.
        answers: what was written to each; bare texts have no probabilities, so nothing is said of expected scores.
        draws: resamples of the speakers for intervals.
        speed: of their generation.
        provenance: who made them.

    Raises:
        ConfigError: no examples, or another number of answers.
    """
    if not examples or len(examples) != len(answers):
        raise ConfigError(f"{len(answers)} answers to {len(examples)} examples; expected one to each of at least one")
    read = [_read(example, answer) for example, answer in zip(examples, answers, strict=True)]
    scored = [one for one in read if "accuracy" in one.fields and one.example.scores is not None]
    heard = [one for one in read if "phoneme_transcript" in one.fields]
    return Phi4Evaluation(
        data={
            "examples": len(examples),
            "utterances": len({example.id for example in examples}),
            "speakers": len({example.speaker for example in examples}),
            "spoken_phones": sum(len(word) for one in heard for word in one.example.realised),
            "wrong_phones_unannotated": _unannotated(heard),
        },
        answers=tuple(_counts(read)),
        scores=tuple(_score_rows(scored, draws)),
        **_transcripts(heard, draws),
        correlations=_correlations(scored, heard),
        speed=speed,
        failed=tuple(
            f"{one.example.key}: {one.text[:MOST_CHARACTERS]}" for one in read if one.answer.status == "failed"
        )[:MOST_SHOWN],
        provenance=dict(provenance or {}),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Read:
    """One answer beside its example."""

    example: Example
    text: str
    answer: Answer
    expected: Mapping[str, float | None]
    is_cut_off: bool
    fields: tuple[str, ...]


def _read(example: Example, given: Generated | StoredAnswer | str) -> _Read:
    """Read one answer."""
    text = given if isinstance(given, str) else given.text
    answer = parse_answer(example.task, text)
    expected: Mapping[str, float | None] = dict.fromkeys(SCORE_KEYS)
    if isinstance(given, StoredAnswer):
        expected = given.expected
    elif isinstance(given, Generated):
        expected = expected_scores(given, answer)
    return _Read(
        example=example,
        text=text,
        answer=answer,
        expected=expected,
        is_cut_off=not isinstance(given, str) and not given.is_complete,
        fields=KEYS[example.task],
    )


def expected_scores(generated: Generated, answer: Answer) -> dict[str, float | None]:
    """Mean of each score under the model's probabilities where it wrote it; None where it wrote none.

    The probabilities are those of the tokens 0 to 10 in place of the token that was written, made to sum to 1. Where
    these had less than half of the probability, or the tokenizer has none, it is the score as written.
    """
    found: dict[str, float | None] = {}
    ends = np.cumsum([len(piece) for piece in generated.pieces])
    for name, written in answer.scores.items():
        found[name] = written
        match = re.search(rf"\b{name}\b[\"']?\s*[:=]\s*[\"']?(?=\d)", generated.text, re.IGNORECASE)
        if written is None or match is None:
            continue
        place = int(np.searchsorted(ends, match.end(), side="right"))
        probability: Float64 = np.exp(generated.score_log_probs[place])
        if probability.sum() >= LEAST_MASS:
            found[name] = float(probability @ np.array(SCORES) / probability.sum())
    return found


def _counts(read: Sequence[_Read]) -> Iterable[AnswerCounts]:
    """How answers could be read, by task."""
    for task in dict.fromkeys(one.example.task for one in read):
        mine = [one for one in read if one.example.task == task]
        status = [one.answer.status for one in mine]
        yield AnswerCounts(
            task=task,
            n=len(mine),
            valid=status.count("valid"),
            repaired=status.count("repaired"),
            failed=status.count("failed"),
            cut_off=sum(one.is_cut_off for one in mine),
            valid_share=status.count("valid") / len(mine),
        )


def _score_rows(scored: Sequence[_Read], draws: int) -> Iterable[ScoreRow]:
    """The four scores."""
    speaker, resamples = _speakers(scored, draws)
    for name in SCORE_KEYS if scored else ():
        truth = np.array([(one.example.scores or {})[name] for one in scored])
        yield score_row(
            name,
            truth,
            [one.answer.scores[name] for one in scored],
            [one.expected[name] for one in scored],
            speaker,
            resamples,
        )


def _transcripts(heard: Sequence[_Read], draws: int) -> dict[str, Any]:
    """Transcripts and detection, of the model and of the echo; and detection by the spoken phones themselves."""
    if not heard:
        return {"transcripts": (), "detection": ()}
    speaker, resamples = _speakers(heard, draws)
    canonical = [[phone for word in one.example.canonical for phone in word] for one in heard]
    spoken = [[phone for word in one.example.realised for phone in word] for one in heard]
    said = {
        MODEL: [_transcript(one.example, one.answer.words, one.answer.phones) for one in heard],
        ECHO: [_transcript(one.example, _words(one.example), row) for one, row in zip(heard, canonical, strict=True)],
        RIGHT: [_transcript(one.example, _words(one.example), row) for one, row in zip(heard, spoken, strict=True)],
    }
    return {
        "transcripts": tuple(transcript_row(name, said[name], speaker, resamples) for name in (MODEL, ECHO)),
        "detection": tuple(detection_row(name, rows, speaker, resamples) for name, rows in said.items()),
    }


def _transcript(example: Example, words: Sequence[str] | None, phones: Sequence[str] | None) -> Transcript:
    """A transcript beside what was said."""
    scores = None if example.utterance is None else example.utterance.phone_accuracy
    return Transcript(
        text=tuple(_words(example)),
        canonical=tuple(phone for word in example.canonical for phone in word),
        spoken=tuple(phone for word in example.realised for phone in word),
        phone_scores=scores,
        words=None if words is None else tuple(words),
        phones=None if phones is None else tuple(phones),
    )


def _words(example: Example) -> tuple[str, ...]:
    """Words of the text as an answer would give them."""
    quoted = Answer(task="mdd", status="valid", word_transcript=example.text, phoneme_transcript="")
    return quoted.words or ()


def _correlations(scored: Sequence[_Read], heard: Sequence[_Read]) -> Any:
    """Phone error rates beside accuracies, over utterances that have both."""
    by_id = {one.example.id: one for one in scored}
    both = [(by_id[one.example.id], one) for one in heard if one.example.id in by_id]
    if not both:
        return None
    return correlations(
        [_transcript(one.example, one.answer.words, one.answer.phones) for _, one in both],
        np.array([(rated.example.scores or {})["accuracy"] for rated, _ in both]),
        [rated.answer.accuracy for rated, _ in both],
    )


def _unannotated(heard: Sequence[_Read]) -> bool:
    """Whether the corpus leaves open what was said for its wrong phones, so that `<unk>` or nothing stands for them."""
    words = [word for one in heard if one.example.utterance is not None for word in one.example.utterance.words]
    return any(word.mispronunciations is None for word in words)


def _speakers(read: Sequence[_Read], draws: int) -> tuple[Any, Draws]:
    """Speaker of each answer as a number, and resamples of them."""
    names, index = np.unique([one.example.speaker for one in read] or [""], return_inverse=True)
    return index, Draws.of(len(names), draws)
