"""The grid of an ablation, its figures against other people's code, and a whole small one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.errors import ConfigError
from elocute.mllm.ablation.recipe import Arm, GridTable, arms_of, read_ablation, trials_of
from elocute.mllm.ablation.table import METRICS, ORDER, bleu, bleu_row, make_table, markdown, sums_of, words_of
from elocute.mllm.examples import Example

ROOT = Path(__file__).parents[3]


def names(**grid: Any) -> list[str]:
    return [arm.name for arm in arms_of(GridTable(**grid))]


def test_a_star_changes_one_thing_at_a_time() -> None:
    found = names(
        allocations=("uniform", "entropy", "full", "none"),
        ranks=(8, 2),
        bits=(16, 4),
        placements=("all", "mlp"),
        penalties=(0.0, -0.1),
        rates=(1.0, 3.0),
    )
    assert found == [
        *("uniform-r8", "entropy-r8", "full", "none"),
        *("uniform-r2", "uniform-r8-4bit", "uniform-r8-mlp", "uniform-r8-penalty-0.1"),
        *("uniform-r8-rate3", "full-rate3"),
    ]


def test_a_product_tries_everything_once() -> None:
    found = names(design="product", allocations=("uniform", "adalora", "full"), ranks=(2, 4), penalties=(0.0, 0.5))
    assert found == [
        *("uniform-r2", "uniform-r2-penalty+0.5", "uniform-r4", "uniform-r4-penalty+0.5"),
        *("adalora-r2", "adalora-r4", "full"),  # what means nothing to an arm makes no second one
    ]


def test_every_arm_has_every_seed_and_what_is_not_trained_one() -> None:
    trials = trials_of(GridTable(allocations=("uniform", "none"), seeds=(3, 5)))
    assert [trial.name for trial in trials] == ["uniform-r8.3", "uniform-r8.5", "none.3"]


def test_the_recipe_of_the_repository_is_one() -> None:
    recipe = read_ablation(ROOT / "recipes" / "phi4-ablation.toml")
    found = [arm.name for arm in arms_of(recipe.grid)]
    assert {"uniform-r8", "entropy-r8", "inverse-r8", "eva-r8", "adalora-r8", "full", "none"} <= set(found)
    assert len(recipe.grid.seeds) >= 3
    assert found[0] == "uniform-r8"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("grid.rank=[2]", r"rank: unknown key; did you mean 'ranks'\?"),
        ("grid.ranks=[0]", "grid.ranks has 0; expected 1 or more"),
        ("grid.bits=[8]", "grid.bits has 8; expected 16 or 4"),
        ("grid.rates=[0.0]", r"grid.rates has 0.0; expected factors above 0"),
        ("grid.seeds=[]", "grid.seeds is .*expected one value or more"),
        ("grid.seeds=[1, 1]", "grid.seeds is .*each once"),
        ('grid.allocations=["best"]', "allocations is 'best'; expected none, uniform"),
        ("adaptation.updates=0", "adaptation.updates is 0; expected more than 0"),
        ("adaptation.updates=5", "adalora needs 10 or more"),
        ("adaptation.largest=0.5", "adaptation.largest is 0.5; expected 1 or more"),
        ("adaptation.warm_up_share=1.0", "expected 0 up to below 1"),
        ("data.held_fold=-1", "an ablation needs held-out speakers"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_ablation(None, [change])


SENTENCES = st.lists(st.lists(st.sampled_from("a b c d the cat sat".split()), max_size=9), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(SENTENCES, st.randoms(use_true_random=False))
def test_bleu_is_that_of_sacrebleu(references: list[list[str]], random: Any) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    references = [words or ["a"] for words in references]
    said = [[word for word in words if random.random() < 0.8] + random.choices("abcd", k=2) for words in references]
    rows = np.array([bleu_row(a, b) for a, b in zip(references, said, strict=True)])
    expected = sacrebleu.corpus_bleu(
        [" ".join(words) for words in said], [[" ".join(words) for words in references]], tokenize="none", force=True
    )
    total = rows.sum(axis=0)
    assert total[2 : 2 + ORDER].tolist() == expected.counts
    assert bleu(total) == pytest.approx(expected.score, abs=1e-9)
    first = sacrebleu.corpus_bleu([" ".join(said[0])], [[" ".join(references[0])]], tokenize="none", force=True)
    weights = np.array([[1.0] * len(rows), [1.0] + [0.0] * (len(rows) - 1)])  # two draws at once
    assert bleu(weights @ rows) == pytest.approx([expected.score, first.score], abs=1e-9)


def questions(tasks: Sequence[str] = ("apa", "mdd")) -> list[Example]:
    """Six speakers, two sentences each, as if of speechocean762."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(12):
        scores = {name: float(rng.integers(3, 11)) for name in ("accuracy", "fluency", "prosodic", "total")}
        for task in tasks:
            made.append(
                Example(
                    id=f"u{number}",
                    speaker=f"s{number // 2}",
                    audio=Path(f"u{number}.wav"),
                    task=task,  # type: ignore[arg-type]
                    user="",
                    answer="",
                    text="THE CAT ISN'T HERE",
                    canonical=(("DH", "AH"), ("K", "AE", "T")),
                    realised=(("DH", "AH"), ("K", "AE", "D")),
                    utterance=Scored(**scores),  # type: ignore[arg-type]
                )
            )
    return made


class Scored:
    """As much of a scored utterance as the figures need."""

    def __init__(self, **scores: float) -> None:
        self.__dict__.update(scores)


def answer_row(example: Example, text: str, expected: dict[str, float | None] | None = None) -> dict[str, Any]:
    return {
        "key": example.key,
        "speaker": example.speaker,
        "task": example.task,
        "text": text,
        "expected": expected or {},
        "nats": 12.0,
        "tokens": 8,
    }


def heard(words: str, phones: str) -> str:
    return json.dumps({"word_transcript": words, "phoneme_transcript": phones})


def test_error_rates_are_those_of_jiwer() -> None:
    jiwer = pytest.importorskip("jiwer")
    examples = questions(["mdd"])
    said = ["the cat isn't here", "a cat is here", "", "cat cat cat cat cat", "the the", "the cat isn't here now"] * 2
    rows = [answer_row(one, heard(words, "DH AH K AE T")) for one, words in zip(examples, said, strict=True)]
    rows[3]["text"] = "no JSON at all"
    sums = sums_of(rows, {one.key: one for one in examples}, sorted({one.speaker for one in examples}))
    found = {name: float(METRICS[name].statistic(one.sum(axis=0))) for name, one in sums.items()}
    plain = [" ".join(words_of(words)) for words in said]
    plain[3] = ""
    references = [" ".join(words_of(one.text)) for one in examples]
    assert references[0] == "THE CAT ISN'T HERE"
    assert found["wer"] == pytest.approx(100 * jiwer.wer(references, plain))
    assert found["cer"] == pytest.approx(100 * jiwer.cer(references, plain))
    assert found["per"] == pytest.approx(100 * (11 * 1 + 5) / (12 * 5))
    assert found["valid"] == pytest.approx(100 * 11 / 12)
    assert found["ppl"] == pytest.approx(np.exp(12 / 8))


def write_trials(folder: Path, arms: dict[str, list[float]]) -> dict[str, dict[int, Path]]:
    """Stored answers of arms whose ratings follow people's, plus so much noise for every seed."""
    examples = questions()
    found: dict[str, dict[int, Path]] = {}
    for name, noises in arms.items():
        for seed, noise in enumerate(noises):
            rng = np.random.default_rng(seed)
            place = folder / f"{name}.{seed}"
            place.mkdir()
            rows = []
            for one in examples:
                assert one.scores is not None
                guess: dict[str, float | None] = {k: v + noise * rng.normal() for k, v in one.scores.items()}
                words = "the cat isn't here" if rng.random() > noise / 10 else "the dog is here"
                rows.append(
                    answer_row(one, json.dumps(one.scores), guess)
                    if one.task == "apa"
                    else answer_row(one, heard(words, "DH AH K AE D"))
                )
            (place / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            sizes = {"parameters": 1000, "learned": 50, "kept": 40, "stored_bytes": 4000, "peak_bytes": None}
            record = sizes | {
                "adapter_entropy": None,
                "curve": [{"update": 3, "loss": 0.5}],
                "seconds": {"prepare": 1.0},
            }
            (place / "trial.json").write_text(json.dumps(record))
            found.setdefault(name, {})[seed] = place
    return found


def test_intervals_hold_seeds_and_speakers_and_differences_are_paired(tmp_path: Path) -> None:
    trials = write_trials(tmp_path, {"uniform": [1.0, 1.0, 1.0], "same": [1.0, 1.0, 1.0], "worse": [9.0, 6.0, 9.0]})
    table = make_table(trials, questions(), "uniform", {"uniform": {"latency_ms": 12.0}}, draws=200)
    rows = {row.name: row for row in table.rows}
    assert table.speakers == 6
    assert rows["uniform"].differences is None
    # The same answers: every draw's difference is nothing, though the figures themselves vary.
    same = rows["same"].differences
    assert same is not None
    assert all(one.value == 0.0 and one.low is None for one in same.values())
    spread = rows["uniform"].values["pcc_total"]
    assert spread.low < spread.value < spread.high  # type: ignore[operator]
    # The figure is the mean over seeds of what numpy says.
    expected = []
    for folder in trials["worse"].values():
        answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
        guesses = [row["expected"]["total"] for row in answers if row["task"] == "apa"]
        truth = [one.scores["total"] for one in questions(["apa"]) if one.scores]
        expected.append(np.corrcoef(truth, guesses)[0, 1])
    assert rows["worse"].values["pcc_total"].value == pytest.approx(np.mean(expected))
    worse = rows["worse"].differences
    assert worse is not None
    assert worse["pcc_total"].high < 0  # type: ignore[operator]
    text = markdown(table, "Arms")
    assert "| uniform | 3 |" in text
    assert "| same | +0.0 |" in text
    assert "12" in next(line for line in text.splitlines() if line.startswith("| uniform | 50 | 40 | 25.0 |"))
    assert json.loads(table.json())["rows"][0]["name"] == "uniform"


def test_answers_to_other_questions_are_refused() -> None:
    examples = questions(["mdd"])
    other = replace(examples[0], id="elsewhere")
    with pytest.raises(ConfigError, match="1 answers to other questions than the held-out ones, first elsewhere/mdd"):
        sums_of([answer_row(other, "")], {one.key: one for one in examples}, ["s0"])


def test_names_of_arms_say_what_matters() -> None:
    assert Arm(allocation="eva", rank=4, bits=4, placement="mlp", rate=0.5).name == "eva-r4-mlp-4bit-rate0.5"
    assert Arm(allocation="full", rank=4, placement="mlp", penalty=1.0).plain.name == "full"
    assert Arm(allocation="none", bits=4).plain.name == "none-4bit"
