"""Speech for tests in which every word is a tone of its own, and assessors that hear tones: a perfect one, a flatterer.

What a case does to a recording can then be heard without any of our models, so that a perfect assessor must succeed
at every case and one that finds all things good must fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

from elocute.corpora.spoken import SpokenCorpus, SpokenUtterance
from elocute.phones import phonemize
from elocute.report import AudioFacts, ModelFacts, PhoneReport, Report, UtteranceScores, WordReport

RATE = 16_000
WORD_S, GAP_S = 0.3, 0.12
VOCABULARY = (
    "basket", "candle", "dentist", "engine", "finger", "garden", "hammer", "island", "jacket", "kitchen", "lemon",
    "market", "number", "orange", "pencil", "rabbit", "silver", "table", "uncle", "valley", "winter", "yellow",
    "zebra", "bottle", "castle", "doctor", "eleven", "flower", "guitar", "honey", "insect", "jungle", "kettle",
    "ladder", "monkey", "needle",
)  # fmt: skip
_FIRST_HZ, _STEP_HZ = 400.0, 75.0
_FRAME = 640


def spoken(words: Sequence[str], seed: int = 0) -> np.ndarray:
    """A recording of words: tones with pauses between, over a little noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(WORD_S * RATE)) / RATE
    gap = np.zeros(round(GAP_S * RATE))
    parts = [gap]
    for word in words:
        frequency_hz = _FIRST_HZ + _STEP_HZ * VOCABULARY.index(word)
        parts += [0.2 * np.sin(2 * np.pi * frequency_hz * time_s) * np.hanning(len(time_s)) ** 0.2, gap]
    samples = np.concatenate(parts)
    return (samples + 1e-4 * rng.standard_normal(len(samples))).astype(np.float32)


@dataclass(frozen=True)
class HeardWord:
    """A tone that was heard."""

    word: str
    start_s: float
    end_s: float

    @property
    def is_whole(self) -> bool:
        return self.end_s - self.start_s > 0.75 * WORD_S


def heard(samples: np.ndarray) -> list[HeardWord]:
    """The tones of a recording, by the peak of the spectrum every 10 ms."""
    if len(samples) < _FRAME:
        return []
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::160]
    peak_hz = np.abs(np.fft.rfft(frames * np.hanning(_FRAME), axis=1)).argmax(axis=1) * RATE / _FRAME
    indices = np.rint((peak_hz - _FIRST_HZ) / _STEP_HZ).astype(int)
    is_loud = np.sqrt(np.square(frames).mean(axis=1)) >= 0.04
    found: list[HeardWord] = []
    for start, index, loud in zip(range(0, len(samples), 160), indices.tolist(), is_loud, strict=False):
        if not loud or not 0 <= index < len(VOCABULARY):
            continue
        begin_s, end_s = (start + 160) / RATE, (start + _FRAME - 160) / RATE
        if found and found[-1].word == VOCABULARY[index] and begin_s - found[-1].end_s < 0.03:
            found[-1] = replace(found[-1], end_s=end_s)
        else:
            found.append(HeardWord(VOCABULARY[index], begin_s, end_s))
    return [item for item in found if item.end_s - item.start_s > 0.05]


class PerfectAssessor:
    """Says of tones what a perfect assessor would say of speech."""

    def assess(self, audio, text, *, sample_rate=None, pronunciations=None) -> Report:
        assert sample_rate == RATE
        if not np.any(audio):
            from elocute.errors import AudioError

            raise AudioError("recording (array) is silent: 0 dB; check the microphone")
        words, said = text.lower().split(), heard(np.asarray(audio))
        broken = [item for item in said if not item.is_whole]
        whole = [item for item in said if item.is_whole]
        entries: list[WordReport] = [extra(item, "restart") for item in broken]
        matcher = SequenceMatcher(a=words, b=[item.word for item in whole], autojunk=False)
        for kind, a, b, c, d in matcher.get_opcodes():
            if kind == "equal":
                entries += [text_word(k, words[k], whole[c + k - a]) for k in range(a, b)]
            elif kind == "replace" and b - a == d - c:
                entries += [text_word(k, words[k], whole[c + k - a], "mispronunciation") for k in range(a, b)]
            else:
                entries += [text_word(k, words[k], None, "omission") for k in range(a, b)]
                entries += [extra(item, "repetition" if item.word in words else "insertion") for item in whole[c:d]]
        return self.report(text, entries)

    def word_times(self, audio, report: Report, *, text, pronunciations):
        return tuple(
            () if word.start_s is None else tuple((phone.start_s, phone.end_s) for phone in word.phonemes)
            for word in report.text_words
        )

    def report(self, text: str, entries: list[WordReport]) -> Report:
        words = sorted((word for word in entries if word.text_index is not None), key=lambda word: word.text_index)
        said = sum(word.error != "omission" for word in words) / len(words)
        good = sum(word.error is None for word in words) / len(words)
        return report_of(text, [*words, *(w for w in entries if w.text_index is None)], said, good)


class Flatterer(PerfectAssessor):
    """Hears where words are, and finds everything good."""

    def report(self, text: str, entries: list[WordReport]) -> Report:
        words = sorted((word for word in entries if word.text_index is not None), key=lambda word: word.text_index)
        return report_of(text, [replace(word, error=None) for word in words], 1.0, 0.9)


def report_of(text: str, words: Sequence[WordReport], said: float, good: float) -> Report:
    """A report with a total; it refuses where hardly anything is good."""
    is_refused = good < 0.15
    score = None if is_refused else round(100 * good, 1)
    return Report(
        schema_version="1",
        text=text,
        language="en-US",
        scale=100,
        model=ModelFacts(backend="tones", scorer="tones", version="0"),
        audio=AudioFacts(duration_s=1.0, speech_s=1.0, snr_db=None, clipped=0.0),
        utterance=UtteranceScores(
            accuracy=score,
            fluency=score,
            prosody=score,
            completeness=None if is_refused else round(100 * said, 1),
            total=score,
        ),
        words=tuple(words),
        mispronunciations=(),
        fluency=None,
        prosody=None,
        feedback=(),
        warnings=("tones are no speech", *(("nothing of the text was heard (0 of 9)",) if is_refused else ())),
    )


def text_word(index: int, word: str, at: HeardWord | None, error: str | None = None) -> WordReport:
    """A word of the text with its phones spread evenly over it."""
    phones = [phone.symbol for phone in phonemize(word).phones]
    edges = [None] * (len(phones) + 1) if at is None else np.linspace(at.start_s, at.end_s, len(phones) + 1).tolist()
    return WordReport(
        word=word,
        text_index=index,
        start_s=edges[0],
        end_s=edges[-1],
        accuracy=90.0,
        stress=90.0,
        total=90.0,
        error=error,
        variant=None,
        syllables=(),
        phonemes=tuple(
            PhoneReport(
                phone=symbol,
                ipa="x",
                start_s=edges[k],
                end_s=edges[k + 1],
                score=0.0 if at is None else 90.0,
                expected=symbol,
                actual=symbol,
                error=None,
                probability=0.0,
                is_unsure=False,
                nbest=(),
            )
            for k, symbol in enumerate(phones)
        ),
    )


def extra(item: HeardWord, error: str) -> WordReport:
    """An entry for speech that the text does not have."""
    return WordReport(
        word=f"/{item.word}/",
        text_index=None,
        start_s=item.start_s,
        end_s=item.end_s,
        accuracy=None,
        stress=None,
        total=None,
        error=error,
        variant=None,
        syllables=(),
        phonemes=(),
    )


def sentences(count: int, seed: int = 0) -> list[list[str]]:
    """Sentences of six to eight words, none twice in one."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(VOCABULARY)[: rng.integers(6, 9)].tolist() for _ in range(count)]


def write_folder(folder: Path, count: int = 6) -> Path:
    """A transcribed folder of tones."""
    import soundfile

    (folder / "audio").mkdir(parents=True)
    lines = []
    for number, words in enumerate(sentences(count)):
        soundfile.write(folder / "audio" / f"u{number}.wav", spoken(words, number), RATE, subtype="FLOAT")
        lines.append(f"u{number}\t{' '.join(words).capitalize()}.\n")
    (folder / "transcripts.tsv").write_text("".join(lines))
    return folder


def corpus(count: int = 12, speakers: int = 4) -> SpokenCorpus:
    """Sentences without recordings; `spoken` makes them."""
    return SpokenCorpus(
        name="tones",
        split=None,
        utterances=tuple(
            SpokenUtterance(id=f"u{k}", speaker=f"s{k % speakers}", audio=Path("none"), text=" ".join(w), phones=None)
            for k, w in enumerate(sentences(count))
        ),
        scored=None,
    )


def make_perfect() -> PerfectAssessor:
    """For worker processes."""
    return PerfectAssessor()
