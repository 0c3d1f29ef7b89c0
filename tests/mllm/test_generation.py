"""Generation with a tiny random model and with one that writes what it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import torch

from elocute.errors import ConfigError
from elocute.mllm.collate import Recordings
from elocute.mllm.examples import Example
from elocute.mllm.generation import generate, score_tokens
from elocute.mllm.model import load_model
from elocute.mllm.prompts import Task, user_turn
from tiny_phi4 import processor, released
from writing_model import WritingModel

APA = '{"accuracy": 8, "fluency": 7, "prosodic": 9, "total": 10}'
MDD = '{"word_transcript": "café", "phoneme_transcript": "K AE F EY"}'


def question(number: int, task: Task = "mdd") -> Example:
    """About recording so-and-so."""
    return Example(
        id=f"u{number}",
        speaker="s",
        audio=Path(f"{number}.wav"),
        task=task,
        user=user_turn(task, style="short"),
        answer="",
        text="",
        canonical=(),
        realised=(),
    )


def noises(*samples: int) -> Recordings:
    """Noise of so many samples each."""
    draw = np.random.default_rng(0)
    return Recordings(
        samples={Path(f"{n}.wav"): draw.integers(-3000, 3000, size, dtype=np.int16) for n, size in enumerate(samples)}
    )


@pytest.fixture(scope="module")
def random_model() -> Any:
    return load_model(released(), regime="scratch", dtype="float32")


def test_a_batch_answers_as_each_question_alone(random_model: Any) -> None:
    """Recordings of one length: questions of other lengths are padded, and the padding changes nothing."""
    asked = [question(0, "mdd"), question(1, "apa"), question(2, "combined")]
    sounds = noises(8000, 8000, 8000)
    together = generate(random_model, processor(), asked, batch_size=3, max_new_tokens=6, recordings=sounds)
    alone = generate(random_model, processor(), asked, batch_size=1, max_new_tokens=6, recordings=sounds)
    assert [one.text for one in together.answers] == [one.text for one in alone.answers]
    assert len({one.text for one in alone.answers}) > 1
    for one, other in zip(together.answers, alone.answers, strict=True):
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-4)
        np.testing.assert_allclose(one.score_log_probs, other.score_log_probs, atol=1e-4)


def test_probabilities_are_those_of_a_forward_pass(random_model: Any) -> None:
    """Teacher forcing: the model reads what it wrote, and says how probable each token was."""
    sounds = noises(8000)
    (answer,) = generate(random_model, processor(), [question(0)], max_new_tokens=10, recordings=sounds).answers
    tokenizer = processor().tokenizer
    user = question(0).user.replace("<|audio_1|>", tokenizer.audio_token)
    samples = sounds.samples[Path("0.wav")].astype(np.float32) / 32767
    batch = processor()(text=[user], audio=[samples], sampling_rate=16000, return_tensors="pt")
    start = batch["input_ids"].shape[1]
    with torch.no_grad():
        written = random_model.generate(**batch, do_sample=False, max_new_tokens=10)
        logits = random_model(**{**batch, "input_ids": written, "attention_mask": torch.ones_like(written)}).logits
    logits[:, :, [tokenizer.audio_token_id, tokenizer.image_token_id]] = -torch.inf  # which it may not write
    expected = logits[0, start - 1 : -1].log_softmax(-1).gather(1, written[0, start:, None])[:, 0]
    np.testing.assert_allclose(answer.log_probs, expected[: len(answer.log_probs)].numpy(), atol=1e-4)
    assert tokenizer.decode(written[0, start:]).startswith(answer.text)


def test_the_model_is_left_as_it_was_and_progress_is_told(random_model: Any) -> None:
    told: list[tuple[int, int]] = []
    random_model.train()
    made = generate(
        random_model,
        processor(),
        [question(n) for n in range(3)],
        batch_size=2,
        max_new_tokens=3,
        recordings=noises(4000, 4000, 4000),
        progress=lambda done, total: told.append((done, total)),
    )
    assert random_model.training
    assert told == [(2, 3), (3, 3)]
    assert made.tokens == 9
    assert not any(one.is_complete for one in made.answers)
    random_model.eval()


def test_answers_come_in_the_order_of_their_questions_and_end_where_they_are_closed() -> None:
    model = WritingModel(processor(), [MDD, APA, APA + " so it goes"], unclosed=[APA + " so it goes"])
    # The long one is asked first.
    asked = [replace(question(0, "apa"), answer="xx"), question(1, "mdd"), question(2, "apa")]
    made = generate(model, processor(), asked, batch_size=1, recordings=noises(4000, 4000, 4000))
    assert [one.text for one in made.answers] == [APA, MDD, APA + " so it goes"]
    assert [one.is_complete for one in made.answers] == [True, True, False]
    for one in made.answers:
        assert "".join(one.pieces) == one.text
        assert len(one.pieces) == len(one.log_probs) == len(one.score_log_probs)
        assert np.exp(one.log_probs) == pytest.approx(0.9)
    assert "<|APA|>" in model.asked[1]


def test_scores_have_the_probabilities_that_the_model_gave_them() -> None:
    model = WritingModel(processor(), [APA], doubts={" 8": {" 8": 0.7, " 6": 0.2}})
    (answer,) = generate(model, processor(), [question(0, "apa")], recordings=noises(4000)).answers
    place = answer.pieces.index(" 8")
    assert np.exp(answer.score_log_probs[place]) == pytest.approx([0] * 6 + [0.2, 0, 0.7, 0, 0], abs=1e-6)


def test_an_answer_never_asks_for_another_recording() -> None:
    """A model that would write the audio token, which stands for a recording that is not there."""
    tokenizer = processor().tokenizer
    model = WritingModel(processor(), ["a"], doubts={"a": {tokenizer.audio_token: 0.9, "a": 0.08}})
    (answer,) = generate(model, processor(), [question(0)], recordings=noises(4000)).answers
    assert answer.text == "a"


def test_every_score_has_a_token_in_the_tiny_tokenizer_or_is_left_out() -> None:
    tokens = score_tokens(processor().tokenizer)
    assert {0, 5, 8, 10} <= set(tokens)
    assert [processor().tokenizer.decode([token]).strip() for token in tokens.values()] == [*map(str, tokens)]


@pytest.mark.parametrize(("batch_size", "most"), [(0, 5), (2, 0)])
def test_impossible_sizes_are_refused(batch_size: int, most: int) -> None:
    model = WritingModel(processor(), [])
    with pytest.raises(ConfigError, match="expected 1 or more"):
        generate(model, processor(), [question(0)], batch_size=batch_size, max_new_tokens=most)
