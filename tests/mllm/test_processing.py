"""Tokenizer and feature extractor: both layouts, the released names and ids, files that are damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra 'hf' is not installed")

from elocute.errors import ConfigError
from elocute.mllm.processing import RELEASED_IDS, RELEASED_ROWS, Layout, load_processor, token_ids, write_processor
from elocute.mllm.prompts import TASKS, user_turn

TURN = "<|user|>Rate it.<|end|><|assistant|>"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Layout, Path]:
    """A folder in each layout; the released one with the released ids."""
    root = tmp_path_factory.mktemp("processors")
    for layout in get_args(Layout):
        write_processor(root / layout, layout=layout, vocabulary=600, released_ids=layout == "released")
    return {layout: root / layout for layout in get_args(Layout)}


@pytest.mark.parametrize("layout", get_args(Layout))
def test_every_text_survives_the_tokenizer(folders: dict[Layout, Path], layout: Layout) -> None:
    tokenizer = load_processor(folders[layout]).tokenizer
    for text in (*(user_turn(task) for task in TASKS), "naïve 東京\t\n  x", TURN, '{"a": "K AE <unk> T"}'):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("layout", get_args(Layout))
def test_transformers_reads_the_same_tokenizer(folders: dict[Layout, Path], layout: Layout) -> None:
    from transformers import AutoTokenizer

    theirs, ours = AutoTokenizer.from_pretrained(folders[layout]), load_processor(folders[layout]).tokenizer
    for text in (user_turn("apa"), TURN + ' {"accuracy": 8}<|end|>'):
        assert theirs(text)["input_ids"] == ours(text)["input_ids"]
    chat = [{"role": "user", "content": "Rate it."}]
    for tokenizer in (theirs, ours):
        assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == TURN


def test_released_names_and_ids(folders: dict[Layout, Path]) -> None:
    processor = load_processor(folders["released"])
    ids = token_ids(processor)
    assert (ids.pad, ids.eos, ids.end, ids.image, ids.audio) == (199999, 199999, 200020, 200010, 200011)
    assert ids.rows <= RELEASED_ROWS
    assert processor.audio_token == "<|endoftext11|>"
    vocab = processor.tokenizer.get_vocab()
    assert {vocab[key] for key in RELEASED_IDS if key in vocab} == set(RELEASED_IDS.values()) - {200010, 200011}
    names = {path.name for path in folders["released"].iterdir()}
    assert names == {
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "preprocessor_config.json",
        "processor_config.json",
    }
    config = json.loads((folders["released"] / "preprocessor_config.json").read_text())
    assert config["auto_map"]["AutoProcessor"] == "processing_phi4mm.Phi4MMProcessor"
    assert token_ids(load_processor(folders["native"])).audio < 700


def test_the_same_sound_gives_the_same_features_in_both_layouts(folders: dict[Layout, Path]) -> None:
    wave = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    found = [
        load_processor(folder).audio_processor([wave], sampling_rate=16_000, return_tensors="np")
        for folder in folders.values()
    ]
    assert found[0]["audio_input_features"].shape == (1, 98, 80)
    assert found[0]["audio_embed_sizes"].tolist() == [13]  # 98 frames, eight to a vector
    assert np.array_equal(found[0]["audio_input_features"], found[1]["audio_input_features"])


def test_what_transformers_saves_is_read_again(folders: dict[Layout, Path], tmp_path: Path) -> None:
    processor = load_processor(folders["native"])
    processor.tokenizer.chat_template = "{{ messages[0]['content'] }}!"
    processor.audio_processor.preemphasis = 0.5
    processor.save_pretrained(tmp_path)
    again = load_processor(tmp_path)
    assert token_ids(again) == token_ids(processor)
    assert again.audio_processor.preemphasis == 0.5
    assert again.tokenizer.apply_chat_template([{"role": "user", "content": "hello"}], tokenize=False) == "hello!"


def test_a_tokenizer_learns_from_the_texts_that_it_is_given(tmp_path: Path) -> None:
    texts = [" zyzzyva ZZ QQ XY"] * 50
    with_texts = write_processor(tmp_path / "a", texts=texts, vocabulary=1500).tokenizer
    without = write_processor(tmp_path / "b", vocabulary=1500).tokenizer
    assert len(with_texts(" zyzzyva ZZ")["input_ids"]) == 2
    assert len(without(" zyzzyva ZZ")["input_ids"]) > 2
    # Every phone is one token, behind a space as in a transcript.
    assert all(len(without(f" {phone}")["input_ids"]) == 1 for phone in ("AA", "K", "ZH", "TR"))


def broken(folder: Path, name: str, content: str | None) -> None:
    """Damage one file."""
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("tokenizer.json", None, "has no tokenizer.json; expected all files"),
        ("tokenizer.json", "{", "tokenizer.json is not JSON"),
        ("tokenizer.json", "[]", "tokenizer.json holds list; expected a JSON object"),
        ("tokenizer.json", "{}", "tokenizer.json is no tokenizer: .*; copy the file again"),
        ("tokenizer_config.json", None, "has no tokenizer_config.json; expected all files"),
        ("preprocessor_config.json", None, "has neither preprocessor_config.json nor processor_config.json with"),
    ],
)
def test_damaged_files_are_named(
    folders: dict[Layout, Path], tmp_path: Path, name: str, content: str | None, match: str
) -> None:
    folder = shutil.copytree(folders["native"], tmp_path / "model")
    broken(folder, name, content)
    with pytest.raises(ConfigError, match=match):
        load_processor(folder)


@pytest.mark.parametrize(
    ("without", "lacking"), [("<|end|>", "lacks <|end|>"), ("<|audio|>", "lacks <|audio|> or <|endoftext11|>")]
)
def test_the_tokenizer_of_another_model_is_refused(
    folders: dict[Layout, Path], tmp_path: Path, without: str, lacking: str
) -> None:
    folder = shutil.copytree(folders["native"], tmp_path / "model")
    content: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != without]
    del content["model"]["vocab"][without]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError) as caught:
        load_processor(folder)
    assert lacking in str(caught.value)


def test_a_token_that_the_model_has_no_row_for_is_refused(folders: dict[Layout, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["native"], tmp_path / "model")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["pad_token"] = {"content": "<pad>", "special": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"names <pad>, which tokenizer.json lacks"):
        load_processor(folder)


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="layout is 'gguf'; expected native or released"):
        write_processor(tmp_path, layout="gguf")  # type: ignore[arg-type]
