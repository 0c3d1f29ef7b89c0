"""GOPT against an independent network, schedule and loss written from its description, and on planted utterances."""

import concurrent.futures
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from elocute.cli.app import app
from elocute.errors import ConfigError
from elocute.evaluation import bootstrap_by_group, pcc
from elocute.phones import PHONES
from elocute.scorer import PHONE_FEATURES, UTTERANCE_FEATURES, Features
from elocute.training import gopt_run
from elocute.training.gopt import (
    UTTERANCE_TOKENS,
    Gopt,
    GoptConfig,
    GoptJob,
    GoptRow,
    GoptScores,
    GoptTraining,
    losses_of,
    tabulate,
    train_stack,
    word_means,
)
from elocute.training.gopt_run import FEATURE_SETS, PROTOCOLS, GoptRun, compare, gop_features, gopt_row, scorer_row
from elocute.training.gopt_score import columns_of, score, truth_of
from elocute.training.scorer import Predicted, ScorerTraining
from elocute.training.scorer_data import ScoredFeatures

OWN = PHONE_FEATURES.index("canonical_lpp")
LPP = [i for i, name in enumerate(PHONE_FEATURES) if name.startswith("lpp_")]


def planted(number: int) -> ScoredFeatures:
    """An utterance whose scores follow the posterior of the canonical phone; speaker `number % 8`."""
    rng = np.random.default_rng(number)
    lengths = rng.integers(1, 5, rng.integers(2, 4))
    L = int(lengths.sum())
    ids = rng.integers(len(PHONES), size=L)
    level = rng.uniform(-1, 1) + rng.uniform(-1, 1, L)
    values = rng.normal(-6, 0.5, (L, len(PHONE_FEATURES))).astype(np.float32)
    values[:, OWN] = -3 + 1.5 * level
    values[np.arange(L), np.array(LPP)[1 + ids]] = values[:, OWN]
    phone = np.clip(1 + 0.5 * level, 0, 2)
    word_ids = np.repeat(np.arange(len(lengths)), lengths)
    word = 5 * np.array([[phone[word_ids == w].mean()] * 3 for w in range(len(lengths))])
    whole = rng.normal(size=len(UTTERANCE_FEATURES)).astype(np.float32)
    return ScoredFeatures(
        id=str(number),
        speaker=str(number % 8),
        is_child=number % 8 < 4,
        features=Features(phone=values, utterance=whole, phone_ids=ids, word_ids=word_ids),
        phone=phone,
        word=word,
        utterance=np.full(4, 5 * phone.mean()),
        is_planted=False,
    )


@pytest.fixture(scope="module")
def rows() -> list[ScoredFeatures]:
    return [planted(number) for number in range(72)]


@pytest.fixture(scope="module")
def table(rows: list[ScoredFeatures]) -> list[GoptRow]:
    return [gopt_row(row, 10.0, "gop") for row in rows]


def halves(seed: int, n: int = 72) -> GoptJob:
    return GoptJob(seen=np.arange(0, n, 2), unseen=np.arange(1, n, 2), seed=seed)


# --- the network -----------------------------------------------------------------------------------------------


def test_the_network_has_the_published_size():
    def count(config: GoptConfig) -> int:
        return sum(parameter.numel() for parameter in Gopt(config).parameters())

    assert count(GoptConfig()) == 26_577
    assert count(GoptConfig(features=86)) == 26_577 + 2 * 24  # the publication's other two acoustic models
    assert count(GoptConfig(features=88)) == 26_577 + 4 * 24
    assert not any(isinstance(module, nn.Dropout) for module in Gopt(GoptConfig()).modules())


def described(model: Gopt, features: torch.Tensor, ids: torch.Tensor) -> GoptScores:
    """The same network from PyTorch's own transformer layer, with this model's weights."""
    x = model.project(features) + model.phone.weight.T[ids] + model.phone.bias
    x = torch.cat([model.tokens[None].repeat(len(x), 1, 1), x], 1) + model.positions[None]
    for block in model.blocks:
        layer = nn.TransformerEncoderLayer(24, 1, 96, 0.0, nn.GELU(), batch_first=True, norm_first=True)
        attention, d = layer.self_attn, dict(block.named_parameters())
        weights = {
            attention.in_proj_weight: d["query_key_value.weight"],
            attention.in_proj_bias: torch.zeros(72),
            attention.out_proj.weight: d["mix.weight"],
            attention.out_proj.bias: d["mix.bias"],
            layer.linear1.weight: d["widen.weight"],
            layer.linear1.bias: d["widen.bias"],
            layer.linear2.weight: d["narrow.weight"],
            layer.linear2.bias: d["narrow.bias"],
            layer.norm1.weight: d["before_attention.weight"],
            layer.norm1.bias: d["before_attention.bias"],
            layer.norm2.weight: d["before_feed_forward.weight"],
            layer.norm2.bias: d["before_feed_forward.bias"],
        }
        with torch.no_grad():
            for target, source in weights.items():
                target.copy_(source)
        x = layer(x)  # no mask: padding is heard like a phone
    phone = model.phone_head[0](x[:, 5:]).squeeze(-1)
    word = torch.stack([head(x[:, 5:]).squeeze(-1) for head in model.word_heads], -1)
    whole = torch.stack([head(x[:, i]).squeeze(-1) for i, head in enumerate(model.utterance_heads)], -1)
    return GoptScores(phone, word, whole)


def shaken() -> Gopt:
    """A model all of whose weights matter."""
    torch.manual_seed(0)
    model = Gopt(GoptConfig())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def test_the_network_is_the_described_one():
    model = shaken()
    features, ids = torch.randn(3, 50, 84), torch.randint(40, (3, 50))
    features[1, 20:], ids[1, 20:] = 0, 0
    with torch.no_grad():
        found = model(features, nn.functional.one_hot(ids, 40).float())
        expected = described(model, features, ids)
    assert [tuple(part.shape) for part in found] == [(3, 50), (3, 50, 3), (3, 5)]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_padding_is_attended_to_as_in_the_original():
    model = shaken()
    features, phone = torch.randn(1, 50, 84), nn.functional.one_hot(torch.randint(1, 40, (1, 50)), 40).float()
    features[:, 20:], phone[:, 20:] = 0, nn.functional.one_hot(torch.tensor(0), 40).float()
    spoiled = features.clone()
    spoiled[:, 49] = 3.0
    with torch.no_grad():
        before, after = model(features, phone), model(spoiled, phone)
    assert (before.phone - after.phone)[:, :20].abs().min() > 1e-6
    assert (before.utterance - after.utterance).abs().min() > 1e-6


# --- the table -------------------------------------------------------------------------------------------------


def test_utterances_are_padded_to_fifty(rows: list[ScoredFeatures], table: list[GoptRow]):
    padded = tabulate(table[:2])
    L = len(rows[0].phone)
    assert padded.features.shape == (2, 50, 80)
    assert padded.phone.shape == (2, 50, 40)
    assert padded.valid[0].tolist() == [1.0] * L + [0.0] * (50 - L)
    assert padded.phone[0].argmax(-1).tolist() == [*(1 + rows[0].features.phone_ids), *[0] * (50 - L)]
    assert padded.features[0, L:].abs().max() == 0
    assert (padded.target.phone[0, L:] == -1).all()
    assert (padded.target.word[0, L:] == -1).all()
    np.testing.assert_allclose(padded.target.phone[0, :L], rows[0].phone, rtol=1e-6)
    np.testing.assert_allclose(padded.target.word[0, :L], rows[0].word[rows[0].features.word_ids] / 5, rtol=1e-6)
    mean = rows[0].phone.mean()
    np.testing.assert_allclose(padded.target.utterance[0], [mean, 2.0, mean, mean, mean], rtol=1e-6)
    assert UTTERANCE_TOKENS[1] == "completeness"


def test_more_than_fifty_phones_are_refused(table: list[GoptRow]):
    many = replace(table[0], phone=np.ones(51))
    with pytest.raises(ConfigError, match="50 positions and an utterance has 51 phones"):
        tabulate([many])


def test_the_features_of_the_publication(rows: list[ScoredFeatures]):
    found = gop_features(rows[0])
    here = np.arange(len(found))
    own = 1 + rows[0].features.phone_ids
    assert found.shape[1] == 80
    np.testing.assert_array_equal(found[:, :40], rows[0].features.phone[:, LPP])
    np.testing.assert_array_equal(found[here, 40 + own], 0)
    np.testing.assert_allclose(found[:, 40:], found[:, :40] - found[here, own][:, None], rtol=1e-6)


def test_every_set_of_features_has_its_columns(rows: list[ScoredFeatures]):
    phone, whole = len(PHONE_FEATURES), len(UTTERANCE_FEATURES)
    widths = {name: gopt_row(rows[0], 10.0, name).features.shape[1] for name in FEATURE_SETS}
    assert widths == {"gop": 80, "phone": phone, "all": phone + whole}
    ours = {name: scorer_row(rows[0], name).features for name in FEATURE_SETS}
    assert {name: part.phone.shape[1] for name, part in ours.items()} == {"gop": 80, "phone": phone, "all": phone}
    assert {name: len(part.utterance) for name, part in ours.items()} == {"gop": 1, "phone": 1, "all": whole}


def test_a_word_has_the_mean_of_its_phones():
    scores = np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 2.0], [5.0, 0.0, 1.0]])
    assert word_means(scores, np.array([0, 0, 1])).tolist() == [[2.0, 2.0, 1.0], [5.0, 0.0, 1.0]]


# --- training --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [7, 80, 100, 101])
def test_the_learning_rate_is_that_of_pytorch_s_schedule_with_the_published_warm_up(batches: int):
    config = GoptTraining()
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], 1e-3)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(range(20, 100, 5)), gamma=0.5)
    step = 0
    for epoch in range(100):
        for _ in range(batches):
            if step <= 100 and step % 5 == 0:
                optimizer.param_groups[0]["lr"] = step / 100 * 1e-3
            assert config.rate(step, batches) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9), (epoch, step)
            optimizer.step()
            step += 1
        if step > 100:
            schedule.step()


def test_the_loss_is_three_means_over_what_is_no_padding():
    rng = np.random.default_rng(0)
    phone, word, whole = rng.normal(size=(2, 3, 6)), rng.normal(size=(2, 3, 6, 3)), rng.normal(size=(2, 3, 5))
    target_phone, target_word = np.full_like(phone, -1), np.full_like(word, -1)
    lengths = [[2, 6, 3], [1, 1, 5]]
    for s in range(2):
        for b, L in enumerate(lengths[s]):
            target_phone[s, b, :L], target_word[s, b, :L] = rng.uniform(0, 2, L), rng.uniform(0, 2, (L, 3))
    target_whole = rng.uniform(0, 2, whole.shape)
    found = losses_of(
        GoptScores(*map(torch.tensor, (phone, word, whole))),
        GoptScores(*map(torch.tensor, (target_phone, target_word, target_whole))),
    )
    for s in range(2):
        errors = [
            (guess[s, b, i] - truth[s, b, i]) ** 2
            for guess, truth in ((phone, target_phone),)
            for b, L in enumerate(lengths[s])
            for i in range(L)
        ]
        of_words = [
            (word[s, b, i, k] - target_word[s, b, i, k]) ** 2
            for b, L in enumerate(lengths[s])
            for i in range(L)
            for k in range(3)
        ]
        expected = np.mean(errors) + np.mean(of_words) + np.mean((whole[s] - target_whole[s]) ** 2)
        assert found[s].item() == pytest.approx(expected)


def test_models_side_by_side_are_those_trained_alone(table: list[GoptRow]):
    padded, config = tabulate(table), GoptTraining(epochs=4, batch=10, warm_up_steps=10)
    together = train_stack(padded, [halves(1), halves(2)], config)
    for seed, ours in zip((1, 2), together, strict=True):
        (alone,) = train_stack(padded, [halves(seed)], config)
        np.testing.assert_allclose(ours.phone_mse, alone.phone_mse, rtol=1e-3)
        for a, b in zip(ours.last, alone.last, strict=True):
            torch.testing.assert_close(a, b, atol=2e-3, rtol=2e-3)
    assert together[0].phone_mse != together[1].phone_mse


def test_the_best_epoch_peeks_and_the_last_does_not(table: list[GoptRow]):
    padded, job = tabulate(table), halves(3)
    config = GoptTraining(epochs=8, batch=5, learning_rate=0.02, warm_up_steps=5)
    (found,) = train_stack(padded, [job], config)
    truth = padded.target.phone[torch.from_numpy(job.unseen)]

    def error(scores: GoptScores) -> float:
        return float((scores.phone - truth)[truth >= 0].square().mean())

    assert len(found.phone_mse) == 8
    assert found.best_epoch == 1 + found.phone_mse.index(min(found.phone_mse))
    assert error(found.best) == pytest.approx(min(found.phone_mse), rel=1e-5)
    assert error(found.last) == pytest.approx(found.phone_mse[-1], rel=1e-5)
    # The labels of the unseen utterances choose the epoch, and nothing else.
    padded.target.phone[torch.from_numpy(job.unseen)] = torch.where(truth >= 0, 2 - truth, truth)
    (swapped,) = train_stack(padded, [job], config)
    assert torch.equal(swapped.last.phone, found.last.phone)
    assert swapped.phone_mse != found.phone_mse


def test_the_published_input_has_one_scale_and_ours_one_a_column(table: list[GoptRow]):
    """Columns of another unit change the published network's input everywhere, and ours nowhere."""
    config, job = GoptTraining(epochs=1, batch=5, warm_up_steps=5), halves(1)
    stretched = [
        replace(row, features=row.features * np.where(np.arange(80) == 7, 100, 1).astype(np.float32)) for row in table
    ]

    def read(rows: list[GoptRow], scale_columns: bool) -> torch.Tensor:
        return train_stack(tabulate(rows), [job], config, scale_columns=scale_columns)[0].last.phone

    torch.testing.assert_close(read(table, True), read(stretched, True), atol=1e-3, rtol=1e-3)
    assert (read(table, False) - read(stretched, False)).abs().max() > 0.01


def test_noise_is_an_option_and_off_by_default(table: list[GoptRow]):
    padded, config = tabulate(table), GoptTraining(epochs=2, batch=5, warm_up_steps=5)
    assert config.noise == 0
    quiet, same, noisy = (train_stack(padded, [halves(1)], c)[0] for c in (config, config, replace(config, noise=1.0)))
    assert torch.equal(quiet.last.phone, same.last.phone)
    assert not torch.allclose(quiet.last.phone, noisy.last.phone)


def test_a_stack_of_unequal_jobs_is_refused(table: list[GoptRow]):
    odd = GoptJob(seen=np.arange(10), unseen=np.arange(10, 20), seed=1)
    with pytest.raises(ConfigError, match="differ in their number of utterances"):
        train_stack(tabulate(table), [halves(1), odd], GoptTraining())


# --- the comparison --------------------------------------------------------------------------------------------


class Threads(concurrent.futures.ThreadPoolExecutor):
    """A pool without processes."""

    def __init__(self, workers: int | None, mp_context: object) -> None:
        super().__init__(1)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gopt_run.concurrent.futures, "ProcessPoolExecutor", Threads)


def setting(**changes: object) -> GoptRun:
    config = GoptRun(
        speechocean=Path(),
        heldout=Path(),
        out=Path(),
        folds=2,
        seeds=(1,),
        features=("gop",),
        gopt=GoptTraining(epochs=18, batch=5, learning_rate=5e-3, warm_up_steps=20),
        ours=ScorerTraining(epochs=8, batch=8),
    )
    return replace(config, **changes)


def test_both_heads_learn_a_planted_relation(rows: list[ScoredFeatures], in_this_process: None):
    steps: list[tuple[str, int, int]] = []
    fold_of = {str(speaker): speaker % 2 for speaker in range(8)}
    result = compare(rows, np.full(len(rows), 10.0), fold_of, setting(), lambda *step: steps.append(step))
    json.loads(json.dumps(result, allow_nan=False))
    found = {(row["head"], row["protocol"]): row["scores"] for row in result["results"]}
    assert found.keys() == {(head, protocol) for head in ("gopt", "ours") for protocol in PROTOCOLS}
    for (head, protocol), scores in found.items():
        for kind in ("phone", "word total", "utterance total"):
            assert scores[kind]["pcc"] > 0.6, (head, protocol, kind)
        assert scores["phone"]["pcc_95"][0] <= scores["phone"]["pcc"] <= scores["phone"]["pcc_95"][1]
        assert scores["utterance completeness"]["pcc"] is None  # nothing varies, or the head has no such score
        assert ("phone, children" in scores) == (protocol == "honest")
    for head in ("gopt", "ours"):
        peeking, last, honest = (found[head, protocol]["phone"]["mse"] for protocol in PROTOCOLS)
        assert peeking <= last == honest
    assert result["parameters"]["gopt, gop"] == 26_577 - 4 * 24
    assert steps[0] == ("gopt on gop", 0, 2)
    assert steps[-1] == ("ours on gop", 2, 2)


def test_a_stack_reads_what_one_process_a_model_reads(rows: list[ScoredFeatures], in_this_process: None):
    table = [gopt_row(row, 10.0, "gop") for row in rows]
    jobs = [halves(1), GoptJob(seen=np.arange(50), unseen=np.arange(50, 72), seed=1), halves(2)]  # two sizes
    config = setting(gopt=GoptTraining(epochs=2, batch=10, warm_up_steps=5))
    steps: list[tuple[str, int, int]] = []

    def train(device: str) -> list[gopt_run.Reading]:
        return gopt_run._train_gopt(
            table, jobs, replace(config, device=device), scale_columns=False, progress=lambda *step: steps.append(step)
        )

    apart = train("cpu")
    steps.clear()
    together = train("cpu:0")  # any name but "cpu" goes the way of an accelerator
    assert steps == [("gopt", done, 4) for done in (1, 2, 3, 4)]
    for job, a, b in zip(jobs, apart, together, strict=True):
        assert len(a.last) == len(b.last) == len(job.unseen)
        for i, x, y in zip(job.unseen, a.last, b.last, strict=True):
            assert x.word.shape == rows[i].word.shape
            np.testing.assert_allclose(x.phone, y.phone, atol=2e-3)
            np.testing.assert_allclose(x.utterance, y.utterance, atol=1e-2)


def test_a_run_writes_what_it_found(
    rows: list[ScoredFeatures], tmp_path: Path, in_this_process: None, monkeypatch: pytest.MonkeyPatch
):
    """From the corpus's folder to gopt.json; the posteriors' way to features is the scorer's own, tested there."""
    utterances = [
        SimpleNamespace(speaker=row.speaker, is_child=row.is_child, completeness=9.0 + n % 2, total=5.0)
        for n, row in enumerate(rows)
    ]
    monkeypatch.setattr(gopt_run, "read_speechocean762", lambda folder: utterances)
    monkeypatch.setattr(gopt_run, "read_heldout", lambda folder: {})

    def build_table(given: object, heard: object, progress: object) -> list[ScoredFeatures]:
        assert given is utterances
        return rows

    monkeypatch.setattr(gopt_run, "build_table", build_table)
    short = GoptTraining(epochs=2, batch=10, warm_up_steps=5)
    config = setting(out=tmp_path / "new", features=("phone", "all"), gopt=short, ours=ScorerTraining(epochs=1))
    found = gopt_run.run(config)
    text = (tmp_path / "new" / "gopt.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(found))
    assert [(row["features"], row["head"]) for row in found["results"][::3]] == [
        (features, head) for features in ("phone", "all") for head in ("gopt", "ours")
    ]
    by_head = {row["head"]: row["scores"]["utterance completeness"]["pcc"] for row in found["results"]}
    assert by_head["gopt"] is not None
    assert by_head["ours"] is None


def test_scores_are_those_of_the_plain_metrics(rows: list[ScoredFeatures]):
    truth = truth_of(rows, np.full(len(rows), 10.0))
    rng = np.random.default_rng(0)
    fold = np.array([int(row.speaker) % 2 for row in rows])
    guesses = [
        columns_of(
            [
                Predicted(
                    phone=row.phone + rng.normal(size=len(row.phone)),
                    word=row.word + rng.normal(size=row.word.shape),
                    utterance=rng.normal(size=5),
                )
                for row in rows
            ]
        )
        for _ in range(2)
    ]
    expected = np.concatenate([row.phone for row in rows])
    where = np.repeat(fold, [len(row.phone) for row in rows])
    speakers = [row.speaker for row in rows for _ in row.phone]
    pooled = score(truth, guesses, fold, is_pooled=True)["phone"]
    apart = score(truth, guesses, fold, is_pooled=False)["phone"]
    values = [one["phone"].values for one in guesses]
    each = [pcc(expected, value) for value in values]
    assert pooled["pcc"] == pytest.approx(np.mean(each), abs=1e-4)
    assert pooled["pcc_sd"] == pytest.approx(np.std(each), abs=1e-4)
    assert pooled["pcc_of_mean"] == pytest.approx(pcc(expected, np.mean(values, 0)), abs=1e-4)
    assert pooled["mse"] == pytest.approx(np.mean([np.square(value - expected).mean() for value in values]), abs=1e-4)
    low, high = bootstrap_by_group(
        lambda index: float(np.mean([pcc(expected[index], value[index]) for value in values])), speakers
    )
    assert pooled["pcc_95"] == pytest.approx([low, high], abs=1e-4)
    folds = [pcc(expected[where == k], value[where == k]) for value in values for k in (0, 1)]
    assert apart["pcc"] == pytest.approx(np.mean(folds), abs=1e-4)


def test_unknown_features_and_devices_are_refused(rows: list[ScoredFeatures], monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="no set of features is called 'mfcc'; choose from gop, phone, all"):
        compare(rows, np.full(len(rows), 10.0), {}, setting(features=("gop", "mfcc")))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="the device is 'cuda:1' and torch finds no CUDA"):
        gopt_run.run(setting(device="cuda:1"))


# --- the command -----------------------------------------------------------------------------------------------


def command(tmp_path: Path, *options: str):
    where = ["--speechocean", str(tmp_path), "--heldout", str(tmp_path), "--out", str(tmp_path / "out")]
    return CliRunner().invoke(app, ["train", "scorer", *where, *options])


def test_the_command_passes_its_options_on_and_prints_a_line_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[GoptRun] = []

    def run(config: GoptRun, progress: gopt_run.Progress) -> dict[str, object]:
        asked.append(config)
        progress("gopt on gop", 1, 2)
        kinds = ["phone", "word total", *(f"utterance {name}" for name in UTTERANCE_TOKENS)]
        scores = {kind: {"pcc": 0.5} for kind in kinds} | {"utterance total": {"pcc": None}}
        return {"results": [{"features": "gop", "head": "gopt", "protocol": "honest", "scores": scores}]}

    monkeypatch.setattr(gopt_run, "run", run)
    options = ["--features", "gop", "--seeds", "2", "--epochs", "7", "--device", "cuda", "--folds", "3"]
    done = command(tmp_path, "--head", "gopt", *options)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1].split() == ["gop", "gopt", "honest", *["0.5000"] * 5, "-"]
    (config,) = asked
    assert (config.features, config.seeds, config.gopt.epochs, config.device, config.folds) == (
        ("gop",), (1, 2), 7, "cuda", 3,
    )  # fmt: skip
    command(tmp_path, "--head", "gopt")
    assert (asked[1].features, asked[1].seeds, asked[1].gopt) == (tuple(FEATURE_SETS), (1, 2, 3, 4, 5), GoptTraining())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "3"], "only for --head gopt"),
        (["--features", "gop"], "only for --head gopt"),
        (["--head", "gopt", "--features", "mfcc"], "mfcc"),
        (["--head", "gopt", "--seeds", "0"], "greater than or equal to 1"),
        (["--head", "lstm"], "lstm"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, options: list[str], message: str):
    done = command(tmp_path, *options)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_folder_without_a_corpus_is_said_in_words(tmp_path: Path):
    done = command(tmp_path, "--head", "gopt")
    assert done.exit_code == 1
    assert "wav.scp not found" in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()
