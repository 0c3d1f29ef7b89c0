"""Reports built by hand, for tests of what the command line shows."""

from __future__ import annotations

from collections.abc import Sequence

from elocute.phones import ipa_name, split_stress
from elocute.report import (
    AudioFacts,
    FluencyFacts,
    Heard,
    Mispronunciation,
    ModelFacts,
    PauseFacts,
    PhoneReport,
    Report,
    SyllableReport,
    UtteranceScores,
    WordReport,
)


def phone(symbol: str, score: float | None = 96.0, **changes: object) -> PhoneReport:
    """One phone, right unless said otherwise."""
    base, stress = split_stress(symbol)
    facts: dict[str, object] = {
        "phone": symbol,
        "ipa": ipa_name(base, stress),
        "start_s": 0.1,
        "end_s": 0.2,
        "score": score,
        "expected": base,
        "actual": base,
        "error": None,
        "probability": 0.02,
        "is_unsure": False,
        "nbest": (Heard(phone=base, probability=0.98),),
    }
    return PhoneReport(**(facts | changes))  # type: ignore[arg-type]


def word(text: str, phones: Sequence[PhoneReport], total: float | None = 93.0, **changes: object) -> WordReport:
    """One word of one syllable."""
    wrong = any(item.error for item in phones)
    facts: dict[str, object] = {
        "word": text,
        "text_index": 0,
        "start_s": 0.1,
        "end_s": 0.5,
        "accuracy": total,
        "stress": 100.0,
        "total": total,
        "error": "mispronunciation" if wrong else None,
        "variant": None,
        "syllables": (
            SyllableReport(
                phones=tuple(item.expected for item in phones),
                score=90.0,
                stress_expected=1,
                stress_spoken=None,
                stress_score=None,
            ),
        ),
        "phonemes": tuple(phones),
    }
    return WordReport(**(facts | changes))  # type: ignore[arg-type]


def report(words: Sequence[WordReport], **changes: object) -> Report:
    """A report of these words, with every flagged phone of a word that was said among the mispronunciations."""
    found = [
        Mispronunciation(
            word=item.word,
            word_index=i,
            phone_index=k,
            expected=bad.expected,
            actual=bad.actual,
            type=bad.error,
            probability=bad.probability,
            suggestion=None,
        )
        for i, item in enumerate(words)
        if item.error != "omission"
        for k, bad in enumerate(item.phonemes)
        if bad.error is not None
    ]
    facts: dict[str, object] = {
        "schema_version": "1",
        "text": " ".join(item.word for item in words),
        "language": "en-US",
        "scale": 100,
        "model": ModelFacts(backend="embedded 1", scorer="embedded 1", version="0.1.0"),
        "audio": AudioFacts(duration_s=2.5, speech_s=2.1, snr_db=31.0, clipped=0.0),
        "utterance": UtteranceScores(accuracy=81.4, fluency=88.0, prosody=85.2, completeness=100.0, total=82.3),
        "words": tuple(words),
        "mispronunciations": tuple(sorted(found, key=lambda item: -item.probability)),
        "fluency": FluencyFacts(
            speech_rate_syl_s=3.8,
            articulation_rate_syl_s=4.1,
            wcpm=131.0,
            pause_count=2,
            long_pause_count=1,
            mean_pause_s=0.42,
            pause_ratio=0.2,
            phonation_ratio=0.8,
            mean_length_of_run=4.5,
            pauses=(PauseFacts(start_s=0.4, end_s=0.9, after_word=0, place="phrase"),),
        ),
        "prosody": None,
        "feedback": (),
        "warnings": ("audio is noisy (about 7 dB over the noise); find a quieter place",),
    }
    return Report(**(facts | changes))  # type: ignore[arg-type]


def weather() -> Report:
    """'think' said with S, accent on ER in 'weather', N dropped in 'nice', 'today' unclear, 'very' left out."""
    gone = {"start_s": None, "end_s": None, "actual": None, "error": "deletion", "probability": 0.9}
    think = [
        phone("TH", 12.0, actual="S", error="substitution", probability=0.931),
        phone("IH1"),
        phone("NG"),
        phone("K"),
    ]
    rather = [phone("W"), phone("EH1", 71.0), phone("DH"), phone("ER0", 40.0, error="distortion", probability=0.66)]
    syllables = tuple(
        SyllableReport(phones=phones, score=80.0, stress_expected=stress, stress_spoken=None, stress_score=None)
        for phones, stress in ((("W", "EH"), 1), (("DH", "ER"), 0))
    )
    return report(
        [
            word("I", [phone("AY1")]),
            word("think", think, 58.0),
            word("weather", rather, 74.0, syllables=syllables),
            word("is", [phone("IH1"), phone("Z")]),
            word(
                "very",
                [phone(symbol, 0.0, **gone) for symbol in ("V", "EH1", "R", "IY0")],
                0.0,
                error="omission",
                start_s=None,
                end_s=None,
                stress=None,
            ),
            word("nice", [phone("N", 5.0, actual=None, error="deletion", probability=0.999), phone("AY1"), phone("S")]),
            word("today", [phone("T"), phone("AH0", 55.0), phone("D"), phone("EY1")], 88.0),
        ]
    )
