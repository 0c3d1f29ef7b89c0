"""From predictions of several members to a combination: out of fold, into a file and back, and on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from elocute.cli import app
from elocute.corpora.speechocean762 import ScoredUtterance
from elocute.ensemble import Combination, Member, read_combination, write_combination
from elocute.ensemble.fit import Way
from elocute.ensemble.members import read_member
from elocute.ensemble.train import EnsembleTraining, Method, TrainedEnsemble, train_ensemble
from elocute.ensemble.values import TARGETS, values_of_prediction
from elocute.errors import ConfigError
from elocute.evaluation.evaluate import Protocol, evaluate
from elocute.evaluation.predictions import Prediction, StoredPredictions, read_predictions, write_predictions
from scored_corpus import noisy, utterances

CORPUS = utterances(speakers=25, each=12)


def saved(folder: Path, name: str, predictions: list[Prediction], **provenance: object) -> Path:
    """A file of predictions."""
    path = folder / f"{name}.jsonl.gz"
    write_predictions(path, {"threshold": 0.5} | provenance, predictions)
    return path


def rough(utterance: ScoredUtterance, prediction: Prediction) -> Prediction:
    """The same from somebody who rates utterances in whole numbers and says nothing of phones."""
    assert prediction.utterance is not None
    return replace(
        prediction,
        phone=[],
        word=[],
        phone_error=None,
        heard=None,
        utterance={name: round(value or 0.0) / 2 for name, value in prediction.utterance.items()},
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    folder = tmp_path_factory.mktemp("members")
    rng = np.random.default_rng(3)
    first, second = ([noisy(one, rng, scale) for one in CORPUS] for scale in (0.5, 0.6))
    first[5] = Prediction(id=first[5].id, phone=None, word=None, utterance=None, reason="nothing is scored")
    whole = [rough(one, prediction) for one, prediction in zip(CORPUS, second, strict=True)]
    return saved(folder, "first", first), saved(folder, "second", second), saved(folder, "rough", whole)


def config(*paths: Path, method: Method = "average", draws: int = 50) -> EnsembleTraining:
    members = tuple(Member(backend=path.name.partition(".")[0]) for path in paths)
    return EnsembleTraining(members=members, predictions=paths, method=method, draws=draws, command="a command")


@pytest.fixture(scope="module")
def trained(files: tuple[Path, Path, Path]) -> TrainedEnsemble:
    return train_ensemble(CORPUS, config(*files[:2]))


def test_two_members_agree_better_with_people_than_each(
    trained: TrainedEnsemble, files: tuple[Path, Path, Path]
) -> None:
    worth = trained.combination.card["evaluation"]["scores"]
    assert set(worth) == set(TARGETS)
    for target in ("phone", "word accuracy", "word total", "utterance total", "error"):
        row = worth[target]
        assert row["ensemble"][0] > max(value[0] for value in row["members"].values()), target
        assert row["gain"][0] == pytest.approx(row["ensemble"][0] - row["members"][row["best_member"]][0], abs=2e-4)
        assert row["gain"][1] <= row["gain"][0] <= row["gain"][2]
    # The figures of the card are those of an evaluation of the stored predictions.
    stored = StoredPredictions(provenance=trained.provenance, utterances=trained.predictions)
    scored = [one for k, one in enumerate(CORPUS) if k != 5]
    measured = evaluate(scored, stored, protocol=Protocol(draws=20))
    (phone,) = [row for row in measured.scores if (row.part, row.level, row.predictor) == ("all", "phone", "model")]
    assert phone.pcc.value == pytest.approx(worth["phone"]["ensemble"][0], abs=2e-4)
    assert measured.settings["threshold"] == trained.combination.thresholds[1]  # type: ignore[index]


def test_what_the_leader_did_not_score_stays_so(trained: TrainedEnsemble) -> None:
    assert trained.predictions[5].reason == "nothing is scored"
    assert not trained.predictions[5].is_scored
    assert [one.id for one in trained.predictions] == [one.id for one in CORPUS]


def test_no_blend_sees_the_speakers_that_it_is_measured_on(
    files: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other labels of one speaker's phones change what is said of other folds' speakers, never of their own."""
    speaker = CORPUS[0].speaker
    turned = [
        replace(
            one,
            words=tuple(
                replace(word, phone_accuracy=tuple(2 - score for score in word.phone_accuracy)) for word in one.words
            ),
        )
        if one.speaker == speaker
        else one
        for one in CORPUS
    ]
    monkeypatch.setattr("elocute.ensemble.train.WAYS", {"ridge": (Way(is_calibrated=True, penalty=0.1),)})
    few = slice(0, 10 * 12)
    before, after = (
        train_ensemble(corpus[few], config(*files[:2], method="ridge", draws=5)) for corpus in (CORPUS, turned)
    )
    own = [k for k, one in enumerate(CORPUS[few]) if one.speaker == speaker and k != 5]
    others = [k for k, one in enumerate(CORPUS[few]) if one.speaker != speaker]
    assert [before.predictions[k].phone for k in own] == [after.predictions[k].phone for k in own]
    assert [before.predictions[k].phone for k in others] != [after.predictions[k].phone for k in others]


def test_a_member_may_say_less_than_the_leader(files: tuple[Path, Path, Path]) -> None:
    found = train_ensemble(CORPUS, config(files[0], files[2])).combination
    assert {target for target in TARGETS if target.startswith("utterance")} == set(found.blends)
    assert found.thresholds is None
    total = found.blends["utterance total"]
    halves = [one.utterance for k, one in enumerate(read_predictions(files[2]).utterances) if k != 5]
    people = [one.total / 10 for k, one in enumerate(CORPUS) if k != 5]
    slope, offset = np.polyfit([(one or {}).get("total", 0.0) / 10 for one in halves], people, 1)
    assert total.calibration[1] == pytest.approx((offset, slope))
    assert total.weights == (0.5, 0.5)
    led = train_ensemble(CORPUS, config(files[2], files[0]))
    assert led.combination.blends["phone"].weights == (0.0, 1.0)
    assert led.combination.thresholds is not None


def answers(path: Path, *, task: str = "apa") -> Path:
    """What a language model answered about the first ten speakers, marks of 0 to 10; one answer was unreadable."""
    rng = np.random.default_rng(4)
    lines: list[dict[str, object]] = [{"format": "elocute phi4 answers 1", "model": "tiny", "split": "train"}]
    for number, one in enumerate(CORPUS[:120]):
        marks = {
            name: None if number == 7 else float(np.clip(getattr(one, name) + rng.normal(scale=1.5), 0, 10))
            for name in ("accuracy", "fluency", "prosodic", "total")
        }
        told = {"text": "", "expected": marks, "is_complete": True, "tokens": 3, "seconds": 0.1}
        lines += [{"key": f"{one.id}/{task}"} | told, {"key": f"{one.id}/mdd"} | told]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_a_language_model_s_answers_are_a_member(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    told = read_member(answers(tmp_path / "told.answers.jsonl"))
    assert len(told.utterances) == 120
    assert told.provenance["model"] == "tiny"
    assert told.utterances[7].reason == "the answer held no score that can be read"
    found = train_ensemble(CORPUS, replace(config(files[0], tmp_path / "told.answers.jsonl"), shared_only=True))
    card = found.combination.card
    assert card["utterances"] == 120
    assert set(found.combination.blends) == {target for target in TARGETS if target.startswith("utterance")}
    worth = card["evaluation"]["scores"].values()
    assert {row["items"] for row in worth} == {120 - 2}  # of the two one said nothing
    alone = [np.mean([row["members"][name][0] for row in worth]) for name in ("first", "told")]
    assert np.mean([row["ensemble"][0] for row in worth]) > max(alone) + 0.03
    assert found.predictions[7].utterance is not None
    assert found.predictions[8].phone == pytest.approx(read_predictions(files[0]).utterances[8].phone, abs=1e-9)
    with pytest.raises(ConfigError, match="holds no scores, only transcripts"):
        read_member(answers(tmp_path / "heard.jsonl", task="mdd"))
    with pytest.raises(ConfigError, match="cannot read .*none.gz.*; give a file of stored predictions"):
        read_member(tmp_path / "none.gz")


def test_a_combination_goes_through_its_file(trained: TrainedEnsemble, tmp_path: Path) -> None:
    path = tmp_path / "both.json"
    write_combination(path, trained.combination)
    again = read_combination(path)
    assert again.members == trained.combination.members
    assert again.blends == trained.combination.blends
    assert again.thresholds == trained.combination.thresholds
    assert again.card["command"] == "a command"
    assert not list(tmp_path.glob("*.partial"))
    stored = [values_of_prediction(one, len(CORPUS[0].phones), len(CORPUS[0].words)) for one in trained.predictions[:1]]
    assert np.array_equal(again.of(stored * 2).phone, trained.combination.of(stored * 2).phone)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda plain: plain.update(format="another"), "format is 'another'; expected 'elocute ensemble 1'"),
        (lambda plain: plain.pop("members"), "KeyError\\('members'\\) while reading"),
        (lambda plain: plain["members"].pop(), "phone has 2 weights and 2 calibrations; expected 1 of each"),
        (lambda plain: plain.update(members=[]), "has 0 members; expected 1 to 32"),
        (lambda plain: plain["blends"]["phone"].update(weights=[0.0, 0.0]), "weights of which one is above 0"),
        (lambda plain: plain["blends"]["phone"].update(weights=[-1, 2]), "weights of which one is above 0"),
        (lambda plain: plain["blends"]["phone"].update(center="half"), "ValueError"),
        (lambda plain: plain["blends"].update(nonsense=plain["blends"]["phone"]), "unknown score 'nonsense'"),
        (lambda plain: plain.update(thresholds=None), "go together; expected both or neither"),
        (lambda plain: plain.update(thresholds=[0.1, 0.2, 0.3, 0.4]), "expected four, falling"),
    ],
)
def test_a_damaged_combination_is_refused(trained: TrainedEnsemble, tmp_path: Path, change, complaint: str) -> None:
    path = tmp_path / "both.json"
    write_combination(path, trained.combination)
    plain = json.loads(path.read_text(encoding="utf-8"))
    change(plain)
    path.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        read_combination(path)


def test_files_that_are_no_combination_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the combination .*; give a file that `elocute train ensemble`"):
        read_combination(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not JSON"):
        read_combination(tmp_path / "text.json")
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigError, match="format is 'list'"):
        read_combination(tmp_path / "list.json")
    with pytest.raises(ConfigError, match="cannot write .*; name a file in a writable folder"):
        write_combination(tmp_path / "no" / "x.json", Combination(members=(), blends={}, thresholds=None))


def test_predictions_that_would_flatter_or_do_not_fit_are_refused(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    stored = list(read_predictions(files[1]).utterances)
    seen = saved(tmp_path, "seen", stored, seen_in_training=True)
    with pytest.raises(ConfigError, match="seen trained on these speakers"):
        train_ensemble(CORPUS, config(files[0], seen))
    dealt = saved(tmp_path, "dealt", stored, folds=5, fold_seed=2)
    with pytest.raises(ConfigError, match=r"fold_seed is 2; expected 1 .*; give --fold-seed 2"):
        train_ensemble(CORPUS, config(files[0], dealt))
    short = saved(tmp_path, "short", stored[:-2])
    with pytest.raises(ConfigError, match=f"lacks 2 of {len(CORPUS)} utterances, first {CORPUS[-2].id}"):
        train_ensemble(CORPUS, config(files[0], short))
    found = train_ensemble(CORPUS, replace(config(files[0], short), shared_only=True))
    assert found.combination.card["utterances"] == len(found.predictions) == len(CORPUS) - 2
    with pytest.raises(ConfigError, match="an ensemble of 1 members; expected two or more"):
        train_ensemble(CORPUS, config(files[0]))


@pytest.mark.parametrize("text", ["", "@scorer", "embedded@", "ensemble:a,b"])
def test_a_member_has_a_name_and_is_no_ensemble(text: str) -> None:
    with pytest.raises(ConfigError, match="member is"):
        Member.of(text)


def test_the_command_fits_and_shows_what_it_is_worth(
    files: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("elocute.corpora.speechocean762.read_speechocean762", lambda folder: CORPUS)
    monkeypatch.setattr("elocute.assets.asset_path", {"out-of-fold.jsonl.gz": files[0]}.__getitem__)
    monkeypatch.chdir(tmp_path)
    members = ["--member", "embedded", "--member", f"onnx:m@s={files[1]}"]
    arguments = ["train", "ensemble", "--speechocean", str(tmp_path), "--draws", "20", *members]
    run = CliRunner()
    done = run.invoke(app, [*arguments, "--out", "both.json", "--predictions", "both.jsonl.gz"], env={"COLUMNS": "150"})
    assert done.exit_code == 0, done.output
    assert "both.json: --backend ensemble:both.json" in done.output
    found = read_combination(Path("both.json"))
    assert found.members == (Member(backend="embedded"), Member(backend="onnx:m", scorer="s"))
    assert "/" not in found.card["command"]
    assert f"{found.card['evaluation']['scores']['phone']['ensemble'][0]:.4f}" in done.output
    assert len(read_predictions(Path("both.jsonl.gz")).utterances) == len(CORPUS)
    for more, complaint in (
        (["--out", "both.txt"], "expected a name that ends in .json"),
        (["--member", "onnx:x", "--out", "x.json"], "expected BACKEND=FILE"),
        (["--member", "onnx:x=none.gz", "--out", "x.json"], "cannot read none.gz"),
    ):
        wrong = run.invoke(app, [*arguments, *more])
        assert wrong.exit_code == 1
        assert complaint in wrong.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.json", "both.jsonl.gz"]
