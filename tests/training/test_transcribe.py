"""Sentences found in planted posteriors: the planted one, and none where two are as likely or the label is wrong."""

import numpy as np
import pytest

from elocute.ctc import forward_log_prob
from elocute.errors import ConfigError
from elocute.phones import PHONES, phonemize
from elocute.training.grammar import Grammar, expand
from elocute.training.transcribe import (
    Rule,
    Scoring,
    Transcriber,
    greedy_labels,
    less_blank,
    sentence_log_probs,
)
from elocute.types import PhoneSet

PHONE_SET = PhoneSet.one_label_each(PHONES)
SLOTS = {"roast": ("light roast", "right roast", "dark roast"), "drink": ("coffee", "mocha", "iced coffee")}
GRAMMAR = Grammar(
    templates={
        "order": tuple(expand("[get me, may I have] [a, an] $roast:roast $drink:drink", SLOTS)),
        "short": tuple(expand("$drink:drink", SLOTS)),
    },
    slots=SLOTS,
)
AS_HEARD = Scoring(blank_nats=0.0, phone_nats=0.0)
VALUES = {"roast": "dark roast", "drink": "mocha"}


def planted(text: str, certainty: float = 0.8) -> np.ndarray:
    """Probabilities, shape (T, V): every phone in two frames, then two of blank."""
    labels = [PHONE_SET.tokens[PHONE_SET.id_of(phone.symbol)][0] for phone in phonemize(text).phones]
    spoken = [0, 0, *(column for label in labels for column in (label, label, 0, 0))]
    probs = np.full((len(spoken), PHONE_SET.size), (1 - certainty) / (PHONE_SET.size - 1))
    probs[np.arange(len(spoken)), spoken] = certainty
    return probs


def find(probs: np.ndarray, values: dict[str, str] | None = None, intent: str = "order", scoring: Scoring = AS_HEARD):
    return Transcriber(GRAMMAR, PHONE_SET).find(np.log(probs), intent, values or VALUES, scoring)


@pytest.mark.parametrize("carrier", ["get me", "may I have"])
@pytest.mark.parametrize("article", ["a", "an"])
def test_the_planted_sentence_is_found_and_clear(carrier: str, article: str):
    text = f"{carrier} {article} dark roast mocha"
    found = find(planted(text))
    other = {"get me": "may I have", "may I have": "get me"}[carrier]
    assert found.text == text
    assert found.rival == f"{other} {article} dark roast mocha"  # not the twin, which is nearer
    assert found.greedy_per == 0.0
    assert found.margin > 10
    assert 0 < found.article_margin < found.margin
    assert set(found.slot_margins) == {"roast", "drink"}
    assert min(found.slot_margins.values()) > 10
    assert found.refusal(Rule()) is None


def test_margins_are_differences_of_ctc_log_probabilities():
    probs = planted("get me a dark roast mocha", certainty=0.6)
    found = find(probs)
    transcriber = Transcriber(GRAMMAR, PHONE_SET)

    def log_prob(text: str) -> float:
        return forward_log_prob(np.log(probs), transcriber.labels(text))

    best = log_prob("get me a dark roast mocha")
    assert found.margin == pytest.approx(best - log_prob("may I have a dark roast mocha"))
    assert found.article_margin == pytest.approx(best - log_prob("get me an dark roast mocha"))
    others = [log_prob("get me a light roast mocha"), log_prob("get me a right roast mocha")]
    assert found.slot_margins["roast"] == pytest.approx(best - max(others))


def test_two_sentences_as_likely_are_refused():
    values = {"roast": "dark roast", "drink": "mocha"}
    slots = {**SLOTS, "taste": ()}
    grammar = Grammar(
        templates={"order": tuple(expand("[light, right] $roast:roast $drink:drink", slots))},
        slots=slots,
    )
    both = (planted("light dark roast mocha") + planted("right dark roast mocha")) / 2
    found = Transcriber(grammar, PHONE_SET).find(np.log(both), "order", values, AS_HEARD)
    assert {found.text, found.rival} == {"light dark roast mocha", "right dark roast mocha"}
    assert found.margin == pytest.approx(0.0, abs=1e-9)
    assert found.refusal(Rule()) == "margin_nats"


def test_doubt_about_the_article_alone_is_refused_as_such():
    found = find(planted("get me a dark roast mocha"))
    assert found.refusal(Rule(article_nats=found.article_margin + 0.1)) == "article_nats"


def test_a_wrong_label_is_refused():
    found = find(planted("get me a dark roast mocha"), {"roast": "light roast", "drink": "coffee"})
    assert found.slot_margins["roast"] < -2
    assert found.refusal(Rule()) == "slot_nats"


def test_much_more_speech_than_the_sentence_is_refused():
    found = find(planted("get me a dark roast mocha and would you please hurry up my friend"))
    assert found.text == "get me a dark roast mocha"
    assert found.greedy_per > 1.0
    assert found.refusal(Rule()) == "greedy_per"


def test_a_label_with_one_sentence_has_no_rival():
    found = find(planted("iced coffee"), {"drink": "iced coffee"}, "short")
    assert found.rival is None
    assert found.margin == found.article_margin == np.inf
    assert found.refusal(Rule()) is None


def test_blank_hides_the_longer_sentence_until_it_is_made_less_likely():
    probs = planted("get me a dark roast iced coffee", certainty=0.9)
    faint = probs.copy()
    faint[:, 0] += 40 * faint.max(axis=1)  # blank everywhere; what was said is next
    faint /= faint.sum(axis=1, keepdims=True)
    values = {"roast": "dark roast", "drink": "iced coffee"}
    assert find(faint, values).slot_margins["drink"] < 0
    tilted = find(faint, values, scoring=Scoring(blank_nats=4.0, phone_nats=2.0))
    assert tilted.slot_margins["drink"] > 0
    assert tilted.text == "get me a dark roast iced coffee"


def test_words_without_a_listed_pronunciation_are_refused():
    grammar = Grammar(templates={"order": tuple(expand("zorblax $drink:drink", SLOTS))}, slots=SLOTS)
    with pytest.raises(ConfigError, match="'zorblax', which the lexicon does not list"):
        Transcriber(grammar, PHONE_SET).find(np.log(planted("coffee")), "order", {"drink": "coffee"}, AS_HEARD)


def test_batched_log_probs_are_those_of_the_plain_forward_algorithm():
    rng = np.random.default_rng(0)
    frames = np.log(rng.dirichlet(np.full(6, 0.3), size=12))
    sentences = [tuple(rng.integers(1, 6, size=length).tolist()) for length in rng.integers(1, 9, size=150)]
    expected = [forward_log_prob(frames, sentence) for sentence in sentences]
    np.testing.assert_allclose(sentence_log_probs(frames, sentences, 0), expected, atol=1e-9)


def test_a_sentence_longer_than_the_recording_is_impossible():
    frames = np.log(np.full((3, 4), 0.25))
    assert sentence_log_probs(frames, [(1, 2, 3), (1, 1, 2)], 0).tolist() == pytest.approx([3 * np.log(0.25), -np.inf])


def test_less_blank_keeps_rows_normalised_and_the_odds_of_phones():
    frames = np.log(np.random.default_rng(1).dirichlet(np.ones(5), size=7))
    tilted = less_blank(frames, 0, 3.0)
    np.testing.assert_allclose(np.exp(tilted).sum(axis=1), 1.0)
    np.testing.assert_allclose(np.diff(tilted[:, 1:]), np.diff(frames[:, 1:]))
    np.testing.assert_allclose(tilted[:, 0] - tilted[:, 1], frames[:, 0] - frames[:, 1] - 3.0)


def test_greedy_labels_merge_repeats_and_drop_blanks():
    frames = np.log(np.eye(3)[[0, 1, 1, 0, 1, 2, 2, 0]] + 1e-3)
    assert greedy_labels(frames, 0) == [1, 1, 2]
