"""Which accepted form was said: the graph against every combination of forms spelled out, and planted recordings."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elocute.gop.variants as module
from elocute.ctc import viterbi
from elocute.gop.variants import VARIANT_NATS, best_variants
from elocute.phones import phonemize
from elocute.phones.pronounce import with_pronunciation
from elocute.phones.variants import unstressed
from elocute.types import Canonical, PhoneSet, Posteriors, Variant, Word
from planted import heard

SYMBOLS = ("A", "B", "C")


def chosen(said: str, text: str) -> list[str]:
    words = best_variants(heard(said.split()), phonemize(text)).words
    return [" ".join(phone.symbol for phone in word.phones) for word in words]


def kinds(said: str, text: str) -> list[str | None]:
    return [word.variant for word in best_variants(heard(said.split()), phonemize(text)).words]


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("either", "IY DH ER", ["IY DH ER"]),
        ("either", "AY DH ER", ["AY DH ER"]),
        ("tomato", "T AH M AA T OW", ["T AH M AA T OW"]),
        ("black and white", "B L AE K AH N W AY T", ["B L AE K", "AH N", "W AY T"]),
        ("black and white", "B L AE K AE N D W AY T", ["B L AE K", "AE N D", "W AY T"]),
        ("either tomato", "AY DH ER T AH M AA T OW", ["AY DH ER", "T AH M AA T OW"]),
        ("did you", "D IH JH UW", ["D IH JH", "UW"]),
        ("did you", "D IH D Y UW", ["D IH D", "Y UW"]),
        ("did you", "D IH JH Y AH", ["D IH JH", "Y AH"]),
        ("get up", "G EH D AH P", ["G EH D", "AH P"]),
        ("this seat", "DH IH S IY T", ["DH IH", "S IY T"]),
        ("in bed", "IH M B EH D", ["IH M", "B EH D"]),
        ("last night", "L AE S N AY T", ["L AE S", "N AY T"]),
        ("give him", "G IH V IH M", ["G IH V", "IH M"]),
        ("we have to go", "W IY HH AE F T AH G OW", ["W IY", "HH AE F", "T AH", "G OW"]),
    ],
)
def test_the_variant_that_was_said_becomes_canonical(text: str, said: str, expected: list[str]):
    assert chosen(said, text) == expected


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("black and white", "B L AE K AH N W AY T", [None, "weak form", None]),
        ("the end", "DH IY EH N D", ["weak form", None]),
        ("the tree", "DH IY T R IY", ["strong form", None]),
        ("water", "W AO D ER", ["flap"]),
        ("last car", "L AA S K AA", ["British", "British"]),
        ("would you", "W UH JH UW", ["joined y", "joined y"]),
        ("either", "AY DH ER", ["dictionary variant"]),
        ("either", "IY DH ER", [None]),
    ],
)
def test_the_kind_of_the_variant_is_known(text: str, said: str, expected: list[str | None]):
    assert kinds(said, text) == expected


@pytest.mark.parametrize(
    ("text", "said", "canonical"),
    [
        ("think", "S IH NG K", ["TH IH NG K"]),
        ("this bed", "DH IH B EH D", ["DH IH S", "B EH D"]),  # nothing shared: the S is missing
        ("walked home", "W AO K HH OW M", ["W AO K T", "HH OW M"]),  # the past tense is missing
        ("walked near", "W AO K N IH R", ["W AO K T", "N IH R"]),
        ("did you", "D IH D UW", ["D IH D", "Y UW"]),  # no Y, and nothing that holds it
        ("each year", "IY CH IH R", ["IY CH", "Y IH R"]),
        ("he said", "HH IH S EH D", ["HH IY", "S EH D"]),
        ("him", "IH M", ["HH IH M"]),  # after a pause the HH is said
        ("ten apples", "T EH M AE P AH L Z", ["T EH N", "AE P AH L Z"]),
    ],
)
def test_an_error_does_not_become_a_variant(text: str, said: str, canonical: list[str]):
    assert chosen(said, text) == canonical


def test_without_evidence_the_dictionary_form_stays():
    canonical = phonemize("either tomato and the water did you")
    flat = replace(heard(["S"]), log_probs=np.full((100, 40), -np.log(40.0), dtype=np.float32))
    assert best_variants(flat, canonical).phones == canonical.phones


def test_the_words_keep_their_places_and_texts():
    canonical = phonemize("Either black, and white!")
    words = best_variants(heard("AY DH ER B L AE K AH N W AY T".split()), canonical).words
    assert [word.text for word in words] == [word.text for word in canonical]
    assert [{phone.word_index for phone in word.phones} for word in words] == [{0}, {1}, {2}, {3}]
    for word, original in zip(words, canonical, strict=True):
        assert set(word.variants) == set(original.variants)
        assert unstressed(word.variants[0].phones) == tuple(phone.symbol for phone in word.phones)


def test_choosing_again_chooses_the_same():
    posteriors = heard("L AA S K AA D IH JH UW".split())
    once = best_variants(posteriors, phonemize("last car did you"))
    assert [word.variant for word in once] == ["British", "British", "joined y", "joined y"]
    assert best_variants(posteriors, once).words == once.words


def test_given_pronunciations_stay():
    canonical = phonemize("did you", pronunciations=[["D", "IH", "D"], ["Y", "UW"]])
    assert best_variants(heard("D IH JH UW".split()), canonical) is canonical


@pytest.mark.parametrize(("frames", "phones"), [(0, 4), (2, 4), (3, 3)])
def test_a_recording_too_short_for_the_dictionary_form_takes_a_shorter_variant(frames: int, phones: int):
    spoken = heard(["L", "AE", "S"], 0.1)
    spoken = replace(spoken, log_probs=spoken.log_probs[:frames])
    assert len(best_variants(spoken, phonemize("last")).phones) == phones


def word(index: int, variants: list[Variant]) -> Word:
    first = Word(text="w", spoken="w", phones=phonemize("w").phones[:1], variants=tuple(variants), source="lexicon")
    found = with_pronunciation(first, variants[0])
    return replace(found, phones=tuple(replace(phone, word_index=index) for phone in found.phones))


spellings = st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=3).map(tuple)
neighbours = st.none() | st.frozensets(st.sampled_from(SYMBOLS), min_size=1)
others = st.builds(Variant, phones=spellings, kind=st.just("other"), before=neighbours, after=neighbours)
texts = st.lists(st.tuples(spellings, st.lists(others, max_size=3)), min_size=1, max_size=3)


@given(texts, st.integers(0, 9), st.integers(0, 10_000), st.sampled_from([2, 3, 512]))
@settings(max_examples=150, deadline=None)
def test_the_graph_finds_the_best_of_all_combinations(texts, T, seed, frames_kept):
    """Every combination of forms that go together, spelled out in a Viterbi pass of its own."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=3.0, size=(T, 4))
    log_probs = (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)
    phone_set = PhoneSet.one_label_each(SYMBOLS)
    posteriors = Posteriors(log_probs=log_probs, frame_shift_s=0.02, phone_set=phone_set)
    words = tuple(word(i, [Variant(phones=first), *rest]) for i, (first, rest) in enumerate(texts))

    def value(forms: tuple[Variant, ...]) -> float:
        ends = [None, *forms, None]
        for left, right in itertools.pairwise(ends):
            before, after = left and left.before, right and right.after
            if before is not None and (right is None or right.phones[0] not in before):
                return -np.inf
            if after is not None and (left is None or left.phones[-1] not in after):
                return -np.inf
        labels = [SYMBOLS.index(phone) + 1 for form in forms for phone in form.phones]
        return viterbi(log_probs, labels).log_prob - VARIANT_NATS * sum(form.kind is not None for form in forms)

    best = max(value(forms) for forms in itertools.product(*(one.variants for one in words)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FRAMES_KEPT", frames_kept)
        found = best_variants(posteriors, Canonical(text="w", words=words))
    if best == -np.inf:
        assert found.words == words
    else:
        assert value(tuple(one.variants[0] for one in found.words)) == pytest.approx(best)


def test_phones_of_several_labels_are_spelled_out():
    phone_set = PhoneSet(symbols=SYMBOLS, tokens=((1, 2), (3,), (2, 1)), size=4, blank_id=0)
    log_probs = np.log(np.full((4, 4), 0.02, dtype=np.float32) + 0.92 * np.eye(4, dtype=np.float32)[[2, 1, 0, 3]])
    posteriors = Posteriors(log_probs=log_probs, frame_shift_s=0.02, phone_set=phone_set)
    words = (
        word(0, [Variant(phones=("A",)), Variant(phones=("C",), kind="other")]),
        word(1, [Variant(phones=("B",))]),
    )
    found = best_variants(posteriors, Canonical(text="w", words=words))
    assert [one.variant for one in found] == ["other", None]


def test_a_long_recording_gives_what_a_short_one_does(monkeypatch: pytest.MonkeyPatch):
    text, said = "did you get up last night", "D IH JH UW G EH D AH P L AE S N AY T"
    whole = kinds(said, text)
    monkeypatch.setattr(module, "_FRAMES_KEPT", 7)
    assert kinds(said, text) == whole == ["joined y", "joined y", "flap", None, "dictionary variant", None]
