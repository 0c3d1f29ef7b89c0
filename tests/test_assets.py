"""The shipped models: a card each, no trace of the machine that made them, small enough; missing ones are named."""

import hashlib
from importlib.resources import files

import pytest

from elocute.assets import open_model, read_asset, read_card
from elocute.errors import ConfigError

MODELS = ("acoustic", "scorer", "g2p")


@pytest.mark.parametrize("stem", MODELS)
def test_a_graph_carries_no_stack_traces_or_paths(stem: str) -> None:
    data = read_asset(f"{stem}.onnx")
    for trace in (b"stack_trace", b"site-packages", b'File "', b"/training/"):
        assert trace not in data


@pytest.mark.parametrize("stem", MODELS)
def test_a_card_says_data_licence_command_and_size(stem: str) -> None:
    card = read_card(stem)
    assert card["bytes"] == len(read_asset(f"{stem}.onnx"))
    assert card["licence"].startswith("Apache-2.0")
    assert card["data"]
    assert "train" in card["command"]
    assert card["parameters"] > 0
    if "sha256" in card:
        assert card["sha256"] == hashlib.sha256(read_asset(f"{stem}.onnx")).hexdigest()


def test_all_assets_together_fit_the_promised_size() -> None:
    folder = files("elocute") / "assets"
    assert sum(len(read_asset(item.name)) for item in folder.iterdir() if item.name.endswith((".onnx", ".bin"))) < 20e6


def test_what_is_missing_or_damaged_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"asset nothing\.onnx is missing; reinstall"):
        open_model("nothing")
    with pytest.raises(ConfigError, match=r"nowhere\.onnx not found"):
        open_model(tmp_path / "nowhere.onnx")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "bad.json").write_text("{")
    monkeypatch.setattr("elocute.assets.files", lambda _: tmp_path)
    with pytest.raises(ConfigError, match=r"asset bad\.json is not JSON"):
        read_card("bad")
