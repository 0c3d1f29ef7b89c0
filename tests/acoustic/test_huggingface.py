"""`hf:`: every CTC class of transformers, tiny and random, in the layout that users download."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra hf is not installed")

from acoustic.label_lists import ESPEAK
from acoustic.tiny_models import FAMILIES, PHONE_LABELS, save_family
from elocute.acoustic import check_backend, load_backend
from elocute.acoustic.batched import hear_all
from elocute.acoustic.huggingface import HuggingFaceBackend, identity
from elocute.acoustic.huggingface_labels import read_labels
from elocute.acoustic.protocol import batches
from elocute.assessor import Assessor
from elocute.config import AssessorConfig
from elocute.errors import AlignmentError, AudioError, ConfigError, MissingExtraError
from elocute.installed import model_versions
from elocute.phones import PHONES
from elocute.report import Report
from planted import recording

EXAMPLES = Path(__file__).parents[2] / "examples"
PASSED = ["members", "phone set", "noise", "silence", "0.1 seconds", "30 seconds", "deterministic"]


@pytest.fixture(scope="session", autouse=True)
def offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    for name in FAMILIES:
        save_family(name, folder / name)
    return folder


@pytest.fixture
def copied(families: Path, tmp_path: Path) -> Path:
    """A model whose files may be spoiled."""
    return Path(shutil.copytree(families / "wav2vec2", tmp_path / "spoiled"))


def change(path: Path, **values: object) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(stored | values), encoding="utf-8")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_loads_keeps_the_contract_and_assesses(family: str, families: Path) -> None:
    backend = load_backend(f"hf:{families / family}", threads=1)
    assert isinstance(backend, HuggingFaceBackend)
    assert backend.name == f"hf:{family}"
    assert backend.frame_shift_s == pytest.approx(FAMILIES[family].frame_shift_s, rel=1e-9)
    assert check_backend(backend) == [*PASSED, *(["batch"] if FAMILIES[family].batches else [])]
    row = json.loads((EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[0])
    report = Assessor(backend=backend).assess(EXAMPLES / row["audio"], row["text"])
    assert Report.from_json(report.to_json()) == report
    assert report.model.backend == f"{backend.name} {backend.version}"
    assert len(report.words) >= len(row["text"].split())
    assert report.warnings  # a model that was never trained hears nothing of the text, and the report says so


@pytest.mark.parametrize("family", ["wav2vec2", "bert", "parakeet"])
def test_what_a_model_hears_does_not_depend_on_what_it_heard_before(family: str, families: Path) -> None:
    backend = load_backend(f"hf:{families / family}")
    first, other = recording(1.0), recording(2.0, seed=1)
    heard = backend.posteriors(first).log_probs
    backend.posteriors(other)
    np.testing.assert_array_equal(backend.posteriors(first).log_probs, heard)
    assert not np.array_equal(backend.posteriors(other).log_probs[: len(heard)], heard)


def test_samples_are_normalised_where_the_model_says_so(families: Path) -> None:
    def heard(family: str, amplitude: float) -> np.ndarray:
        return load_backend(f"hf:{families / family}").posteriors(recording(1.0, amplitude=amplitude)).log_probs

    np.testing.assert_allclose(heard("wav2vec2", 0.1), heard("wav2vec2", 0.05), atol=1e-3)
    assert json.loads((families / "wavlm" / "preprocessor_config.json").read_text())["do_normalize"] is False


def test_the_head_decides_which_column_is_which_phone(families: Path, tmp_path: Path) -> None:
    """The same weights with their labels in another order: the same posteriors, phone by phone."""
    shuffled = [PHONE_LABELS[i] for i in np.random.default_rng(0).permutation(len(PHONE_LABELS))]
    folder = save_family("wav2vec2", tmp_path / "shuffled", shuffled)
    from safetensors.numpy import load_file, save_file

    weights = load_file(families / "wav2vec2" / "model.safetensors")
    order = [PHONE_LABELS.index(label) for label in shuffled]
    weights |= {name: weights[name][order] for name in ("lm_head.weight", "lm_head.bias")}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    one, other = (load_backend(f"hf:{place}") for place in (families / "wav2vec2", folder))
    assert other.phone_set == one.phone_set
    heard = [backend.posteriors(recording(1.0)).log_probs for backend in (one, other)]
    np.testing.assert_allclose(heard[0], heard[1], atol=1e-5)
    assert one.version != other.version


def test_espeaks_vocabulary_with_labels_that_the_head_lacks(tmp_path: Path) -> None:
    folder = save_family("wav2vec2", tmp_path / "espeak", ESPEAK)
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    (folder / "vocab.json").write_text(json.dumps(vocabulary | {"<mask>": len(ESPEAK)}), encoding="utf-8")
    backend = load_backend(f"hf:{folder}")
    assert isinstance(backend, HuggingFaceBackend)
    assert backend.phone_set.size == 41
    assert backend.folding.report.pairs["ɑːɹ"] == ("AA", "R")
    assert check_backend(backend) == [*PASSED, "batch"]


def test_added_tokens_and_odd_names_of_marks_are_read(tmp_path: Path) -> None:
    labels = ["PAD", "UNK", "~", *PHONES]
    folder = save_family("wav2vec2", tmp_path / "odd", labels, blank="PAD", unmarked=True)
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    kept = {label: column for label, column in vocabulary.items() if label not in ("UNK", "ZH", "Z")}
    (folder / "vocab.json").write_text(json.dumps(kept), encoding="utf-8")
    (folder / "added_tokens.json").write_text(json.dumps({"ZH": labels.index("ZH")}), encoding="utf-8")
    settings = {
        "pad_token": {"content": "PAD", "special": True},
        "unk_token": "UNK",
        "word_delimiter_token": "~",
        "added_tokens_decoder": {
            "1": {"content": "UNK"},
            str(labels.index("Z")): {"content": "Z"},
            "99": {"content": "<s>"},
        },
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    backend = load_backend(f"hf:{folder}")
    assert isinstance(backend, HuggingFaceBackend)
    assert backend.folding.report.silent == ("<pad>", "|")
    assert backend.folding.report.unmapped == ("<unk>",)


def test_a_fast_tokenizers_file_and_its_list_of_pieces_are_read(families: Path, copied: Path) -> None:
    (copied / "vocab.json").unlink()
    pieces = {"model": {"type": "Unigram", "vocab": [[label, -1.0] for label in PHONE_LABELS]}, "added_tokens": []}
    (copied / "tokenizer.json").write_text(json.dumps(pieces), encoding="utf-8")
    assert read_labels(copied, len(PHONE_LABELS)) == list(PHONE_LABELS)
    mapped = {"model": {"vocab": {}}, "added_tokens": [{"id": i, "content": s} for i, s in enumerate(PHONE_LABELS)]}
    (copied / "tokenizer.json").write_text(json.dumps(mapped), encoding="utf-8")
    assert load_backend(f"hf:{copied}").phone_set == load_backend(f"hf:{families / 'wav2vec2'}").phone_set


def test_of_several_languages_the_tokenizers_own_is_read(copied: Path) -> None:
    english = {label: column for column, label in enumerate(PHONE_LABELS)}
    (copied / "vocab.json").write_text(json.dumps({"eng": english, "deu": {"<pad>": 0}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"holds 2 languages and the tokenizer names None"):
        load_backend(f"hf:{copied}")
    change(copied / "tokenizer_config.json", target_lang="eng")
    assert load_backend(f"hf:{copied}").phone_set.symbols == PHONES


def lose(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def set_config(**values: object) -> Callable[[Path], None]:
    return lambda folder: change(folder / "config.json", **values)


def without_head(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = {name: one for name, one in load_file(folder / "model.safetensors").items() if "lm_head" not in name}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


SPOILED: dict[str, Callable[[Path], None]] = {
    r"has no config\.json; expected all files": lose("config.json"),
    r"has no weights; expected model\*\.safetensors": lose("model.safetensors"),
    r"has no preprocessor_config\.json, which says what goes in": lose("preprocessor_config.json"),
    r"has no vocab\.json or tokenizer\.json": lose("vocab.json"),
    r"config\.json is not JSON": lambda folder: folder.joinpath("config.json").write_text("{", encoding="utf-8"),
    r"class Wav2Vec2ForPreTraining; expected one that ends in ForCTC": set_config(
        architectures=["Wav2Vec2ForPreTraining"]
    ),
    r"class unknown; expected one that ends in ForCTC": set_config(architectures=None),
    r"the model cannot be loaded": set_config(model_type="nonsense"),
    r"2 parameters are not among the weights, such as lm_head.bias": without_head,
    r"whose label is 'AA'": set_config(pad_token_id=PHONE_LABELS.index("AA")),
    r"pad_token_id is None; expected the blank's column": set_config(pad_token_id=None),
    r"takes recordings of 8000 Hz; expected 16000": lambda folder: change(
        folder / "preprocessor_config.json", sampling_rate=8000
    ),
    r"gives 1 labels a column beyond the model's 44, such as 'QQ'": lambda folder: change(folder / "vocab.json", QQ=44),
    r"label 'AA' has column 'five'; expected a number": lambda folder: change(folder / "vocab.json", AA="five"),
    r"2 of the 39 phones do not resolve: AA TH": lambda folder: folder.joinpath("vocab.json").write_text(
        json.dumps({s: i for i, s in enumerate(PHONE_LABELS) if s not in ("AA", "TH")}), encoding="utf-8"
    ),
}


@pytest.mark.parametrize("message", SPOILED)
def test_what_is_wrong_with_a_folder_is_said(message: str, copied: Path) -> None:
    SPOILED[message](copied)
    with pytest.raises(ConfigError, match=message):
        load_backend(f"hf:{copied}")


def test_places_that_are_no_model_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"does not exist; expected the folder of a model"):
        load_backend(f"hf:{tmp_path / 'nowhere'}")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"is a file; expected the folder of a model"):
        load_backend(f"hf:{tmp_path / 'file'}")
    with pytest.raises(ConfigError, match=r"expected a model after it, such as 'hf:FOLDER'"):
        load_backend("hf")
    with pytest.raises(ConfigError, match=r"expected a model after it"):
        load_backend("hf:")
    with pytest.raises(ConfigError, match=r"expected 'embedded' alone, which is one model and takes no place"):
        load_backend("embedded:small")
    with pytest.raises(ConfigError, match=r"backend is 'zippa'; expected one of .*; did you mean 'zipa'"):
        load_backend("zippa:somewhere")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match=r"no folder here, was not downloaded before, and the hub cannot be reached"):
        load_backend("hf:facebook/no-such-model")


def test_without_the_extra_the_message_names_it(families: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elocute.acoustic.huggingface.find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"torch, transformers, safetensors, not installed; pip install 'elocute\[hf\]'"
    ):
        load_backend(f"hf:{families / 'wavlm'}")


def test_too_short_a_recording_is_refused(families: Path) -> None:
    with pytest.raises(AudioError, match=r"audio is 0.050 s; the model hf:wavlm needs at least 0.100 s"):
        load_backend(f"hf:{families / 'wavlm'}").posteriors(recording(0.05))


def test_a_text_that_needs_more_frames_of_80_ms_is_refused_with_the_reason(families: Path) -> None:
    assessor = Assessor(backend=load_backend(f"hf:{families / 'parakeet'}"))
    with pytest.raises(AlignmentError, match=r"has 7 frames of 80 ms; the \d+ phones of the text need more"):
        assessor.assess(recording(0.5), "internationalization")


def test_a_models_identity_is_that_of_its_files(families: Path, copied: Path) -> None:
    place = str(families / "wav2vec2")
    assert identity(place) == identity(str(copied)) == load_backend(f"hf:{place}").version
    told = model_versions(f"hf:{place}")["backend"]
    assert told == f"hf:{place} {identity(place)}"
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert identity(str(copied)) != identity(place)


def test_threads_are_torchs_while_a_model_runs_and_no_longer(families: Path) -> None:
    import torch

    before = torch.get_num_threads()
    backend = load_backend(f"hf:{families / 'hubert'}", threads=before + 1)
    seen: list[int] = []
    assert isinstance(backend, HuggingFaceBackend)
    backend.model.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    backend.posteriors(recording(1.0))
    assert (seen, torch.get_num_threads()) == ([before + 1], before)


def test_the_settings_of_an_assessor_name_a_model(families: Path) -> None:
    assessor = Assessor(AssessorConfig(backend=f"hf:{families / 'data2vec'}", threads=1))
    assert assessor.backend.name == "hf:data2vec"
    assert assessor.scorer.name == "unrated"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_heard_as_each_recording_by_itself(family: str, families: Path) -> None:
    """Ragged lengths; families that see the padding say so and are asked one by one."""
    backend = load_backend(f"hf:{families / family}", threads=1)
    assert isinstance(backend, HuggingFaceBackend)
    assert batches(backend) is FAMILIES[family].batches
    recordings = [recording(seconds, seed=n) for n, seconds in enumerate((1.0, 0.1, 2.13, 0.777, 3.2, 0.1))]
    together = hear_all(backend, recordings, batch_size=4)
    for audio, found in zip(recordings, together, strict=True):
        alone = backend.posteriors(audio)
        assert found.frame_shift_s == alone.frame_shift_s
        np.testing.assert_allclose(found.log_probs, alone.log_probs, atol=1e-5)
    with pytest.raises(AudioError, match="0.010 s"):
        backend.posteriors_batch([recordings[0], recording(0.01)])


def test_a_spelling_of_several_labels_is_folded_in_batches_too(tmp_path: Path) -> None:
    backend = load_backend(f"hf:{save_family('wav2vec2', tmp_path / 'espeak', ESPEAK)}", threads=1)
    recordings = [recording(0.5), recording(1.2, seed=1)]
    for audio, found in zip(recordings, hear_all(backend, recordings, batch_size=2), strict=True):
        np.testing.assert_allclose(found.log_probs, backend.posteriors(audio).log_probs, atol=1e-5)
