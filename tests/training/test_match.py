"""Right and wrong pairs of recording and text, and the regressions that tell them apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elocute.audio import load_audio
from elocute.corpora.speechocean762 import read_speechocean762
from elocute.ctc import logistic
from elocute.gop.match import Evidence, Match, Matcher
from elocute.training.match import NO_SPEECH, PAUSE_FRAMES, RIGHT_TEXT, Example, fit_matcher, make_pairs
from elocute.training.scorer_data import held_out
from tiny_corpus import write_corpus

CLEAR = Evidence(surely=0.9, rate=0.1, heard=0.8, price=1.0, own=0.9, share=1.0, replaced=0.0, beside=0.0)


def example(kind: str, speaker: int, rng: np.random.Generator) -> Example:
    """Dear readings for wrong texts, unsure phones for noise."""
    price = rng.uniform(0.5, 2.5) if kind in RIGHT_TEXT else rng.uniform(3.5, 5.0)
    surely = rng.uniform(0.5, 0.7) if kind in NO_SPEECH else rng.uniform(0.8, 0.95)
    evidence = replace(CLEAR, price=price, surely=surely, own=rng.uniform(0.3, 1.0))
    found = Match(heard=np.ones(5, dtype=bool), speech=0.0, text=0.0, evidence=evidence)
    return Example(kind=kind, speaker=f"speaker{speaker}", total=0.8, match=found)


def test_planted_evidence_is_told_apart_for_speakers_unseen():
    rng = np.random.default_rng(5)
    kinds = ["right"] * 40 + ["wrong"] * 40 + ["noise"] * 20
    examples = [example(kind, number % 10, rng) for number, kind in enumerate(kinds)]
    examples.append(replace(examples[50], match=None))  # too few frames: refused
    matcher, metrics = fit_matcher(examples)
    assert metrics["roc_auc_text"] > 0.99
    assert metrics["right"] == {"pairs": 40, "refused": 0.0, "lowered": pytest.approx(0.0, abs=0.06), "above_20": 1.0}
    assert metrics["wrong"]["pairs"] == 41
    assert metrics["wrong"]["above_20"] <= 0.05
    assert metrics["noise"]["above_20"] == 0.0
    assert metrics["cut"] == {"pairs": 0, "refused": None, "lowered": None, "above_20": None}
    assert len(matcher.speech) == 1 + len(CLEAR.of_speech)
    assert len(matcher.text) == 1 + len(CLEAR.of_text)


def test_a_matcher_judges_by_its_weights():
    matcher = Matcher(speech=(1.0, 0.0, 0.0, -2.0), text=(0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0))
    found = matcher.judge(Match(heard=np.ones(1, dtype=bool), speech=0.0, text=0.0, evidence=CLEAR))
    assert found.speech == pytest.approx(logistic(1.0 - 2.0 * 0.8))
    assert found.text == pytest.approx(logistic(0.5 + 0.9))
    assert found.evidence is CLEAR


def test_missing_words_make_the_price_count_less():
    """With the shipped weights' sign, too: a dear reading of half a text is not as suspicious as one of all of it."""
    whole, half = replace(CLEAR, price=4.0).of_text, replace(CLEAR, price=4.0, share=0.5).of_text
    assert whole[0] == half[0] == pytest.approx(np.log(4.2))
    assert half[4] == pytest.approx(whole[4] / 2)


@pytest.fixture
def pairs(tmp_path: Path):
    write_corpus(tmp_path, "train")
    utterances = read_speechocean762(tmp_path)
    rng = np.random.default_rng(3)
    heard = {}
    for one in utterances:
        frames = len(load_audio(one.audio).samples) // 320
        logits = rng.normal(size=(frames, 40))
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        heard[one.id] = held_out(log_probs.astype(np.float32), np.ones((frames, 43), np.float32))
    noise = [utterances[0].audio]
    return list(make_pairs(utterances, heard, noise, count=len(utterances), seed=1)), utterances, heard


def test_pairs_are_what_they_are_called(pairs):
    made, utterances, heard = pairs
    texts = {one.speaker: one.text for one in utterances}
    assert {pair.kind for pair in made} >= {"right", "wrong", "noisy", "noise", "chords", "reversed"}
    for pair in made:
        assert sum(map(len, pair.phones)) > 0
        if pair.heard is not None:
            assert abs(len(pair.heard.log_probs) - len(pair.samples) / 320) <= 1
            assert len(pair.heard.ratings) == len(pair.heard.log_probs)
            assert np.exp(pair.heard.log_probs).sum(axis=1) == pytest.approx(1.0, abs=1e-3)
        if pair.kind == "right":
            assert pair.text in texts.values()
    for kind in ("joined", "joined-before"):
        for pair in (one for one in made if one.kind == kind):
            assert len(pair.heard.log_probs) > PAUSE_FRAMES + min(len(one.log_probs) for one in heard.values())
