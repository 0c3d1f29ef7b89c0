"""Tokenizer and feature extractor of Phi-4-multimodal: read from any layout, written for small models of our own.

A processor is put together from its parts, because its image half needs torchvision and would refuse to load, and
because nothing of a repository's own code is ever run. Read are the files of the native classes (transformers) and of
the released repository (code of its own), where the audio token goes by `<|endoftext11|>`.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from elocute.assets import read_card, read_object
from elocute.errors import ConfigError, MissingExtraError
from elocute.mllm.answers import ALPHABET, write_combined, write_mdd
from elocute.mllm.prompts import TASKS, user_turn

Layout = Literal["native", "released"]
"""As transformers writes it, or as the released repository with its own code has it."""

EOS, USER, END, ASSISTANT = "<|endoftext|>", "<|user|>", "<|end|>", "<|assistant|>"
_IMAGE: dict[Layout, str] = {"native": "<|image|>", "released": "<|endoftext10|>"}
_AUDIO: dict[Layout, str] = {"native": "<|audio|>", "released": "<|endoftext11|>"}
RELEASED_IDS: dict[str, int] = {
    EOS: 199999,
    "image": 200010,
    "audio": 200011,
    "<|endofprompt|>": 200018,
    ASSISTANT: 200019,
    END: 200020,
    USER: 200021,
    "<|system|>": 200022,
    "<|tool|>": 200023,
    "<|/tool|>": 200024,
    "<|tool_call|>": 200025,
    "<|/tool_call|>": 200026,
    "<|tool_response|>": 200027,
    "<|tag|>": 200028,
}
"""Special tokens of the released tokenizer; its vocabulary has 200,064 rows."""
RELEASED_ROWS = 200_064
_CHAT = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)
_FEATURES = {"audio_compression_rate": 8, "audio_downsample_rate": 1, "audio_feat_stride": 1}
_SHAPE = {
    "feature_size": 80,
    "sampling_rate": 16000,
    "hop_length": 160,
    "n_fft": 512,
    "win_length": 400,
    "preemphasis": 0.97,
    "padding_value": 0.0,
}
_KNOWN = (*_SHAPE, *_FEATURES, "mel_min_frequency", "mel_max_frequency")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIds:
    """Ids that a model's configuration and a collator need.

    Attributes:
        pad: of padding; the same as `eos` in the released tokenizer.
        eos: `<|endoftext|>`, also the beginning.
        end: `<|end|>`, which closes an answer.
        audio: stands for one vector of the audio encoder.
        image: likewise of the vision tower.
        rows: rows that the embedding needs: one more than the highest id.
    """

    pad: int
    eos: int
    end: int
    audio: int
    image: int
    rows: int


def load_processor(folder: Path) -> Any:
    """The `Phi4MultimodalProcessor` of a model's folder, without its image half.

    Raises:
        ConfigError: a file is missing or damaged, or the tokenizer lacks a token that the model is spoken to with.
        MissingExtraError: transformers is not installed.
    """
    folder = Path(folder)
    tokenizer = _load_tokenizer(folder)
    try:
        from transformers import Phi4MultimodalFeatureExtractor, Phi4MultimodalProcessor
    except ImportError as error:
        raise _missing(error) from error
    settings = _feature_settings(folder)
    extractor = Phi4MultimodalFeatureExtractor(**{key: settings[key] for key in _KNOWN if key in settings})
    make: Any = Phi4MultimodalProcessor  # untyped
    return make(_no_image()(), extractor, tokenizer)


def token_ids(processor: Any) -> TokenIds:
    """The ids of a processor's tokenizer."""
    tokenizer = processor.tokenizer
    of = tokenizer.convert_tokens_to_ids
    return TokenIds(
        pad=tokenizer.pad_token_id,
        eos=of(EOS),
        end=of(END),
        audio=of(processor.audio_token),
        image=of(processor.image_token),
        rows=max(tokenizer.get_vocab().values()) + 1,
    )


def write_processor(
    folder: Path,
    *,
    layout: Layout = "native",
    texts: Iterable[str] | None = None,
    vocabulary: int = 2048,
    released_ids: bool = False,
) -> Any:
    """Train a small byte-level BPE and write tokenizer and processor files beside which a model can be saved.

    Args:
        folder: made if it is not there.
        layout: whose file names, contents and names of the audio token.
        texts: what the tokenizer learns its merges from, besides the prompts; default: the phones and the built-in
            practice words, so that no corpus is needed.
        vocabulary: most tokens, without the special ones.
        released_ids: whether special tokens get the ids of the released tokenizer, far above the others, so that a
            model has its 200,064 rows; else they follow the others.

    Returns: the processor, read back from the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    specials = _special_names(layout)
    trained = _trained([*_prompts(), *(_default_texts() if texts is None else texts)], vocabulary)
    vocab: dict[str, int] = trained["model"]["vocab"]
    first = len(vocab)
    ids = {
        token: RELEASED_IDS[key] if released_ids else first + index
        for index, (key, token) in enumerate(specials.items())
    }
    trained["model"]["vocab"] = {**vocab, **ids}
    trained["added_tokens"] = [_added(token, number) for token, number in ids.items()]
    _write_json(folder / "tokenizer.json", trained)
    _write_json(folder / "vocab.json", vocab)
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in trained["model"]["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    _write_json(folder / "added_tokens.json", ids)
    named = {"bos_token": EOS, "eos_token": EOS, "pad_token": EOS, "unk_token": EOS}
    _write_json(folder / "special_tokens_map.json", named)
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(layout, ids, named))
    for name, content in _processor_configs(layout).items():
        _write_json(folder / name, content)
    return load_processor(folder)


@functools.cache
def _no_image() -> type:
    """An image processor that processes nothing: the class insists on one."""
    from transformers.image_processing_utils import BaseImageProcessor

    class NoImage(BaseImageProcessor):  # type: ignore[misc, no-any-unimported, unused-ignore]
        """Stands where the image processor would."""

        model_input_names: list[str] = []

    return NoImage


def _missing(error: ImportError) -> MissingExtraError:
    """What to install."""
    return MissingExtraError(f"{error.name or 'transformers'} is not installed; run: pip install 'elocute[phi4]'")


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON file as transformers writes them."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer with names for its audio and image tokens."""
    path = folder / "tokenizer.json"
    read_object(path)
    config = read_object(folder / "tokenizer_config.json")
    try:
        from tokenizers import Tokenizer
        from transformers import PreTrainedTokenizerFast
    except ImportError as error:
        raise _missing(error) from error
    try:
        found = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust library raises nothing more special
        raise ConfigError(f"{path} is no tokenizer: {error}; copy the file again") from error
    present = found.get_vocab(with_added_tokens=True)
    needed = [token for token in (EOS, USER, END, ASSISTANT) if token not in present]
    layouts = [layout for layout in _AUDIO if _AUDIO[layout] in present and _IMAGE[layout] in present]
    if needed or not layouts:
        lacking = needed or [" or ".join(_AUDIO.values())]
        raise ConfigError(f"{path} lacks {', '.join(lacking)}; expected the tokenizer of Phi-4-multimodal")
    layout: Layout = layouts[0]
    named = {name: _content(config.get(name)) or EOS for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    foreign = sorted(set(named.values()) - present.keys())
    if foreign:  # they would get ids for which the model has no rows
        raise ConfigError(f"{folder / 'tokenizer_config.json'} names {', '.join(foreign)}, which {path.name} lacks")
    make: Any = PreTrainedTokenizerFast  # untyped
    return make(
        tokenizer_object=found,
        **named,
        extra_special_tokens={"image_token": _IMAGE[layout], "audio_token": _AUDIO[layout]},
        chat_template=_chat_template(folder, config),
        model_max_length=config.get("model_max_length", 131072),
        clean_up_tokenization_spaces=False,
    )


def _chat_template(folder: Path, config: Mapping[str, Any]) -> str:
    """The template of a chat: in the settings of the tokenizer, or in a file of its own as transformers 5 writes it."""
    path = folder / "chat_template.jinja"
    return path.read_text(encoding="utf-8") if path.is_file() else str(config.get("chat_template", _CHAT))


def _content(token: Any) -> str | None:
    """A token's text, which files hold plainly or as an object."""
    return token.get("content") if isinstance(token, dict) else token


def _feature_settings(folder: Path) -> dict[str, Any]:
    """Settings of the feature extractor, from whichever file the layout keeps them in; defaults are the model's."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = folder / name
        if not path.is_file():
            continue
        content = read_object(path)
        # transformers 5 writes all parts into processor_config.json, each under its name.
        content = content.get("feature_extractor", content.get("audio_processor", content))
        if isinstance(content, dict) and content.keys() & {*_FEATURES, "feature_size"}:
            return content
    raise ConfigError(
        f"{folder} has neither preprocessor_config.json nor processor_config.json with the settings of the audio "
        "features; expected the files of Phi-4-multimodal"
    )


def _special_names(layout: Layout) -> dict[str, str]:
    """Special tokens in the order of their ids, by their key in `RELEASED_IDS`."""
    if layout not in _AUDIO:
        raise ConfigError(f"layout is {layout!r}; expected {' or '.join(_AUDIO)}")
    other = {"image": _IMAGE[layout], "audio": _AUDIO[layout]}
    return {key: other.get(key, key) for key in RELEASED_IDS}


def _trained(texts: Iterable[str], vocabulary: int) -> dict[str, Any]:
    """A byte-level BPE as the content of tokenizer.json, without special tokens."""
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError as error:
        raise _missing(error) from error
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    return content


def _prompts() -> list[str]:
    """Every user turn, without its special tokens, which are no text."""
    turns = [user_turn(task, style=style) for task in TASKS for style in ("rubric", "short")]
    return [turn.replace(USER, "").replace(END, "").replace(ASSISTANT, "") for turn in turns]


def _default_texts() -> list[str]:
    """Answers made of nothing but phones and practice words."""
    pairs = read_card("practice")["pairs"]
    words = sorted({word for listed in pairs.values() for pair in listed for word in pair.split()[:2]})
    phones = sorted(ALPHABET)
    scores = {"accuracy": 8, "fluency": 7, "prosodic": 9, "total": 10}
    answers = [
        write_mdd([word], [[phone, *phones]]) for word, phone in zip(words, itertools.cycle(phones), strict=False)
    ]
    return [*answers, write_combined(scores, ["a"], [phones])]


def _added(token: str, number: int) -> dict[str, Any]:
    """An entry of `added_tokens`; the released tokenizer swallows white space after the tokens of a chat."""
    is_chat = token in RELEASED_IDS and token not in (EOS, "<|endofprompt|>")
    return {
        "id": number,
        "content": token,
        "single_word": False,
        "lstrip": False,
        "rstrip": is_chat,
        "normalized": False,
        "special": True,
    }


def _tokenizer_config(layout: Layout, ids: Mapping[str, int], named: Mapping[str, str]) -> dict[str, Any]:
    """Content of tokenizer_config.json."""
    added = {
        str(number): {k: v for k, v in _added(token, number).items() if k != "id"} for token, number in ids.items()
    }
    config: dict[str, Any] = {
        "add_bos_token": False,
        "add_eos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        **named,
        "chat_template": _CHAT,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 131072,
        "tokenizer_class": "GPT2TokenizerFast" if layout == "released" else "PreTrainedTokenizerFast",
    }
    if layout == "native":
        config["extra_special_tokens"] = {"image_token": _IMAGE[layout], "audio_token": _AUDIO[layout]}
        config["processor_class"] = "Phi4MultimodalProcessor"
    return config


def _processor_configs(layout: Layout) -> dict[str, dict[str, Any]]:
    """Contents of preprocessor_config.json and processor_config.json."""
    if layout == "native":
        return {
            "preprocessor_config.json": {
                "feature_extractor_type": "Phi4MultimodalFeatureExtractor",
                "processor_class": "Phi4MultimodalProcessor",
                **_SHAPE,
                **_FEATURES,
            },
            "processor_config.json": {"processor_class": "Phi4MultimodalProcessor"},
        }
    code = {
        "AutoProcessor": "processing_phi4mm.Phi4MMProcessor",
        "AutoImageProcessor": "processing_phi4mm.Phi4MMImageProcessor",
        "AutoFeatureExtractor": "processing_phi4mm.Phi4MMAudioFeatureExtractor",
    }
    return {
        "preprocessor_config.json": {
            "auto_map": code,
            "feature_extractor_type": "Phi4MMAudioFeatureExtractor",
            "image_processor_type": "Phi4MMImageProcessor",
            "processor_class": "Phi4MMProcessor",
            **_FEATURES,
            "dynamic_hd": 36,
        },
        "processor_config.json": {"auto_map": code, "processor_class": "Phi4MMProcessor"},
    }
