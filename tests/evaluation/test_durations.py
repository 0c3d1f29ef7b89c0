"""Errors of phone times by hand, and that those of flite's speech are as small as promised."""

from __future__ import annotations

import numpy as np
import pytest

from elocute.acoustic import load_backend
from elocute.evaluation.durations import MEASURES, Timed, error_row, summarise, time_all
from elocute.evaluation.flite import installed_voices
from elocute.evaluation.synthetic import speak_texts
from elocute.prosody.sound import embedded_model


def test_errors_by_hand() -> None:
    row = error_row("all", [np.array([0.01, -0.02]), np.array([0.03, 0.07, -0.09])], draws=50)
    assert row.n == 5
    assert row.median_s.value == pytest.approx(0.03)
    assert row.within_20_ms.value == pytest.approx(2 / 5)
    assert row.within_60_ms.value == pytest.approx(3 / 5)
    assert row.mean_s.value == pytest.approx(0.0)
    assert row.median_s.low is not None
    assert row.median_s.high is not None
    assert row.median_s.low <= 0.03 <= row.median_s.high


def test_correlations_by_hand() -> None:
    def timed(true_s: list[float], found_s: list[float]) -> Timed:
        measures = np.array([np.nan, *np.arange(1.0, len(MEASURES))])
        return Timed(
            voice="a",
            inner=np.zeros(1),
            halfway=np.full(1, 0.03),
            edges=np.zeros(2),
            true_s=np.array(true_s),
            found_s=np.array(found_s),
            is_vowel=np.array([True, False]),
            true_rhythm=measures * true_s[0],
            found_rhythm=-measures * true_s[0],
        )

    parts = [timed([0.1, 0.2], [0.2, 0.4]), timed([0.3, 0.1], [0.6, 0.2]), timed([0.2, 0.2], [0.4, 0.4])]
    result = summarise(parts, data={}, provenance={}, draws=20)
    assert [row.part for row in result.boundaries] == ["all", "a", "half way", "at silence"]
    assert result.boundaries[2].median_s.value == pytest.approx(0.03)
    assert {item.what: item.pcc.value for item in result.durations} == {
        "phones": pytest.approx(1.0),
        "vowels": pytest.approx(1.0),
        "consonants": pytest.approx(1.0),
    }
    assert result.rhythm[0].n == 0
    assert result.rhythm[0].pcc.value is None
    assert all(item.pcc.value == pytest.approx(-1.0) for item in result.rhythm[1:])


@pytest.mark.skipif(not installed_voices(), reason="flite is not installed, or has none of the voices")
def test_boundaries_of_flite_are_found() -> None:
    texts = ["the weather is nice today", "she bought seven apples in the market", "please call me after five"]
    voices = installed_voices()
    spoken = speak_texts(texts, voices, 2, seed=3)
    assert [one.voice for one in spoken] == [voice for voice in voices for _ in range(2)]
    timed = time_all(spoken, load_backend("embedded", threads=1), dict.fromkeys(voices, embedded_model()))
    rows = {row.part: row for row in summarise(timed, data={}, provenance={}, draws=10).boundaries}
    assert rows["all"].n > 100
    assert rows["all"].median_s.value < 0.012 < rows["half way"].median_s.value
    assert rows["all"].p95_s.value < 0.06
