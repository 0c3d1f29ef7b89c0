"""What a first language is worth: planted corpora in which the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.planted import heard
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.corpora.speechocean762 import ScoredUtterance, ScoredWord
from elocute.diagnosis import Detector
from elocute.errors import ConfigError
from elocute.evaluation.first_language import checked_codes, detection_rows, listen, naming_row, plant, real_places
from elocute.evaluation.flite import installed_voices
from elocute.evaluation.foreseen import prediction_rows
from elocute.evaluation.predictions import Prediction
from elocute.phones import PHONES
from elocute.phones.l1 import l1_codes, l1_profile
from elocute.types import Posteriors

BERRY, ZOO, THIN = ("B", "EH", "R", "IY"), ("S", "UW"), ("TH", "IH", "N")
DETECTOR = Detector(bias=0.0, weights=(1.0, 0.0, -1.0), thresholds=(0.7, 0.5, 0.3, 0.1))


def utterance(name: str, speaker: str, words: list[tuple[str, ...]], scores: list[list[float]]) -> ScoredUtterance:
    scored = tuple(
        ScoredWord(
            text="-".join(word),
            phones=word,
            phone_accuracy=tuple(each),
            accuracy=5 * sum(each) / len(each),
            stress=10.0,
            total=8.0,
        )
        for word, each in zip(words, scores, strict=True)
    )
    whole = dict.fromkeys(("accuracy", "completeness", "fluency", "prosodic", "total"), 8.0)
    return ScoredUtterance(
        id=name, speaker=speaker, gender="f", age=30, audio=Path(name), text="X", words=scored, **whole
    )


@pytest.fixture(scope="module")
def corpus() -> tuple[list[ScoredUtterance], dict[str, Posteriors]]:
    """Eight speakers; each says "berry sue thin" well but for the TH, which is S and called wrong."""
    utterances, frames = [], {}
    for number in range(8):
        name = f"u{number}"
        utterances.append(utterance(name, f"s{number}", [BERRY, ZOO, THIN], [[2.0] * 4, [2.0] * 2, [0.2, 2.0, 1.0]]))
        frames[name] = heard([*BERRY, *ZOO, "S", "IH", "N"], certainty=0.5 + 0.05 * number)
    return utterances, frames


def test_errors_of_the_language_are_named_better_with_its_profile(
    corpus: tuple[list[ScoredUtterance], dict[str, Posteriors]],
) -> None:
    utterances, frames = corpus
    places = plant("es", utterances * 4, frames, l1_profile("es"), seed=0)
    assert len(places.at) >= 8
    own = np.array([PHONES.index(word[at]) for word, at in zip(places.word, places.at, strict=True)])
    assert (places.evidence[np.arange(len(own)), own] == 0.0).all()
    # What was said is a usual error of the language at what the text now asks for.
    for word, at, said in zip(places.word, places.at, places.said.tolist(), strict=True):
        assert PHONES[said] in l1_profile("es").said_instead(word, at)
    row = naming_row(places, ["es", "ar"], draws=50)
    assert (row.measure, row.n) == ("named", len(places.at))
    assert row.change["es"].value is not None
    assert row.change["es"].value >= 0.0


def test_the_expected_error_raises_the_evidence_and_another_language_less(
    corpus: tuple[list[ScoredUtterance], dict[str, Posteriors]],
) -> None:
    wrong, accented = real_places(listen(*corpus))
    assert (len(wrong.at), len(accented.at)) == (8, 8)
    assert {word[at] for word, at in zip(wrong.word, wrong.at, strict=True)} == {"TH"}
    row = naming_row(wrong, ["fr", "el"], draws=50)
    assert row.measure == "nats"
    gains = [row.change[code].value for code in ("fr", "el")]
    assert gains[0] is not None
    assert gains[1] is not None
    assert gains[0] > gains[1] + 0.1  # French says S for TH; Greek has the sound, so nothing speaks for S there


def test_detection_does_not_move(corpus: tuple[list[ScoredUtterance], dict[str, Posteriors]]) -> None:
    utterances, frames = corpus
    stated = [0.1] * 6 + [0.9, 0.6, 0.1]
    stored = {
        one.id: Prediction(id=one.id, phone=None, word=None, utterance=None, phone_error=stated) for one in utterances
    }
    rows = detection_rows(listen(utterances, frames), stored, DETECTOR, l1_codes()[:4], draws=50)
    assert [row.l1 for row in rows] == [None, *l1_codes()[:4]]
    assert all(row.most_moved < 1e-9 for row in rows)
    assert [row.f1.value for row in rows] == pytest.approx([2 / 3] * 5)


def test_predicted_difficulty_is_ranked_against_scores_and_length() -> None:
    easy, hard = ("S", "IY", "D", "EY"), ("TH", "IH", "NG", "Z")
    words = [
        utterance(f"{k}{s}", f"s{s}", [easy, hard], [[2.0 - 0.01 * s] * 4, [1.0 + 0.01 * k] * 4])
        for k in range(3)
        for s in range(6)
    ]
    rows = {(row.level, row.predictor): row for row in prediction_rows(words, ["zh"], draws=50)}
    length = rows["word", "number of phones"].scc.value
    assert length is None  # all are of one length
    ours = rows["word", "difficulty, zh"].scc.value
    assert ours is not None
    assert ours > 0.8
    assert rows["word type", "difficulty, zh"].n == 2
    assert rows["phone", "likelihood of an error, zh"].n == 8 * 18


def test_codes() -> None:
    assert checked_codes(["Mandarin", "zh", "es"]) == ("zh", "es")
    assert checked_codes(["all"]) == l1_codes()
    with pytest.raises(ConfigError, match="did you mean 'spanish'"):
        checked_codes(["Spanisch"])


@pytest.mark.skipif(not installed_voices(), reason="flite is not installed")
def test_errors_that_flite_speaks_are_errors_of_the_language() -> None:
    from elocute.acoustic import load_backend
    from elocute.evaluation.spoken_errors import speak_errors

    profile = l1_profile("de")
    texts = ["I think we want very good bread", "My dog was in the garden"]
    places = speak_errors(texts, profile, installed_voices()[:1], load_backend("embedded", threads=1), seed=1)
    assert len(places.at) >= 1
    for word, at, said in zip(places.word, places.at, places.said.tolist(), strict=True):
        assert [*PHONES, None][said] in profile.said_instead(word, at)


def test_the_command_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["evaluate", "l1", str(tmp_path), "--heldout", str(tmp_path), "--l1", "Spanisch"])
    assert done.exit_code == 1
    assert "did you mean 'spanish'?" in done.stderr
    done = CliRunner().invoke(app, ["evaluate", "l1", str(tmp_path), "--heldout", str(tmp_path)])
    assert done.exit_code == 1
    assert "official layout of speechocean762" in done.stderr
