"""The scorer's network and its training, on a table of planted utterances."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from elocute.corpora.speechocean762 import ScoredUtterance, ScoredWord
from elocute.errors import ConfigError
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES, analyse
from elocute.scorer.features import NO_RATING
from elocute.training import scorer_data
from elocute.training.acoustic_heldout import write_heldout
from elocute.training.recordings import Recording
from elocute.training.scorer import (
    Padded,
    ScorerTraining,
    batches,
    loss_of,
    new_member,
    pad,
    predict,
    train_member,
)
from elocute.training.scorer_data import ScoredFeatures, build_table, held_out, read_heldout, scored_features
from elocute.training.scorer_model import Ensemble, Scorer, ScorerConfig, Scores
from elocute.types import Posteriors
from planted import heard, recording

TEXTS = [
    [["DH", "AH"], ["B", "L", "AE", "K"], ["K", "AE", "T"]],
    [["W", "IY"], ["K", "AO", "L"], ["IH", "T"], ["B", "EH", "R"]],
    [["AH"]],
    [["S", "T", "R", "EH", "NG", "TH", "S"]],
    [["AY"], ["S", "IY"], ["AH"], ["SH", "IY", "P"], ["AE", "N", "D"], ["G", "OW"]],
]


def row(number: int, words: list[list[str]]) -> ScoredFeatures:
    """An utterance whose scores say where a phone was replaced."""
    said = [phone for word in words for phone in word]
    wrong = number % len(said)
    spoken = [*said[:wrong], "SH", *said[wrong + 1 :]]
    word_ids = [index for index, word in enumerate(words) for _ in word]
    analysis = analyse(heard(spoken, 1.5), said, word_ids, recording(1.5, seed=number))
    phone = np.where(np.arange(len(said)) == wrong, 0.2, 1.9)
    word = np.array([[5 * phone[np.array(word_ids) == w].mean(), 10.0, 8.0] for w in range(len(words))])
    return ScoredFeatures(
        id=str(number),
        speaker=str(number % 3),
        is_child=False,
        features=analysis.features,
        phone=phone,
        word=word,
        utterance=np.array([6.0, 7.0, 8.0, 5.0]) + number % 3,
    )


@pytest.fixture(scope="module")
def rows() -> list[ScoredFeatures]:
    return [row(number, TEXTS[number % len(TEXTS)]) for number in range(10)]


@pytest.fixture(scope="module")
def member(rows: list[ScoredFeatures]) -> Scorer:
    torch.manual_seed(0)
    member = new_member(rows)
    with torch.no_grad():  # heads start out flat; make every input matter
        for parameter in member.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return member.eval()


def run(member: Scorer, batch: Padded) -> Scores:
    with torch.inference_mode():
        return member(batch.phone, batch.utterance, batch.phone_ids, batch.member, batch.valid)


def clipped(scores: Scores) -> Scores:
    """On the corpus's scale, which log-odds are not on."""
    return Scores(*(part.clamp(0, 2) for part in scores[:3]), scores.error)


# --- the network -----------------------------------------------------------------------------------------------


def test_scoring_alone_or_in_a_batch_is_the_same(rows: list[ScoredFeatures], member: Scorer):
    together = run(member, pad(rows))
    for b, one in enumerate(rows):
        alone = run(member, pad([one]))
        L, W = len(one.phone), len(one.word)
        torch.testing.assert_close(together.phone[b, :L], alone.phone[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together.word[b, :W], alone.word[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together.utterance[b], alone.utterance[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together.error[b, :L], alone.error[0], atol=1e-4, rtol=1e-4)


def test_what_lies_in_the_padding_does_not_matter(rows: list[ScoredFeatures], member: Scorer):
    batch = pad(rows)
    expected = run(member, batch)
    spoiled = torch.where(batch.valid[..., None] > 0, batch.phone, torch.full_like(batch.phone, 7.0))
    with torch.inference_mode():
        found = member(spoiled, batch.utterance, batch.phone_ids, batch.member, batch.valid)
    torch.testing.assert_close(found.phone * batch.valid, expected.phone * batch.valid)
    torch.testing.assert_close(found.error * batch.valid, expected.error * batch.valid)
    torch.testing.assert_close(found.utterance, expected.utterance)


def test_an_ensemble_of_one_is_its_member(rows: list[ScoredFeatures], member: Scorer):
    ensemble = Ensemble([member])
    for one in rows:
        batch = pad([one])
        expected = run(member, batch)
        with torch.inference_mode():
            found = ensemble(batch.phone[0], batch.utterance[0], batch.phone_ids[0], batch.member[0])
        for ours, theirs in zip(found, clipped(expected), strict=True):
            torch.testing.assert_close(ours, theirs[0], atol=1e-5, rtol=1e-5)


def test_an_ensemble_is_the_mean_of_its_members(rows: list[ScoredFeatures], member: Scorer):
    torch.manual_seed(1)
    other = new_member(rows).eval()
    batch = pad(rows[:1])
    with torch.inference_mode():
        found = Ensemble([member, other])(batch.phone[0], batch.utterance[0], batch.phone_ids[0], batch.member[0])
    mean = Scores(*((a + b) / 2 for a, b in zip(run(member, batch), run(other, batch), strict=True)))
    for ours, theirs in zip(found, clipped(mean), strict=True):
        torch.testing.assert_close(ours, theirs[0])
    assert found.error.min() < 0  # log-odds are not scores


def test_word_borders_matter_and_words_are_scored_in_order(rows: list[ScoredFeatures], member: Scorer):
    batch = pad(rows[:1])
    expected = run(member, batch)
    with torch.inference_mode():
        found = member(batch.phone, batch.utterance, batch.phone_ids, batch.member.flip(2), batch.valid)
    torch.testing.assert_close(found.word.flip(1), expected.word)  # columns renamed, nothing else
    torch.testing.assert_close(found.phone, expected.phone)
    one_word = torch.ones_like(batch.member[..., :1])
    with torch.inference_mode():
        merged = member(batch.phone, batch.utterance, batch.phone_ids, one_word, batch.valid)
    assert not torch.allclose(merged.phone, expected.phone)


def test_timing_reaches_the_utterance_and_not_the_phones(rows: list[ScoredFeatures], member: Scorer):
    batch = pad(rows[:1])
    expected = run(member, batch)
    with torch.inference_mode():
        found = member(
            batch.phone, batch.utterance + member.utterance_scale, batch.phone_ids, batch.member, batch.valid
        )
    assert torch.equal(found.phone, expected.phone)
    assert torch.equal(found.word, expected.word)
    assert torch.equal(found.error, expected.error)
    assert not torch.allclose(found.utterance, expected.utterance)


# --- batches and training --------------------------------------------------------------------------------------


def test_padding(rows: list[ScoredFeatures]):
    batch = pad(rows[:3])
    assert batch.phone.shape == (3, 10, len(PHONE_FEATURES))
    assert batch.utterance.shape == (3, len(UTTERANCE_FEATURES))
    assert batch.member.shape == (3, 10, 4)
    assert batch.valid.sum(1).tolist() == [9, 10, 1]
    assert batch.word_valid.sum(1).tolist() == [3, 4, 1]
    assert batch.member.sum((1, 2)).tolist() == [9, 10, 1]
    assert batch.member[0].argmax(1).tolist()[:9] == [0, 0, 1, 1, 1, 1, 2, 2, 2]
    np.testing.assert_allclose(batch.target.phone[0, :9], rows[0].phone, rtol=1e-6)
    np.testing.assert_allclose(batch.target.word[1], rows[1].word / 5, rtol=1e-6)
    np.testing.assert_allclose(batch.target.utterance[2], rows[2].utterance / 5, rtol=1e-6)
    assert batch.target.error[0, :9].tolist() == [1.0, *[0.0] * 8]  # people scored the first phone 0.2
    assert batch.target.error[1, :10].argmax() == 1


def test_the_loss_ignores_padding_and_is_zero_at_the_target(rows: list[ScoredFeatures]):
    config = ScorerTraining()
    batch = pad(rows)
    certain = 2000 * batch.target.error - 1000
    perfect = Scores(*(part.clone() for part in batch.target[:3]), certain)
    assert loss_of(perfect, batch, config).item() == 0.0
    perfect.phone[batch.valid == 0] = 9.0
    perfect.word[batch.word_valid == 0] = 9.0
    perfect.error[batch.valid == 0] = 9.0
    assert loss_of(perfect, batch, config).item() == 0.0
    off = Scores(batch.target.phone + 1, batch.target.word + 1, batch.target.utterance + 1, 0 * certain)
    assert loss_of(off, batch, config).item() == pytest.approx(1 + 0.5 * 3 + 4 + 0.3 * math.log(2), rel=1e-5)


def test_the_loss_of_an_error_is_its_surprise(rows: list[ScoredFeatures]):
    """Of each phone alike, whichever utterance it is in: minus the log of the probability that its odds state."""
    batch = pad(rows)
    log_odds = torch.linspace(-4, 3, batch.valid.numel()).reshape(batch.valid.shape)
    found = Scores(*batch.target[:3], log_odds)
    stated = 1 / (1 + np.exp(-log_odds.double().numpy()))
    surprise = -np.log(np.where(batch.target.error.numpy() > 0, stated, 1 - stated))
    expected = surprise[batch.valid.numpy() > 0].mean()
    assert loss_of(found, batch, ScorerTraining(error_weight=0.7)).item() == pytest.approx(0.7 * expected, rel=1e-5)


def test_each_row_comes_once_an_epoch(rows: list[ScoredFeatures]):
    found = batches(rows, 3, np.random.default_rng(0))
    assert sorted(len(batch.phone) for batch in found) == [1, 3, 3, 3]
    whole = torch.cat([batch.utterance for batch in found])
    expected = pad(rows).utterance
    assert sorted(map(tuple, whole.tolist())) == sorted(map(tuple, expected.tolist()))


def test_features_are_standardised_by_the_rows_of_training(rows: list[ScoredFeatures]):
    member = new_member(rows)
    every = torch.from_numpy(np.concatenate([one.features.phone for one in rows]))
    scaled = (every - member.phone_mean) / member.phone_scale
    torch.testing.assert_close(scaled.mean(0), torch.zeros(len(PHONE_FEATURES)), atol=0.01, rtol=0)
    assert (scaled.std(0, correction=0) <= 1.0 + 1e-4).all()
    assert (member.phone_scale > 0).all()
    assert (member.utterance_scale > 0).all()


@pytest.mark.parametrize("epochs", [1, 3, 10])
def test_a_few_steps_lower_the_loss(rows: list[ScoredFeatures], epochs: int):
    """One batch an epoch; ten steps in all once divided by zero inside the schedule of the learning rate."""
    config = ScorerTraining(epochs=epochs)
    batch = pad(rows)
    torch.manual_seed(5)
    before = loss_of(run(new_member(rows).eval(), batch), batch, config).item()
    after = loss_of(run(train_member(rows, config, seed=5), batch), batch, config).item()
    assert after < before


def test_a_seed_reproduces_a_member(rows: list[ScoredFeatures]):
    config = ScorerTraining(epochs=2, batch=4)
    one, same, other = (train_member(rows, config, seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_predictions_come_in_the_units_of_the_corpus(rows: list[ScoredFeatures], member: Scorer):
    found = predict([member], rows)
    assert [len(p.phone) for p in found] == [len(one.phone) for one in rows]
    assert [p.word.shape for p in found] == [one.word.shape for one in rows]
    alone = run(member, pad(rows[3:4]))
    np.testing.assert_allclose(found[3].phone, alone.phone[0].clamp(0, 2), atol=1e-4)
    np.testing.assert_allclose(found[3].word, 5 * alone.word[0].clamp(0, 2), atol=1e-3)
    np.testing.assert_allclose(found[3].utterance, 5 * alone.utterance[0].clamp(0, 2), atol=1e-3)
    for one, of in zip(found, rows, strict=True):
        assert one.error is not None
        assert one.error.shape == of.phone.shape
    np.testing.assert_allclose(found[3].error, alone.error[0], atol=1e-3)


def test_log_odds_of_an_error_are_learnt(rows: list[ScoredFeatures]):
    """Every row's planted phone gets more of them than the rest, and they start low, for errors are rare."""
    untrained = np.concatenate([one.error for one in predict([new_member(rows).eval()], rows)])
    assert untrained.max() < -1
    longer = [one for one in rows if len(one.phone) > 1]
    found = predict([train_member(rows, ScorerTraining(epochs=60), seed=3)], longer)
    assert [one.error.argmax() for one in found] == [one.phone.argmin() for one in longer]


def test_the_size_of_a_member_is_its_config():
    scorer = Scorer(ScorerConfig(phone_features=5, utterance_features=3, width=16, layers=1))
    found = scorer.eval()(
        torch.randn(2, 4, 5), torch.randn(2, 3), torch.zeros(2, 4, dtype=torch.long), torch.ones(2, 4, 1),
        torch.ones(2, 4),
    )  # fmt: skip
    assert [tuple(part.shape) for part in found] == [(2, 4), (2, 1, 3), (2, 4), (2, 4)]


# --- the table -------------------------------------------------------------------------------------------------


def utterance(folder: Path) -> ScoredUtterance:
    audio = folder / "000010001.wav"
    soundfile.write(audio, recording(1.5).samples, 16_000)
    word = {"accuracy": 9.0, "stress": 10.0, "total": 8.0}
    return ScoredUtterance(
        id="000010001",
        speaker="0001",
        gender="f",
        age=9,
        audio=audio,
        text="WE CALL",
        words=(
            ScoredWord(text="WE", phones=("W", "IY"), phone_accuracy=(2.0, 1.5), **word),
            ScoredWord(text="CALL", phones=("K", "AO", "L"), phone_accuracy=(1.0, 0.4, 2.0), **word),
        ),
        accuracy=8.0,
        completeness=10.0,
        fluency=7.0,
        prosodic=6.0,
        total=5.0,
    )


def stored(log_probs: np.ndarray) -> Posteriors:
    """With ratings as where the model gives none."""
    return held_out(log_probs, np.full((len(log_probs), 43), NO_RATING, np.float32))


def test_a_row_of_the_table(tmp_path: Path):
    """Stored in half precision, the posteriors still make the features of full precision."""
    spoken = heard(["W", "IY", "K", "AO", "L"], 1.5)
    found = scored_features(utterance(tmp_path), stored(spoken.log_probs.astype(np.float16).astype(np.float32)))
    assert (found.id, found.speaker, found.is_child) == ("000010001", "0001", True)
    assert found.phone.tolist() == [2.0, 1.5, 1.0, 0.4, 2.0]
    assert found.word.tolist() == [[9.0, 10.0, 8.0]] * 2
    assert found.utterance.tolist() == [8.0, 7.0, 6.0, 5.0]
    assert found.features.word_ids.tolist() == [0, 0, 1, 1, 1]
    exact = analyse(spoken, ["W", "IY", "K", "AO", "L"], [0, 0, 1, 1, 1], recording(1.5)).features
    np.testing.assert_allclose(found.features.phone, exact.phone, atol=0.1)


def test_the_table_keeps_the_order_of_the_utterances(
    rows: list[ScoredFeatures], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scorer_data.concurrent.futures, "ProcessPoolExecutor", InThisProcess)
    one = utterance(tmp_path)
    log_probs = stored(heard(["W", "IY", "K", "AO", "L"], 1.5).log_probs)
    seen: list[tuple[int, int]] = []
    table = build_table([one, one], {one.id: log_probs}, lambda done, total: seen.append((done, total)))
    assert [found.id for found in table] == [one.id] * 2
    assert seen == [(1, 2), (2, 2)]
    with pytest.raises(ConfigError, match=r"no held-out posteriors for 1 of 1 utterances: 000010001"):
        build_table([one], {})


class InThisProcess:
    """A pool without processes."""

    def __init__(self, workers: int | None) -> None:
        pass

    def __enter__(self) -> "InThisProcess":
        return self

    def __exit__(self, *reason: object) -> None:
        pass

    def map(self, function, *arguments, chunksize: int = 1):
        return map(function, *arguments)


def hold_out(path: Path, key: str, frames: int, blank: float, rating: float) -> None:
    """Write a file as acoustic training does: certainly blank or evenly spread, and one rating for all."""
    path.parent.mkdir(exist_ok=True)
    probs = np.full((frames, 40), (1 - blank) / 39, np.float32)
    probs[:, 0] = blank
    write_heldout(
        path,
        [Recording(id=key, audio=path, labels=(1,), phones=(1,), speaker="s", kind="learner")],
        [(torch.from_numpy(np.log(probs)), torch.full((frames, 43), rating))],
    )


def test_held_out_recordings_are_gathered(tmp_path: Path):
    hold_out(tmp_path / "fold1" / "heldout.npz", "a", 3, 0.5, 1.25)
    hold_out(tmp_path / "held0.npz", "b", 2, 0.9, 7.0)
    found = read_heldout(tmp_path)
    assert {key: (value.log_probs.shape, value.ratings.shape) for key, value in found.items()} == {
        "a": ((3, 40), (3, 43)),
        "b": ((2, 40), (2, 43)),
    }
    assert found["a"].log_probs.dtype == found["a"].ratings.dtype == np.float32
    np.testing.assert_allclose(found["b"].log_probs[:, 0], np.log(0.9), atol=1e-3)
    for value in found.values():
        np.testing.assert_allclose(np.exp(value.log_probs).sum(1), 1.0, atol=1e-5)
    np.testing.assert_allclose(found["a"].ratings, 1.25, atol=1 / 128)
    np.testing.assert_allclose(found["b"].ratings, 2.98, atol=0.01)  # the most that a byte holds
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"holds no held\*\.npz and no \*/heldout\.npz"):
        read_heldout(tmp_path / "empty")


def test_an_utterance_held_out_twice_is_refused(tmp_path: Path):
    """Folds are disjoint in speakers: two models that both left it out are of two different divisions."""
    for fold in (0, 1):
        hold_out(tmp_path / f"held{fold}.npz", "a", 2, 0.5, 1.0)
    with pytest.raises(ConfigError, match=r"held1\.npz.*'a'.*other folds"):
        read_heldout(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ids": None, "frames": None}, "lacks ids, frames"),
        ({"ids": np.array(["a", "b"])}, "holds arrays of the shapes"),
        ({"frames": np.array([1])}, "holds arrays of the shapes .* 1 frames"),
        ({"ratings": np.zeros((1, 43), np.uint8)}, "holds arrays of the shapes"),
        ({"log_probs": np.zeros(2)}, "holds arrays of the shapes"),
        ({"frames": np.array(2)}, "holds arrays of the shapes"),
        ({"ids": np.array([{}], dtype=object)}, "is damaged"),
    ],
)
def test_other_arrays_than_acoustic_training_leaves_are_refused(tmp_path: Path, change: dict, reason: str):
    hold_out(tmp_path / "held0.npz", "a", 2, 0.5, 1.0)
    with np.load(tmp_path / "held0.npz") as file:
        arrays = {name: array for name, array in (dict(file) | change).items() if array is not None}
    np.savez(tmp_path / "held0.npz", **arrays)
    with pytest.raises(ConfigError, match=rf"held0\.npz {reason}.*expected the arrays ids, .*`elocute train acoustic"):
        read_heldout(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip file", "half"])
def test_damaged_files_of_held_out_recordings_are_refused(tmp_path: Path, content: bytes | str):
    hold_out(tmp_path / "held0.npz", "a", 2, 0.5, 1.0)
    whole = (tmp_path / "held0.npz").read_bytes()
    (tmp_path / "held0.npz").write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    with pytest.raises(ConfigError, match=r"held0\.npz is damaged .*; expected the arrays ids, frames"):
        read_heldout(tmp_path)
