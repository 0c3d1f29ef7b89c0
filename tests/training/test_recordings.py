"""Recordings to train on: decoded, kept, and labelled by what people heard and what the lexicon knows."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.training.recordings import WILDCARD, load_pcm, native_recordings, read_pcm, speechocean_recordings


def test_pcm_is_read_as_it_is_stored(tmp_path: Path):
    samples = np.arange(-8_000, 8_000, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    np.testing.assert_array_equal(read_pcm(tmp_path / "a.wav"), samples)
    soundfile.write(tmp_path / "b.wav", np.stack([samples, samples + 2], axis=1), 16_000)
    np.testing.assert_array_equal(read_pcm(tmp_path / "b.wav"), samples + 1)


def test_loud_recordings_of_another_rate_do_not_wrap_around(tmp_path: Path):
    """Resampling a square wave at full scale overshoots it; a sample beyond 16 bits must not change its sign."""
    square = np.where(np.arange(44_100) // 200 % 2, 1.0, -1.0)
    soundfile.write(tmp_path / "square.wav", square, 44_100)
    found = read_pcm(tmp_path / "square.wav").astype(int)
    expected = np.where((np.arange(len(found)) + 0.5) * 44_100 / 16_000 // 200 % 2 > 0, 1, -1)
    away = np.abs(((np.arange(len(found)) * 44_100 / 16_000) + 100) % 200 - 100) > 20  # from the edges
    assert (np.sign(found) == expected)[away].all()
    assert np.abs(found[away]).min() > 25_000


def test_a_cache_gives_back_what_was_decoded(tmp_path: Path):
    paths = []
    for number, length in enumerate((320, 1_000, 77)):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], np.full(length, number + 1, dtype=np.int16), 16_000)
    first = load_pcm(paths, tmp_path / "cache")
    second = load_pcm(paths, tmp_path / "cache")
    assert [len(samples) for samples in second] == [320, 1_000, 77]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_cache_tells_corpora_with_equal_file_names_apart(tmp_path: Path):
    for folder, value in (("one", 100), ("two", 200)):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "0001.wav", np.full(400, value, dtype=np.int16), 16_000)
    found = [load_pcm([tmp_path / folder / "0001.wav"], tmp_path / "cache")[0] for folder in ("one", "two")]
    assert [int(samples[0]) for samples in found] == [100, 200]


def test_a_mispronounced_phone_becomes_a_wildcard(tmp_path: Path):
    """Neighbours get different wildcards, so that CTC needs no blank between them."""
    (tmp_path / "train").mkdir()
    (tmp_path / "resource").mkdir()
    for name, line in (
        ("wav.scp", "1 a.wav"), ("utt2spk", "1 0001"), ("spk2gender", "0001 f"), ("spk2age", "0001 9"),
    ):  # fmt: skip
        (tmp_path / "train" / name).write_text(line + "\n")
    word = {"text": "CAT", "accuracy": 5, "stress": 10, "total": 5}
    word |= {"phones": ["K", "AE0", "T"], "phones-accuracy": [0.4, 0.0, 0.5]}
    whole = {"accuracy": 5, "completeness": 10, "fluency": 5, "prosodic": 5, "total": 5}
    (tmp_path / "resource" / "scores.json").write_text(json.dumps({"1": whole | {"text": "CAT", "words": [word]}}))
    (found,) = speechocean_recordings(tmp_path)
    phones = tuple(1 + PHONES.index(symbol) for symbol in ("K", "AE", "T"))
    assert found.phones == phones
    assert found.labels == (WILDCARD, WILDCARD + 1, phones[2])
    assert found.phone_scores == (0.4, 0.0, 0.5)
    assert found.utterance_scores == (1.0, 1.0, 1.0, 1.0)
    assert (found.id, found.speaker, found.kind, found.audio) == ("1", "0001", "learner", tmp_path / "a.wav")
    with pytest.raises(ConfigError, match="test.wav.scp not found"):
        speechocean_recordings(tmp_path, "test")


def test_native_speech_is_kept_where_the_lexicon_knows_every_word(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "audio").mkdir()
    for name in "abc":
        (tmp_path / "audio" / f"{name}.wav").touch()
    (tmp_path / "transcripts.tsv").write_text("a\tThe cat.\nb\tThe blorptangle.\nc\t...\n")
    with caplog.at_level("INFO"):
        (found,) = native_recordings(tmp_path)
    assert (found.id, found.kind) == ("a", "native")
    assert found.labels == found.phones
    assert [PHONES[label - 1] for label in found.labels] == ["DH", "AH", "K", "AE", "T"]
    assert "1 of 3 recordings have only words of the lexicon" in caplog.text
