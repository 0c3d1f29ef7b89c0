"""Speech with planted errors: what is planned is drawn as promised, and what is listed was spoken."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.audio import load_audio
from elocute.errors import ConfigError
from elocute.evaluation.stress_speech import Voice
from elocute.phones import PHONES, VOWELS, phonemize, split_stress, with_stress
from elocute.training.planting import SAID_INSTEAD
from elocute.training.recordings import synthetic_recordings
from elocute.training.synthetic import LEFT_OUT, Sentence, plan, read_synthetic, sentences_of, speak, with_errors

TEXTS = ("she had a new car", "the museum is closed on monday", "blorptic zantrified")
THINK = ("TH", "IH1", "NG", "K")
SLT = Voice(engine="flite", name="slt")
WORD = st.lists(st.sampled_from([f"{p}1" if p in VOWELS else p for p in PHONES]), min_size=1, max_size=6).map(tuple)


@given(words=st.lists(WORD, min_size=1, max_size=5).map(tuple), seed=st.integers(0, 1000))
def test_errors_change_something_and_keep_every_word_and_vowel(words: tuple[tuple[str, ...], ...], seed: int):
    said = with_errors(words, np.random.default_rng(seed))
    assert said != words
    for before, after in zip(words, said, strict=True):
        assert len(after) == len(before)
        assert set(after) != {LEFT_OUT}
        vowels = [
            [split_stress(phone)[1] for phone in word if split_stress(phone)[0] in VOWELS] for word in (before, after)
        ]
        assert vowels[0] == vowels[1]


def bare(sentence: Sentence) -> tuple[str, ...]:
    return tuple(split_stress(phone)[0] for word in sentence.spoken for phone in word)


def test_a_third_is_spoken_as_written_and_the_rest_with_one_error_in_eight_phones():
    planned = plan(TEXTS[:1], 800, (SLT,), seed=3)
    assert planned == plan(TEXTS[:1], 800, (SLT,), seed=3)
    assert 0.3 < np.mean([one.said == one.canonical for one in planned]) < 0.4
    long = [one for one in planned if one.said != one.canonical and sum(map(len, one.canonical)) > 8]
    pairs = [
        pair for one in long for word in zip(one.canonical, one.said, strict=True) for pair in zip(*word, strict=True)
    ]
    assert 0.1 < np.mean([asked != said for asked, said in pairs]) < 0.16


def test_pieces_alone_with_likely_errors_alone():
    planned = plan(TEXTS[:1], 200, (SLT,), seed=4, pieces=1.0, near=1.0)
    text = " | ".join(" ".join(map(with_stress, word.phones)) for word in phonemize(TEXTS[0]))
    for one in planned:
        assert " | ".join(" ".join(word) for word in one.canonical) in text
        for word in zip(one.canonical, one.said, strict=True):
            for asked, said in zip(*word, strict=True):
                assert (
                    said in (asked, LEFT_OUT) or split_stress(said)[0] in SAID_INSTEAD[split_stress(asked)[0]].split()
                )


def test_texts_that_the_lexicon_does_not_know_are_left_out():
    with pytest.raises(ConfigError, match="none of 1 texts has only words of the lexicon; give others"):
        plan(TEXTS[2:], 3, (SLT,), seed=1)


def test_texts_come_from_folders_and_files_and_none_is_an_error(tmp_path: Path):
    (tmp_path / "a.txt").write_text("I think so.\n\n  Three things \n")
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "x.wav").touch()
    (tmp_path / "transcripts.tsv").write_text("x\tgood night\n")
    assert sentences_of([tmp_path], (), [tmp_path / "a.txt"]) == ["good night", "I think so.", "Three things"]
    with pytest.raises(ConfigError, match="no texts to speak"):
        sentences_of()
    with pytest.raises(ConfigError, match="b.txt.*a sentence a line"):
        sentences_of(files=[tmp_path / "b.txt"])
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="c.txt.*UTF-8"):
        sentences_of(files=[tmp_path / "c.txt"])


def test_a_listing_that_is_missing_or_broken_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="elocute train synthetic --out"):
        list(read_synthetic(tmp_path))
    for listing, message in (
        ("file\tphones\na\tS\n", "make the folder again"),
        ("id\tvoice\tcanonical\tsaid\n1\tflite slt\tS IY1\tS QQ\n", "phones.tsv:2: got .*ARPABET phones"),
        ("id\tvoice\tcanonical\tsaid\n1\tflite slt\tS IY1\tS\n", "phones.tsv:2: got"),
        ("id\tvoice\tcanonical\tsaid\n1\tflite\tS\tS\n", "phones.tsv:2: got"),
    ):
        (tmp_path / "phones.tsv").write_text(listing)
        with pytest.raises(ConfigError, match=message):
            list(read_synthetic(tmp_path))


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_what_is_listed_was_spoken_and_a_second_run_speaks_only_what_is_missing(tmp_path: Path):
    sentences = [
        Sentence(id="0", voice=SLT, canonical=(("TH", "IH1", "NG", "K"),), said=(("S", "IH1", "NG", LEFT_OUT),)),
        Sentence(id="1", voice=SLT, canonical=(THINK, ("S", "OW1")), said=(THINK, ("S", "OW1"))),
    ]
    counted: Counter[int] = Counter()
    assert speak(sentences, tmp_path, {"seed": 1}, lambda done, total: counted.update([total])) == 2
    assert counted == {2: 2}
    assert [sentence for _, sentence in read_synthetic(tmp_path)] == sentences
    found = synthetic_recordings(tmp_path)
    assert [tuple(PHONES[i - 1] for i in one.phones) for one in found] == [("S", "IH", "NG"), bare(sentences[1])]
    assert all(one.kind == "synthetic" and one.labels == one.phones and not one.phone_scores for one in found)
    assert 0.3 < load_audio(found[0].audio).duration_s < load_audio(found[1].audio).duration_s < 3
    (tmp_path / "1.opus").unlink()
    kept = (tmp_path / "0.opus").stat().st_mtime_ns
    assert speak(sentences, tmp_path, {"seed": 1}) == 2
    assert (tmp_path / "0.opus").stat().st_mtime_ns == kept
