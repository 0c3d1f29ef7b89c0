"""`onnx:` and `zipa:`: graphs of the signatures that they take, tiny and random."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("onnx", reason="the extra train, which makes the graphs, is not installed")

from acoustic.label_lists import ZIPA
from acoustic.tiny_graphs import save_exported, save_zipa
from elocute.acoustic import check_backend, load_backend
from elocute.acoustic.exported import ExportedBackend
from elocute.acoustic.zipa import FRONT_END, ZipaBackend
from elocute.assessor import Assessor
from elocute.batch.manifest import ManifestRow
from elocute.cli.app import app
from elocute.errors import AudioError, ConfigError
from elocute.evaluation.assessing import CorpusFactory
from elocute.installed import model_versions
from elocute.phones import PHONES
from elocute.report import Report
from elocute.types import PhoneSet
from planted import recording

EXAMPLES = Path(__file__).parents[2] / "examples"
PASSED = ["members", "phone set", "noise", "silence", "0.1 seconds", "30 seconds", "deterministic"]
OURS = PhoneSet.one_label_each(PHONES)


def check_assessment(assessor: Assessor) -> None:
    row = json.loads((EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[0])
    report = assessor.assess(EXAMPLES / row["audio"], row["text"])
    assert Report.from_json(report.to_json()) == report
    assert report.model.backend == f"{assessor.backend.name} {assessor.backend.version}"
    assert report.warnings


@pytest.mark.parametrize(("stride", "frame_shift_s"), [(2, 0.02), (4, 0.04)])
def test_zipa_loads_keeps_the_contract_and_assesses(stride: int, frame_shift_s: float, tmp_path: Path) -> None:
    backend = load_backend(f"zipa:{save_zipa(tmp_path / 'zipa', ZIPA, stride=stride)}", threads=1)
    assert isinstance(backend, ZipaBackend)
    assert backend.name == "zipa:zipa"
    assert backend.frame_shift_s == pytest.approx(frame_shift_s, rel=1e-9)
    assert check_backend(backend) == PASSED
    chains = [phone for phone, tokens in zip(PHONES, backend.phone_set.tokens, strict=True) if len(tokens) > 1]
    assert chains == "AW AY CH ER EY JH OW OY".split()
    check_assessment(Assessor(backend=backend))


def test_zipas_columns_are_those_of_tokens_txt(tmp_path: Path) -> None:
    """What the graph says of `k` is what comes out for K, from the features that the graph was given."""
    backend = load_backend(f"zipa:{save_zipa(tmp_path, ZIPA)}")
    assert isinstance(backend, ZipaBackend)
    audio = recording(1.0)
    raw = backend._run(FRONT_END(audio.samples))
    heard = backend.posteriors(audio).log_probs
    for phone, label in {"K": "k", "TH": "θ", "AE": "æ", "G": "g"}.items():
        (column,) = backend.phone_set.tokens[PHONES.index(phone)]
        own = [ZIPA.index(one) for one in backend.folding.report.spelled[phone][0]]
        assert ZIPA.index(label) in own
        np.testing.assert_allclose(heard[:, column], np.logaddexp.reduce(raw[:, own], axis=1), atol=1e-5)


def test_any_graph_of_a_folder_or_a_file_by_name(tmp_path: Path) -> None:
    only = save_zipa(tmp_path / "only", ZIPA, name="zipa-large-crctc.fp16.onnx")
    assert load_backend(f"zipa:{only}").name == "zipa:only"
    save_zipa(only, ZIPA, name="another.onnx")
    with pytest.raises(ConfigError, match=r"has 2 \*\.onnx files and no model\.onnx; expected one"):
        load_backend(f"zipa:{only}")
    assert load_backend(f"zipa:{only / 'another.onnx'}").phone_set.size == 37


def tokens(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "tokens.txt").write_text(text, encoding="utf-8")


def narrow(folder: Path) -> None:
    save_zipa(folder, ZIPA[:40])
    tokens("\n".join(f"{label} {column}" for column, label in enumerate(ZIPA)))(folder)


ZIPA_SPOILED: dict[str, Callable[[Path], None]] = {
    r"tokens\.txt cannot be read": lambda folder: (folder / "tokens.txt").unlink(),
    r"has 0 \*\.onnx files": lambda folder: (folder / "model.onnx").unlink(),
    r"line 2: 'a'; expected a label, a space, and a column": tokens("<blk> 0\na\n"),
    r"line 2: 'a 0'; expected a label, a space, and a column": tokens("<blk> 0\na 0\n"),
    r"names no blank; expected one of <blk>": tokens("a 0\nb 1\n"),
    r"39 of the 39 phones do not resolve": tokens("<blk> 0\nQ 1\n"),
    r"expected 127 labels": narrow,
}


@pytest.mark.parametrize("message", ZIPA_SPOILED)
def test_what_is_wrong_with_a_folder_of_zipas_is_said(message: str, tmp_path: Path) -> None:
    folder = save_zipa(tmp_path / "zipa", ZIPA)
    ZIPA_SPOILED[message](folder)
    with pytest.raises(ConfigError, match=message):
        load_backend(f"zipa:{folder}")


def test_a_graph_of_another_signature_is_no_zipa(tmp_path: Path) -> None:
    folder = save_exported(tmp_path / "mine", OURS)
    (folder / "tokens.txt").write_text("<blk> 0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"takes samples; expected x and x_lens"):
        load_backend(f"zipa:{folder}")


@pytest.mark.parametrize("has_ratings", [False, True])
def test_an_exported_model_loads_keeps_the_contract_and_assesses(has_ratings: bool, tmp_path: Path) -> None:
    folder = save_exported(tmp_path / "mine", OURS, has_ratings=has_ratings)
    backend = load_backend(f"onnx:{folder}", threads=1)
    assert isinstance(backend, ExportedBackend)
    assert (backend.name, backend.version) == ("onnx:tiny", "1")
    assert backend.phone_set == OURS
    assert check_backend(backend) == PASSED
    assert (backend.posteriors(recording(1.0)).ratings is not None) is has_ratings
    assessor = Assessor(backend=backend)
    assert assessor.scorer.name == ("embedded" if has_ratings else "unrated")
    check_assessment(assessor)


def test_the_quantised_graph_is_taken_unless_a_file_is_named(tmp_path: Path) -> None:
    folder = save_exported(tmp_path, OURS, names=("model.onnx", "model.int8.onnx"))
    assert load_backend(f"onnx:{folder}").version == "1-int8"
    full = load_backend(f"onnx:{folder / 'model.onnx'}")
    assert full.version == "1"
    audio = recording(1.0)
    assert not np.array_equal(
        full.posteriors(audio).log_probs, load_backend(f"onnx:{folder}").posteriors(audio).log_probs
    )
    told = [model_versions(f"onnx:{place}")["backend"] for place in (folder, folder / "model.onnx")]
    assert told[0] != told[1]


def test_chains_and_other_front_ends_come_from_the_card(tmp_path: Path) -> None:
    spelled = {"CH": (31, 30), "JH": (9, 39)}
    phone_set = PhoneSet(
        symbols=PHONES,
        tokens=tuple(spelled.get(phone, (label,)) for label, phone in enumerate(PHONES, start=1)),
        size=41,
        blank_id=40,
    )
    backend = load_backend(f"onnx:{save_exported(tmp_path, phone_set, normalise=True)}")
    assert backend.phone_set == phone_set
    assert check_backend(backend) == PASSED
    soft, loud = (backend.posteriors(recording(1.0, amplitude=level)).log_probs for level in (0.1, 0.5))
    np.testing.assert_allclose(soft, loud, atol=1e-2)
    check_assessment(Assessor(backend=backend))


def test_too_short_a_recording_is_refused(tmp_path: Path) -> None:
    backend = load_backend(f"onnx:{save_exported(tmp_path, OURS, min_samples=1600)}")
    with pytest.raises(AudioError, match=r"audio is 0.050 s; the model onnx:tiny needs at least 0.100 s"):
        backend.posteriors(recording(0.05))


CARDS: dict[str, dict[str, object]] = {
    r"name is None": {"name": None},
    r"frame_shift_s is 'x'": {"frame_shift_s": "x"},
    r"frame_shift_s is 0; expected seconds above 0": {"frame_shift_s": 0},
    r"min_samples is True": {"min_samples": True},
    r"front_end is 'mel'; expected 'samples' or 'features'": {"front_end": "mel"},
    r"features is None; expected some of bins": {"front_end": "features"},
    r"takes samples and gives log_probs; expected features, and log_probs": {"front_end": "features", "features": {}},
    r"takes samples and gives log_probs; expected samples, and log_probs and ratings": {"has_ratings": True},
    r"phone_set lacks or spoils 'tokens'": {"phone_set": {"symbols": ["AA"]}},
    r"has the hash \w{12}\.\.\., its card says None": {"sha256": {}},
}


@pytest.mark.parametrize("message", CARDS)
def test_what_is_wrong_with_a_card_is_said(message: str, tmp_path: Path) -> None:
    folder = save_exported(tmp_path, OURS)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps(card | CARDS[message]), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_backend(f"onnx:{folder}")


def test_a_folder_without_graph_or_card_is_refused(tmp_path: Path) -> None:
    folder = save_exported(tmp_path / "mine", OURS)
    (folder / "card.json").unlink()
    with pytest.raises(ConfigError, match=r"has no card\.json; expected all files of the model"):
        load_backend(f"onnx:{folder}")
    (folder / "model.onnx").unlink()
    with pytest.raises(
        ConfigError, match=r"has neither of model\.int8\.onnx and model\.onnx; expected a folder made by"
    ):
        load_backend(f"onnx:{folder}")
    with pytest.raises(ConfigError, match=r"does not exist; expected the folder of a model"):
        load_backend(f"onnx:{tmp_path / 'nowhere'}")


def test_models_shows_what_became_of_the_labels(tmp_path: Path) -> None:
    folder = save_zipa(tmp_path / "zipa", ZIPA)
    runner = CliRunner()
    shown = runner.invoke(app, ["models", "--backend", f"zipa:{folder}"]).stdout
    assert "CH: t + ɾ + ʔ + ʈ then ʃ + ʂ + ɕ" in " ".join(shown.split())
    assert "frame_shift_s: 0.02" in shown
    told = json.loads(runner.invoke(app, ["models", "--backend", f"zipa:{folder}", "--format", "json"]).stdout)
    assert (told["name"], told["phones"], told["columns"], told["ratings"]) == ("zipa:zipa", 39, 37, False)
    assert told["labels"]["pairs"] == {"ʍ": ["HH", "W"]}
    assert len(told["chains"]["CH"]) == 2
    failed = runner.invoke(app, ["models", "--backend", f"zipa:{tmp_path / 'nowhere'}"])
    assert failed.exit_code == 1
    assert "does not exist" in failed.stderr
    overview = runner.invoke(app, ["models"]).stdout
    assert all(family in overview for family in ("hf:FOLDER_OR_NAME", "onnx:FOLDER", "zipa:FOLDER"))


def test_a_corpus_is_evaluated_with_a_model_of_the_users(tmp_path: Path) -> None:
    assess = CorpusFactory(backend=f"zipa:{save_zipa(tmp_path / 'zipa', ZIPA)}")()
    row = json.loads((EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[0])
    manifest_row = ManifestRow(id="zoo", audio=EXAMPLES / row["audio"], text=row["text"], phones=None)
    assert assess(manifest_row)["id"] == "zoo"
