"""The labels of a model of transformers, column by column, from the files of its tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elocute.assets import read_object
from elocute.errors import ConfigError

_ROLES = {
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "word_delimiter_token": "|",
}
"""Labels that have a role for the tokenizer go by one name each, whatever the model calls them."""


def read_labels(folder: Path, size: int) -> list[str | None]:
    """The label of each of `size` columns; None for a column without one.

    Raises:
        ConfigError: no vocabulary, a damaged one, or labels for columns that the model has not.
    """
    settings = read_object(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    ids = _vocabulary(folder, settings)
    labels: list[str | None] = [None] * size
    beyond = []
    for label, column in ids.items():
        if 0 <= column < size:
            labels[column] = label
        else:
            beyond.append(label)
    roles = {_content(settings.get(role)): name for role, name in _ROLES.items()}
    roles |= {label: label for label in ids if label.startswith(("<", "[")) and label.endswith((">", "]"))}
    lost = [label for label in beyond if label not in roles]  # tokenizers add marks that no head was made for
    if lost:
        raise ConfigError(
            f"{folder}: the vocabulary gives {len(lost)} labels a column beyond the model's {size}, such as "
            f"{lost[0]!r}; expected vocabulary and head of the same training"
        )
    return [None if label is None else roles.get(label, label) for label in labels]


def _vocabulary(folder: Path, settings: Mapping[str, Any]) -> dict[str, int]:
    """Column of each label, from every file that may name some."""
    ids: dict[str, int] = {}
    found = False
    if (folder / "tokenizer.json").is_file():
        stored = read_object(folder / "tokenizer.json")
        vocabulary = stored.get("model", {}).get("vocab", {})
        ids |= vocabulary if isinstance(vocabulary, dict) else _numbered(vocabulary)
        ids |= {one["content"]: int(one["id"]) for one in stored.get("added_tokens", ())}
        found = True
    if (folder / "vocab.json").is_file():
        ids |= _of_language(read_object(folder / "vocab.json"), settings.get("target_lang"), folder)
        found = True
    if (folder / "added_tokens.json").is_file():
        ids |= {label: int(column) for label, column in read_object(folder / "added_tokens.json").items()}
    if not found:
        raise ConfigError(f"{folder} has no vocab.json or tokenizer.json, which name the model's labels; fetch it")
    for column, one in settings.get("added_tokens_decoder", {}).items():
        ids[str(_content(one))] = int(column)
    return ids


def _numbered(vocabulary: list[Any]) -> dict[str, int]:
    """Columns of a vocabulary that is a list of labels, with or without scores."""
    return {str(one[0] if isinstance(one, list) else one): column for column, one in enumerate(vocabulary)}


def _of_language(stored: Mapping[str, Any], language: str | None, folder: Path) -> dict[str, int]:
    """A vocabulary file; where it holds several languages, that of the tokenizer's."""
    if stored and all(isinstance(value, dict) for value in stored.values()):
        if language is None or language not in stored:
            raise ConfigError(
                f"{folder / 'vocab.json'} holds {len(stored)} languages and the tokenizer names {language!r}; expected "
                "one of them as target_lang in tokenizer_config.json"
            )
        stored = stored[language]
    wrong = next((label for label, column in stored.items() if type(column) is not int), None)
    if wrong is not None:
        raise ConfigError(f"{folder / 'vocab.json'}: label {wrong!r} has column {stored[wrong]!r}; expected a number")
    return dict(stored)


def _content(token: Any) -> str | None:
    """A token as its text; files have the text, or an object around it."""
    return token.get("content") if isinstance(token, dict) else token
