"""The posterior adapter: does nothing untrained, learns a confusion from other recordings, repeats itself."""

import numpy as np
import pytest
import torch

from elocute.errors import ConfigError
from elocute.evaluation.metrics import edit_distance
from elocute.training.adapter import Adaptation, Adapter, adapted, fold_of
from elocute.training.transcribe import greedy_labels

COLUMNS = 6
QUICK = Adaptation(epochs=25, channels=24, batch=12, peak_rate=3e-2)


def misheard(count: int) -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """Recordings of a model that hears 1 as 2, and what was said in truth: 1 stands before 3 only, 2 never does."""
    rng = np.random.default_rng(0)
    posteriors, labels = {}, {}
    for number in range(count):
        said = [word for choice in rng.integers(0, 3, size=5) for word in ((1, 3), (2, 4), (5,))[choice]]
        spoken = [0, *(column for label in said for column in (2 if label == 1 else label, 0, 0))]
        probs = np.full((len(spoken), COLUMNS), 0.02)
        probs[np.arange(len(spoken)), spoken] = 0.9
        posteriors[f"r{number}"] = np.log(probs).astype(np.float32)
        labels[f"r{number}"] = said
    return posteriors, labels


def error_rate(posteriors: dict[str, np.ndarray], labels: dict[str, list[int]]) -> float:
    errors = sum(edit_distance(greedy_labels(posteriors[name], 0), said) for name, said in labels.items())
    return errors / sum(map(len, labels.values()))


def test_untrained_it_only_normalises():
    frames = torch.randn(2, 30, COLUMNS)
    torch.testing.assert_close(Adapter(COLUMNS, 8).eval()(frames), frames.log_softmax(-1))


def test_it_learns_what_the_model_mishears_from_the_other_folds():
    posteriors, labels = misheard(40)
    before = error_rate(posteriors, labels)
    epochs = []
    after = adapted(posteriors, labels, QUICK, on_epoch=epochs.append)
    assert list(after) == list(posteriors)
    assert before > 0.15
    assert error_rate(after, labels) < before / 4
    assert epochs == list(range(1, QUICK.folds * QUICK.epochs + 1))
    for name, frames in after.items():
        assert frames.shape == posteriors[name].shape
        np.testing.assert_allclose(np.exp(frames).sum(axis=1), 1.0, atol=1e-5)


def test_a_recordings_own_labels_do_not_touch_it():
    posteriors, labels = misheard(8)
    config = Adaptation(epochs=3, channels=4, batch=4)
    other = {**labels, "r0": [5]}
    ours, theirs = adapted(posteriors, labels, config), adapted(posteriors, other, config)
    fold = fold_of("r0", config.folds)
    for name in posteriors:
        assert np.array_equal(ours[name], theirs[name]) == (fold_of(name, config.folds) == fold), name


def test_the_same_seed_gives_the_same_and_leaves_torch_alone():
    posteriors, labels = misheard(8)
    config = Adaptation(epochs=2, channels=4)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first = adapted(posteriors, labels, config)
    assert torch.equal(torch.rand(1), expected)
    second = adapted(posteriors, labels, config)
    assert all(np.array_equal(first[name], second[name]) for name in posteriors)


def test_a_fold_with_nothing_to_learn_from_is_refused():
    posteriors, labels = misheard(8)
    half = {name: said for name, said in labels.items() if fold_of(name, 2) == 1}
    with pytest.raises(ConfigError, match="fold 1 leaves no transcribed recording"):
        adapted(posteriors, half, Adaptation(epochs=1, channels=4))
