"""A folder of spoken orders becomes a folder of transcribed speech; the backend is planted."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from elocute.acoustic.fake import PlantedBackend
from elocute.cli.app import app
from elocute.corpora.transcribed import read_transcribed
from elocute.errors import ConfigError
from elocute.phones import PHONES, phonemize
from elocute.training.adapter import Adaptation
from elocute.training.orders import Order, OrdersRun, exchange_labels, read_orders, transcribe_orders
from elocute.types import SAMPLE_RATE_HZ, Audio, PhoneSet, Posteriors

GRAMMAR = """
context:
  expressions:
    order: ["[get me, may I have] a $size:size $drink:drink", "[get me, may I have] a $drink:drink"]
  slots:
    size: [small, large]
    drink: [coffee, mocha]
"""
SAID = {
    "a1": ("get me a small coffee", {"size": "small", "drink": " coffee"}),
    "a2": ("may I have a large mocha", {"size": "large", "drink": "mocha"}),
    "a3": ("may I have a mocha", {"drink": "mocha"}),
    "a4": ("get me a mocha", {"drink": "coffee"}),  # the label is wrong
}


class Listener:
    """Knows recordings by their length."""

    name = version = "listener"
    phone_set = PhoneSet.one_label_each(PHONES)

    def posteriors(self, audio: Audio) -> Posteriors:
        text, _ = list(SAID.values())[round(audio.duration_s) - 4]
        phones = [phone.symbol for phone in phonemize(text).phones]
        return PlantedBackend(PHONES, phones).posteriors(audio)


class Deaf(Listener):
    """Must not be asked."""

    def posteriors(self, audio: Audio) -> Posteriors:
        raise AssertionError("the work has begun")


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    folder = tmp_path / "speech"
    (folder / "audio").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for seconds, name in enumerate(SAID, start=4):
        soundfile.write(folder / "audio" / f"{name}.wav", rng.normal(0, 0.1, seconds * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    labels = {f"{name}.wav": {"intent": "order", "slots": slots} for name, (_, slots) in SAID.items()}
    labels["no_recording.wav"] = labels["a1.wav"]
    (folder / "label.json").write_text(json.dumps(labels))
    (folder / "grammar.yaml").write_text(GRAMMAR)
    return folder


def test_clear_recordings_come_out_as_transcribed_speech(speech: Path, tmp_path: Path):
    stages = []
    config = OrdersRun(
        speech=speech, out=tmp_path / "out", rounds=1, adaptation=Adaptation(epochs=1, channels=4, folds=3)
    )
    facts = transcribe_orders(config, Listener(), lambda *event: stages.append(event))
    assert [(u.id, u.text) for u in read_transcribed(config.out)] == [
        (name, SAID[name][0]) for name in ("a1", "a2", "a3")
    ]
    assert (config.out / "audio" / "a1.wav").read_bytes() == (speech / "audio" / "a1.wav").read_bytes()
    assert not (config.out / "audio" / "a4.wav").exists()
    assert facts["outcomes"] == {"accepted": 3, "slot_nats": 1}
    assert facts["outcomes_of_wrong_labels"].get("accepted", 0) <= 1  # a4 may get its true label
    assert facts["slot_accuracy_by_round"] == [pytest.approx(5 / 6, abs=1e-4)] * 2
    record = json.loads((config.out / "decisions.json").read_text())
    assert {name: one["refused_by"] for name, one in record["decisions"].items()} == {
        "a1": None,
        "a2": None,
        "a3": None,
        "a4": "slot_nats",
    }
    assert record["decisions"]["a1"]["article_margin"] is None  # the grammar has no an
    assert record["decisions"]["a1"]["rival"] == "may I have a small coffee"
    assert list(dict.fromkeys(stage for stage, *_ in stages)) == [
        "posteriors",
        "round 0",
        "adapters 1",
        "round 1",
        "wrong labels",
    ]
    assert all(done <= total for _, done, total in stages)


def test_two_runs_write_the_same_bytes(speech: Path, tmp_path: Path):
    written = []
    for name in ("one", "two"):
        config = OrdersRun(
            speech=speech, out=tmp_path / name, rounds=1, adaptation=Adaptation(epochs=1, channels=4, folds=3)
        )
        transcribe_orders(config, Listener())
        written.append([(config.out / file).read_bytes() for file in ("transcripts.tsv", "decisions.json")])
    assert written[0] == written[1]


def test_labels_are_read_without_stray_spaces_and_those_without_a_recording_left_out(speech: Path):
    orders = read_orders(speech)
    assert [order.id for order in orders] == list(SAID)
    assert orders[0].values == {"size": "small", "drink": "coffee"}


def test_every_recording_gets_the_label_of_another_one():
    orders = [
        Order(id=str(number), audio=Path("x"), intent="order", values={"drink": str(number // 2)})
        for number in range(20)
    ]
    swapped = exchange_labels(orders, seed=3)
    own = {order.id: order.values for order in orders}
    assert len(swapped) >= 15
    assert all(order.values != own[order.id] for order in swapped)
    assert exchange_labels(orders, seed=3) == swapped != exchange_labels(orders, seed=4)


def test_a_recording_without_a_label_is_an_error(speech: Path):
    (speech / "audio" / "stray.wav").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"stray\.wav has no label"):
        read_orders(speech)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"a1.wav": {"slots": {}}}', '{"a1.wav": {"intent": "x", "slots": {"a": 1}}}']
)
def test_labels_that_are_none(speech: Path, text: str):
    (speech / "label.json").write_text(text)
    with pytest.raises(ConfigError, match="holds no labels"):
        read_orders(speech)


@pytest.mark.parametrize("missing", ["label.json", "audio"])
def test_missing_parts_are_named(speech: Path, missing: str):
    (speech / missing).rename(speech / "elsewhere")
    with pytest.raises(ConfigError, match=f"{missing} not found; expected grammar.yaml, label.json and audio/"):
        read_orders(speech)


def test_a_label_outside_the_grammar_shows_before_the_work(speech: Path, tmp_path: Path):
    labels = json.loads((speech / "label.json").read_text())
    labels["a3.wav"]["slots"]["drink"] = "tea"
    (speech / "label.json").write_text(json.dumps(labels))
    with pytest.raises(ConfigError, match=r"no sentence of intent 'order' has the slots .*tea"):
        transcribe_orders(OrdersRun(speech=speech, out=tmp_path / "out"), Deaf())


def test_the_command_does_not_write_into_a_folder_that_exists(speech: Path):
    result = CliRunner().invoke(app, ["train", "transcribe-orders", str(speech), "--out", str(speech)])
    assert result.exit_code == 1
    assert "exists; give a folder that does not" in " ".join(result.output.split())
