"""Words stressed to order: how they are spelt for each synthesiser, and how what was found is counted."""

import shutil
from collections.abc import Sequence

import numpy as np
import pytest

from elocute.acoustic import load_backend
from elocute.evaluation import stress_speech
from elocute.evaluation.stress import (
    CONDITIONS,
    held_out_model,
    judged,
    measure_parts,
    moved_sentences,
    pair_sentences,
    pair_voices,
    voices_by_group,
)
from elocute.evaluation.stress_data import Listener, StressRow, synthetic_rows
from elocute.evaluation.stress_speech import Voice, as_phones, installed, speak_stressed
from elocute.evaluation.stress_words import (
    CARRIERS,
    PAIRS,
    StressedWord,
    drawn_words,
    in_carrier,
    is_held_out,
    known_words,
    moved,
    pairs,
    stress_of,
)
from elocute.phones import parse_arpabet
from elocute.prosody.stress import embedded_stress
from elocute.prosody.syllables import CONTEXT, MEASURES, Measured

PRESENT = ("P", "R", "EH1", "Z", "AH0", "N", "T")


def test_stress_is_moved_and_the_other_vowels_kept_or_reduced() -> None:
    kept = moved("present", PRESENT, 1, reduced=False)
    assert kept.phones == ("P", "R", "EH0", "Z", "AH1", "N", "T")
    assert (kept.stressed, kept.kind) == (1, "kept")
    assert moved("present", PRESENT, 1, reduced=True).phones == ("P", "R", "AH0", "Z", "AH1", "N", "T")
    # English does not reduce the last vowel of happy, nor an ER.
    assert moved("happy", ("HH", "AE1", "P", "IY0"), 0, reduced=True).phones == ("HH", "AE1", "P", "IY0")
    assert moved("perfect", ("P", "ER1", "F", "IH2", "K", "T"), 1, reduced=True).phones[1] == "ER0"
    assert moved("happy", ("HH", "AE1", "P", "IY0"), 1, reduced=True).phones == ("HH", "AH0", "P", "IY1")


def test_both_forms_of_every_pair_are_in_the_lexicon() -> None:
    found = pairs()
    forms = {(word.name, word.stressed) for word in found}
    assert len(found) == len(forms) == 2 * len(PAIRS) == 2 * len(set(PAIRS))
    for word in found:
        assert stress_of(word.phones) == word.stressed
        assert is_held_out(word.name)


def test_known_and_held_out_words_do_not_overlap() -> None:
    known, unknown = known_words((2, 3), held_out=False), known_words((2, 3), held_out=True)
    assert not set(known) & set(unknown)
    assert set(known) & set(PAIRS) == set()
    assert 0.17 < len(unknown) / (len(known) + len(unknown)) < 0.23


def test_drawn_words_are_stressed_anywhere() -> None:
    rng = np.random.default_rng(0)
    names = known_words((3,), held_out=False)
    words = [word for word, _ in zip(drawn_words(names, rng), range(600), strict=False)]
    assert {word.kind for word in words} == {"natural", "kept", "reduced"}
    places = np.bincount([word.stressed for word in words if word.kind != "natural"])
    assert len(places) == 3
    assert places.min() > 0.25 * places.sum()
    assert all(stress_of(word.phones) == word.stressed for word in words)


def test_carriers_say_where_their_words_are() -> None:
    words = iter([StressedWord(name="present", phones=PRESENT, stressed=0, kind="natural")] * 2)
    sentence = in_carrier(words, "we saw the {} of the {}")
    assert sentence.targets == (3, 6)
    assert [sentence.words[target] for target in sentence.targets] == [PRESENT, PRESENT]
    assert len(sentence.words) == 7
    assert all(parse_arpabet(word) == word for word in sentence.words)
    assert len(pair_sentences()) == 2 * len(PAIRS)
    rng = np.random.default_rng(1)
    assert all(is_held_out(word.name) for one in moved_sentences(20, rng, held_out=True) for word in one.stressed)
    assert sum("{}" in carrier for carrier in CARRIERS) == len(CARRIERS)


def test_a_word_is_spelt_for_espeak_and_for_festival() -> None:
    assert stress_speech._in_espeak(PRESENT) == "p|r|'E|z|@|n|t"
    assert stress_speech._in_espeak(("P", "ER0", "M", "IH1", "T")) == "p|3|m|'I|t"
    assert stress_speech._in_espeak(("S", "AH1", "B", "JH", "EH2", "K", "T")) == "s|'V|b|dZ|,E|k|t"
    assert stress_speech._syllables_of(PRESENT) == "((p r eh) 1) ((z ax n t) 0)"
    assert stress_speech._syllables_of(("AH0", "B", "AW1", "T")) == "((ax) 0) ((b aw t) 1)"


def test_phones_carry_syllables_and_stress() -> None:
    (word,) = as_phones([PRESENT])
    assert [phone.symbol for phone in word] == ["P", "R", "EH", "Z", "AH", "N", "T"]
    assert [phone.stress for phone in word] == [None, None, 1, None, 0, None, None]
    assert [phone.syllable_index for phone in word] == [0, 0, 0, 1, 1, 1, 1]


def test_voices_of_one_sound_are_one_group() -> None:
    kal = [Voice(engine="flite", name="kal16"), Voice(engine="festival", name="kal_diphone")]
    other = [Voice(engine="flite", name="slt"), *(Voice(engine="espeak", name=name) for name in ("en-us", "en-us+f2"))]
    groups = voices_by_group([*kal, *other])
    assert groups == {"kal": kal, "slt": other[:1], "espeak": other[1:]}


def row(group: str, word: str, kind: str, stressed: int, syllables: int | None) -> StressRow:
    """A word of so many syllables, its place of stress written into the first measure; None was not measured."""
    if syllables is None:
        measured = None
    else:
        measures = np.zeros((syllables + 2, len(MEASURES)))
        measured = Measured(
            word=0,
            measures=measures,
            vowels=np.zeros(syllables + 2, dtype=np.int64),
            context=np.zeros((syllables, len(CONTEXT))),
        )
    return StressRow(group=group, speaker=group, word=word, kind=kind, stressed=stressed, measured=measured)


def shares(rows: Sequence[StressRow], best: Sequence[int | None]) -> dict[str, tuple[int, float | None]]:
    probabilities = [
        None if place is None else np.where(np.arange(len(one.measured or ())) == place, 0.9, 0.05)
        for one, place in zip(rows, best, strict=True)
    ]
    return {part.part: (part.words, part.right.value) for part in measure_parts(rows, probabilities, draws=10)}


def test_parts_count_what_was_found() -> None:
    held_out = known_words((3,), held_out=True)[0]
    known = known_words((2,), held_out=False)[0]
    rows = [
        row("slt", "present", "pair", 0, 2),
        row("slt", "present", "pair", 1, 2),
        row("kal", "present", "pair", 1, None),  # not measured: wrong
        row("ljspeech", held_out, "native", 1, 3),
        row("ljspeech", known, "native", 0, 2),
        row("ljspeech", known, "native", 0, 5),  # too long to count
    ]
    found = shares(rows, [0, 0, None, 1, 1, 0])
    assert found == {
        "pairs: slt": (2, 0.5),
        "pairs: kal": (1, 0.0),
        "pairs: all voices": (3, pytest.approx(1 / 3)),
        "ljspeech: all words": (2, 0.5),
        "ljspeech: unknown words": (1, 1.0),
    }


def test_a_voice_is_judged_by_the_twin_that_has_not_heard_it() -> None:
    assert held_out_model("kal") is embedded_stress("kal")
    assert held_out_model("somebody else") is embedded_stress()
    rows = [row("kal", "present", "pair", 0, 2), row("kal", "present", "pair", 0, None)]
    asked = []

    def model_of(group: str):
        asked.append(group)
        return embedded_stress()

    found = judged(rows, model_of)
    assert asked == ["kal"]
    assert found[1] is None
    assert found[0] is not None


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_synthesised_pair_is_heard_in_every_condition(condition: str) -> None:
    """Of ten pairs by espeak-ng, more than two thirds: far above chance, well below what the model can do."""
    voices = [voice for voice in installed() if voice.engine == "espeak"][:2]
    assert len(voices) == 2
    listener = Listener(backend=load_backend("embedded", threads=1), distort=CONDITIONS[condition])
    rows = [one for words in synthetic_rows(pair_sentences()[:20], voices, listener, kind="pair") for one in words]
    assert len(rows) == 20
    parts = {part.part: part for part in measure_parts(rows, judged(rows, held_out_model), draws=10)}
    value = parts["pairs: espeak"].right.value
    assert value is not None
    assert value > 0.67
    assert speak_stressed([PRESENT], voices[0]) is not None


def test_the_lexicon_is_contradicted_on_strong_evidence_only() -> None:
    rows = [row("slt", "present", "pair", 0, 2), row("slt", "present", "pair", 1, 2)]
    # Surely the second syllable in both: the first row is contradicted, and the forms are told apart by a hair.
    (part, _) = measure_parts(rows, [np.array([0.04, 0.96]), np.array([0.03, 0.97])], draws=10)
    assert (part.right.value, part.false, part.noticed, part.apart) == (0.5, 0.5, 0.5, 1.0)
    # Probably the second: not enough to contradict, and now the wrong way round.
    (part, _) = measure_parts(rows, [np.array([0.2, 0.8]), np.array([0.3, 0.7])], draws=10)
    assert (part.right.value, part.false, part.noticed, part.apart) == (0.5, 0.0, 0.0, 0.0)
    assert [str(voice) for voice in pair_voices([Voice(engine="flite", name="slt")])] == ["flite slt", "flite slt"]
