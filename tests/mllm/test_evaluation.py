"""Figures of answers that are known beforehand: counted by hand, by jiwer, and by what must hold of any answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.errors import ConfigError
from elocute.evaluation.bootstrap import Draws, Estimate
from elocute.mllm.answers import SCORE_KEYS, Answer, parse_answer, write_apa, write_combined, write_mdd
from elocute.mllm.evaluation import evaluate_answers, expected_scores
from elocute.mllm.evaluation_measures import Transcript, correlations, detection_row, score_row, transcript_row
from elocute.mllm.evaluation_result import ECHO, MODEL, Phi4Evaluation, to_json
from elocute.mllm.examples import Example, realised, sentence_scores
from elocute.mllm.generation import SCORES, Generated
from elocute.mllm.prompts import Task, user_turn
from elocute.phones import PHONES
from scored_corpus import utterances

UTTERANCES = utterances(annotated=True)
TASKS: tuple[Task, ...] = ("apa", "mdd")


def example(number: int, task: Task) -> Example:
    """A question about an utterance of the small corpus."""
    utterance = UTTERANCES[number]
    spoken = tuple(realised(word) for word in utterance.words)
    words = [word.text for word in utterance.words]
    scores = sentence_scores(utterance)
    answer = {
        "apa": write_apa(scores),
        "mdd": write_mdd(words, spoken),
        "combined": write_combined(scores, words, spoken),
    }[task]
    return Example(
        id=utterance.id,
        speaker=utterance.speaker,
        audio=Path("none"),
        task=task,
        user=user_turn(task),
        answer=answer,
        text=utterance.text,
        canonical=tuple(word.phones for word in utterance.words),
        realised=spoken,
        utterance=utterance,
    )


EXAMPLES = [example(number, task) for number in range(len(UTTERANCES)) for task in TASKS]


def evaluated(answers: list[str], examples: list[Example] = EXAMPLES) -> Phi4Evaluation:
    """Without many resamples."""
    return evaluate_answers(examples, answers, draws=20)


def test_right_answers_are_perfect_and_the_echo_finds_nothing() -> None:
    result = evaluated([one.answer for one in EXAMPLES])
    assert [(count.task, count.valid, count.failed) for count in result.answers] == [
        ("apa", len(UTTERANCES), 0),
        ("mdd", len(UTTERANCES), 0),
    ]
    model, echo = result.transcripts
    assert (model.predictor, echo.predictor) == (MODEL, ECHO)
    assert (model.wer.value, model.per.value, model.matched.f1, model.in_place.f1) == (0, 0, 1, 1)
    wrong = sum(score < 0.5 for one in UTTERANCES for score in one.phone_accuracy)
    assert wrong > 20
    found, nothing, most = result.detection
    assert replace(found, predictor=most.predictor) == most
    # Not every one: these strings of few phones can be aligned in another way than they were made.
    assert found.tr + found.fa == wrong
    assert found.f1.value is not None
    assert found.f1.value > 0.97
    assert (nothing.tr, nothing.fa, nothing.fr, nothing.recall.value) == (0, wrong, 0, 0.0)
    # The echo is wrong exactly where people said something else.
    assert echo.per.value is not None
    assert echo.per.value == pytest.approx(wrong / result.data["spoken_phones"], rel=0.2)
    assert all(row.pcc.value == pytest.approx(1.0, abs=0.02) for row in result.scores)  # whole numbers in the answers
    assert result.correlations is not None
    assert result.correlations.human == pytest.approx(result.correlations.predicted, abs=0.02)


def test_an_answer_that_cannot_be_read_counts_and_how() -> None:
    answers = [one.answer for one in EXAMPLES]
    broken = [n for n, one in enumerate(EXAMPLES) if one.id in {UTTERANCES[3].id, UTTERANCES[8].id}]
    for n in broken:
        answers[n] = "I cannot say."
    result = evaluated(answers)
    assert [count.failed for count in result.answers] == [2, 2]
    assert [count.n for count in result.answers] == [len(UTTERANCES)] * 2
    assert len(result.failed) == 4
    row = result.scores[0]
    assert (row.n, row.unread) == (len(UTTERANCES), 2)
    truth = np.array([one.accuracy for one in UTTERANCES])
    filled = np.floor(truth + 0.5)
    filled[[3, 8]] = np.delete(filled, [3, 8]).mean()
    assert row.pcc.value == pytest.approx(np.corrcoef(truth, filled)[0, 1])
    assert row.pcc_read == pytest.approx(np.corrcoef(np.delete(truth, [3, 8]), np.delete(filled, [3, 8]))[0, 1])
    lost = [one for one in EXAMPLES if one.task == "mdd" and one.id in {UTTERANCES[3].id, UTTERANCES[8].id}]
    phones = sum(len(word) for one in lost for word in one.realised)
    assert result.transcripts[0].per.value == pytest.approx(phones / result.data["spoken_phones"])
    flags, _, most = result.detection
    missed = sum(score < 0.5 for one in (UTTERANCES[3], UTTERANCES[8]) for score in one.phone_accuracy)
    assert (flags.fa, flags.tr) == (most.fa + missed, most.tr - missed)


def test_a_repaired_answer_is_counted_apart_and_used() -> None:
    answers = [one.answer for one in EXAMPLES]
    answers[0] = answers[0].replace('"', "'") + " That is all."
    result = evaluated(answers)
    assert (result.answers[0].valid, result.answers[0].repaired, result.answers[0].failed) == (
        len(UTTERANCES) - 1,
        1,
        0,
    )
    assert result.scores == evaluated([one.answer for one in EXAMPLES]).scores


def test_nothing_that_can_be_read_gives_no_figure_of_scores() -> None:
    result = evaluated(["", *[""] * (len(EXAMPLES) - 1)])
    assert all(row.pcc == Estimate(value=None) and row.mse is None for row in result.scores)
    assert result.transcripts[0].per.value == 1.0
    assert "pcc/accuracy" not in result.figures
    assert json.loads(to_json(result))["answers"][0]["valid_share"] == 0.0


def test_one_question_for_both_tasks_gives_the_same_figures() -> None:
    both = [example(number, "combined") for number in range(len(UTTERANCES))]
    apart = evaluated([one.answer for one in EXAMPLES])
    together = evaluated([one.answer for one in both], both)
    assert (together.scores, together.transcripts, together.detection) == (
        apart.scores,
        apart.transcripts,
        apart.detection,
    )


def test_too_few_answers_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"1 answers to 2 examples"):
        evaluate_answers(EXAMPLES[:2], ["{}"])


words = st.lists(st.sampled_from(["A", "BAD", "CAT", "DOG'S"]), min_size=1, max_size=6)
phones = st.lists(st.sampled_from([*PHONES[:6], "<unk>"]), max_size=8)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(words, words, phones, phones), min_size=1, max_size=5))
def test_error_rates_are_those_of_jiwer(rows: list[tuple[list[str], list[str], list[str], list[str]]]) -> None:
    jiwer = pytest.importorskip("jiwer")
    rows = [(text, said, spoken or ["K"], heard) for text, said, spoken, heard in rows]
    transcripts = [transcript(text, said, spoken, heard) for text, said, spoken, heard in rows]
    row = transcript_row("model", transcripts, np.zeros(len(rows), dtype=np.int64), Draws.of(1, 1))
    columns = [[" ".join(part) for part in column] for column in zip(*rows, strict=True)]
    assert row.wer.value == pytest.approx(jiwer.wer(columns[0], columns[1]))
    assert row.per.value == pytest.approx(jiwer.wer(columns[2], columns[3]))
    hits = sum(jiwer.process_words([a], [b]).hits for a, b in zip(columns[2], columns[3], strict=True))
    assert row.matched.recall <= hits / sum(len(spoken) for _, _, spoken, _ in rows) + 1e-9 or hits == 0


def transcript(text: list[str], said: list[str] | None, spoken: list[str], heard: list[str] | None) -> Transcript:
    """Of an utterance whose canonical phones are those that were spoken."""
    return Transcript(
        text=tuple(text),
        canonical=tuple(spoken),
        spoken=tuple(spoken),
        phone_scores=None,
        words=None if said is None else tuple(said),
        phones=None if heard is None else tuple(heard),
    )


def test_token_match_by_hand() -> None:
    """One phone too many at the front: nothing stands in its place any more, and all but it agree when aligned."""
    row = transcript_row(
        "model",
        [transcript(["CAT"], ["CAT"], ["K", "AE", "T", "S"], ["AH", "K", "AE", "T", "S"])],
        np.zeros(1, dtype=np.int64),
        Draws.of(1, 1),
    )
    assert (row.matched.precision, row.matched.recall) == (4 / 5, 1.0)
    assert (row.in_place.precision, row.in_place.recall, row.in_place.f1) == (0.0, 0.0, 0.0)
    assert row.per.value == 1 / 4


def test_detection_by_hand() -> None:
    """think that: TH wrong and said as S, NG wrong with nothing known, K flagged though right, TH missed."""
    row = detection_row(
        "model",
        [
            Transcript(
                text=("THINK",),
                canonical=("TH", "IH", "NG", "K"),
                spoken=("S", "IH", "<unk>", "K"),
                phone_scores=(0.2, 2.0, 0.0, 1.8),
                words=("THINK",),
                phones=("S", "IH", "N", "G"),
            ),
            Transcript(
                text=("THAT",),
                canonical=("DH", "AE", "T"),
                spoken=("D", "AE", "T"),
                phone_scores=(0.4, 2.0, 2.0),
                words=("THAT",),
                phones=("DH", "AE", "T"),
            ),
        ],
        np.array([0, 1]),
        Draws.of(2, 10),
    )
    assert (row.ta, row.fr, row.fa, row.tr, row.cd, row.undiagnosed) == (3, 1, 1, 2, 1, 1)
    assert [rate.value for rate in (row.precision, row.recall, row.f1)] == pytest.approx([2 / 3] * 3)


def test_correlations_of_error_rate_and_accuracy_by_hand() -> None:
    clean = transcript(["A"], ["A"], ["K", "AE"], ["K", "AE"])
    poor = replace(clean, spoken=("K", "IY"), phones=("G", "IY"))
    found = correlations([clean, poor, clean], np.array([9.0, 2.0, 8.0]), [8.0, 3.0, None])
    assert found.human == pytest.approx(np.corrcoef([9, 2, 8], [0, 0.5, 0])[0, 1])
    assert found.predicted == pytest.approx(np.corrcoef([8, 3, 5.5], [0, 1, 0])[0, 1])
    assert found.error == pytest.approx(np.corrcoef([9, 2, 8], [0, 0.5, 0])[0, 1])


def test_scores_that_are_all_the_same_correlate_with_nothing() -> None:
    truth, same = np.array([3.0, 5.0, 8.0]), [7.0, 7.0, 7.0]
    row = score_row("total", truth, same, same, np.array([0, 1, 2]), Draws.of(3, 10))
    assert (row.pcc.value, row.pcc_read) == (None, None)
    assert row.mse == pytest.approx(np.square(truth - 7).mean())
    assert row.mse_constant == pytest.approx(truth.var())


def written(text: str, pieces: list[str], shares: dict[int, dict[int, float]]) -> Generated:
    """An answer whose token number n had these probabilities of scores."""
    scores = np.full((len(pieces), len(SCORES)), -np.inf)
    for place, of in shares.items():
        for score, share in of.items():
            scores[place, score] = np.log(share)
    assert "".join(pieces) == text
    return Generated(
        text=text, pieces=tuple(pieces), log_probs=np.zeros(len(pieces)), score_log_probs=scores, is_complete=True
    )


def test_expected_scores_are_means_where_the_score_was_written() -> None:
    pieces = ['{"accuracy":', " 8", ', "fluency":', " 7", ', "prosodic":', " 6", ', "total":', " 1", "0", "}"]
    given = written("".join(pieces), pieces, {1: {8: 0.6, 7: 0.4}, 3: {7: 0.3}, 5: {6: 0.45, 9: 0.45}})
    answer = parse_answer("apa", given.text)
    assert answer.scores == {"accuracy": 8, "fluency": 7, "prosodic": 6, "total": 10}
    found = expected_scores(given, answer)
    assert found["accuracy"] == pytest.approx(7.6)
    assert found["fluency"] == 7  # the scores had less than half of the probability
    assert found["prosodic"] == pytest.approx(7.5)
    assert found["total"] == 10  # no token of its own
    nothing: Answer = replace(answer, accuracy=None)
    assert expected_scores(given, nothing)["accuracy"] is None


def test_every_figure_is_finite_and_has_a_name() -> None:
    figures = evaluated([one.answer for one in EXAMPLES]).figures
    assert all(np.isfinite(value) for value in figures.values())
    assert {f"pcc/{name}" for name in SCORE_KEYS} | {"wer", "per", "per_echo", "match_f1", "mdd_f1"} <= set(figures)
