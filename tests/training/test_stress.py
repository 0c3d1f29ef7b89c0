"""The stress model on drawn words: it learns what makes a syllable stand out, and not where English puts the stress."""

import io

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")

from elocute.evaluation.stress_data import StressRow
from elocute.evaluation.stress_words import is_held_out, known_words
from elocute.phones import VOWELS
from elocute.prosody.stress import FEATURES, StressModel
from elocute.prosody.syllables import CONTEXT, MEASURES, Measured
from elocute.training.stress import StressTraining, finish, fit

LENGTH, LEVEL = MEASURES.index("log_nucleus"), MEASURES.index("level_peak")
OPEN = sorted(VOWELS).index("AA")
CONFIG = StressTraining(native=(), speechocean=None, networks=1, epochs=8, hidden=4)


def drawn(rng: np.random.Generator, group: str, word: str, stressed: int, kind: str = "kept") -> StressRow:
    """Two syllables; the stressed one is longer and louder, and open vowels are much longer by nature."""
    vowels = rng.choice([OPEN, OPEN + 1], 4)
    measures = rng.normal(0.0, 0.3, (4, len(MEASURES)))
    measures[:, LENGTH] += 2.0 * (vowels == OPEN)
    measures[1 + stressed, [LENGTH, LEVEL]] += 1.5
    context = np.zeros((2, len(CONTEXT)))
    context[0, CONTEXT.index("is_first")] = context[1, CONTEXT.index("is_last")] = 1.0
    measured = Measured(word=0, measures=measures, vowels=vowels, context=context)
    return StressRow(group=group, speaker=group, word=word, kind=kind, stressed=stressed, measured=measured)


def share_right(model: StressModel, rows: list[StressRow]) -> float:
    return float(np.mean([model.prominence(row.measured).argmax() == row.stressed for row in rows if row.measured]))


def test_it_hears_stress_wherever_it_is_and_allows_for_the_vowel() -> None:
    rng = np.random.default_rng(0)
    names = known_words((2,), held_out=False)[:200]
    # Nine words in ten begin with their stress, as in English.
    rows = [drawn(rng, "a", names[n % 200], int(rng.random() < 0.1)) for n in range(900)]
    model = fit(rows, CONFIG)
    late = [drawn(rng, "b", "x", 1) for _ in range(200)]
    early = [drawn(rng, "b", "x", 0) for _ in range(200)]
    assert share_right(model, late) > 0.9
    assert abs(share_right(model, late) - share_right(model, early)) < 0.08
    assert model.usual[OPEN, LENGTH] - model.usual[OPEN + 1, LENGTH] == pytest.approx(2.0, abs=0.3)


def test_twins_leave_a_group_out_and_held_out_words_are_never_trained_on() -> None:
    rng = np.random.default_rng(1)
    names = known_words((2,), held_out=False)[:100]
    unknown = known_words((2,), held_out=True)[:50]
    rows = [drawn(rng, "a", names[n % 100], n % 2) for n in range(300)]
    # Another voice speaks the other way round: a model that heard it is worse at the first.
    contrary = [drawn(rng, "b", names[n % 100], n % 2) for n in range(300)]
    contrary = [StressRow(**{**fields(one), "stressed": 1 - one.stressed}) for one in contrary]
    poison = [drawn(rng, "a", word, n % 2) for n, word in enumerate(unknown * 20)]
    poison = [StressRow(**{**fields(one), "stressed": 1 - one.stressed}) for one in poison]
    assert all(is_held_out(one.word) for one in poison)
    checks = [drawn(rng, "a", word, n % 2, kind="native") for n, word in enumerate(unknown)]
    steps: list[tuple[str, int, int]] = []
    trained = finish(CONFIG, [*rows, *contrary, *poison], checks, "a command", lambda *step: steps.append(step))
    assert steps[-1] == ("training", 3, 3)
    with np.load(io.BytesIO(trained.weights)) as stored:
        assert stored["names"].tolist() == ["", "a", "b"]
        models = [
            StressModel(**{field: stored[field][n].astype(np.float64) for field in StressModel.__dataclass_fields__})
            for n in range(3)
        ]
    whole, without_a, without_b = (share_right(model, checks) for model in models)
    assert without_b > 0.85
    assert without_a < 0.35
    assert without_a < whole < without_b
    (part, _) = trained.card["evaluation"]["parts"]
    assert part["part"] == "a: all words"
    assert part["right"]["value"] == pytest.approx(without_a)
    assert trained.card["features"] == list(FEATURES)


def fields(row: StressRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in StressRow.__dataclass_fields__}
