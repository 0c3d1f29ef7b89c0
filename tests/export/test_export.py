"""Exported models compute what their models compute, and nothing half-written is ever left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from acoustic.tiny_models import FAMILIES, save_family
from elocute.acoustic import check_backend, load_backend
from elocute.acoustic.vocabulary import phones_of
from elocute.errors import ConfigError
from elocute.export.parity import Sample, compare, read_samples, synthetic_samples
from elocute.types import PhoneSet, Posteriors

torch = pytest.importorskip("torch", reason="needs the extra hf")
transformers = pytest.importorskip("transformers", reason="needs the extra hf")
pytest.importorskip("onnx", reason="needs the extra train")
pytest.importorskip("onnxscript", reason="needs the extra train")

from elocute.export.front_end import ParakeetMel, front_end_of  # noqa: E402
from elocute.export.graph import facts_of  # noqa: E402
from elocute.export.model import PhoneFold  # noqa: E402
from elocute.export.write import ExportJob, export_model  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples" / "manifest.jsonl"
LABELS = (
    "<pad> <s> </s> <unk> p b t d k ɡ f v θ ð s z ʃ ʒ tʃ dʒ m n ŋ l ɹ w j h iː ɪ e æ ɑː ɔː "
    "ʊ uː ʌ ɜː eɪ aɪ ɔɪ aʊ oʊ əl ə"
).split()


def job(model: Path, out: Path, samples: list[Sample]) -> ExportJob:
    return ExportJob(
        model=f"hf:{model}", out=out, int8=True, licence="MIT", samples=samples, compared_on="examples", command="none"
    )


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(
            family,
            marks=[]
            if family == "wav2vec2"
            else pytest.mark.skipif(
                not os.environ.get("ELOCUTE_TEST_EXPORTS"), reason="10 s each: set ELOCUTE_TEST_EXPORTS to run"
            ),
        )
        for family in FAMILIES
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_both_graphs_of_a_family_are_backends_and_agree_with_torch(family: str, tmp_path: Path) -> None:
    model = save_family(family, tmp_path / "model", LABELS)
    samples = read_samples(EXAMPLES, 2)
    steps: list[tuple[int, int]] = []
    card = export_model(job(model, tmp_path / "out", samples), lambda step, done, total: steps.append((done, total)))
    assert steps == sorted(steps)
    assert steps[-1] == (6, 6)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "card.json",
        "model.int8.onnx",
        "model.onnx",
    ]
    assert json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8")) == card
    twins, int8, _ = card["parity"]["pairs"]
    assert twins["max_nats"] < 1e-4
    assert twins["gop_pcc"] > 0.9999
    assert twins["phones"] == int8["phones"] > 0
    assert int8["mean_probability"] < 1e-3
    assert 0 < int8["max_nats"] < 1.0
    torch_backend = load_backend(f"hf:{model}")
    audio = synthetic_samples()[2].audio
    for graph in ("model.onnx", "model.int8.onnx"):
        backend = load_backend(f"onnx:{tmp_path / 'out' / graph}")
        assert check_backend(backend)[-1] == "deterministic"
        assert backend.phone_set == torch_backend.phone_set
        ours, theirs = backend.posteriors(audio), torch_backend.posteriors(audio)
        assert ours.frame_shift_s == theirs.frame_shift_s
        T = len(ours.log_probs)
        assert len(theirs.log_probs) - T in (0, 1)
        np.testing.assert_allclose(ours.log_probs, theirs.log_probs[:T], atol=1e-4 if graph == "model.onnx" else 0.5)
        content = (tmp_path / "out" / graph).read_bytes()
        assert str(Path(__file__).parents[2]).encode() not in content  # nobody's paths travel with the model
    facts = facts_of(tmp_path / "out" / "model.int8.onnx")
    assert "MatMulInteger" in facts.operators
    assert "ConvInteger" not in facts.operators


def test_batches_and_weights_beside_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a model of two gigabytes goes through, on a small one: weights in a file of their own, int8 made from it."""
    import elocute.export.graph as graph
    from elocute.assets import open_model

    class Small(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.linear = torch.nn.Conv1d(1, 16, 160, stride=160), torch.nn.Linear(16, 16)

        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            return self.linear(torch.relu(self.conv(samples[:, None])).transpose(1, 2))

    monkeypatch.setattr(graph, "LARGEST_FILE", 0)
    torch.manual_seed(0)
    module = Small().eval()
    graph.to_onnx(module, tmp_path / "model.onnx", outputs=("states",), shortest=1600)
    graph.quantise(tmp_path / "model.onnx", tmp_path / "model.int8.onnx")
    assert facts_of(tmp_path / "model.onnx").files == ("model.onnx", "model.onnx.data")
    assert facts_of(tmp_path / "model.int8.onnx").files == ("model.int8.onnx", "model.int8.onnx.data")
    for name, tolerance in (("model.onnx", 1e-5), ("model.int8.onnx", 0.05)):
        session = open_model(tmp_path / name, threads=1)
        for batch, n in ((1, 1600), (3, 1759), (2, 33_333)):
            samples = np.random.default_rng(n).normal(size=(batch, n)).astype(np.float32)
            (found,) = session.run(None, {"samples": samples})
            expected = module(torch.from_numpy(samples[-1:])).detach().numpy()
            np.testing.assert_allclose(found[-1:], expected, atol=tolerance)
    module.forward = lambda other: module.linear(other)  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match=r"Small cannot be exported: .*top-level keys"):
        graph.to_onnx(module, tmp_path / "other.onnx", outputs=("states",), shortest=1600)


@pytest.mark.parametrize(
    "kind", ["Wav2Vec2FeatureExtractor", "SeamlessM4TFeatureExtractor", "ParakeetFeatureExtractor"]
)
def test_front_ends_are_those_of_transformers(kind: str) -> None:
    extractor = getattr(transformers, kind)()
    front_end = front_end_of(extractor)
    silence = np.zeros(16_000, dtype=np.float32)
    for samples in (*(sample.audio.samples for sample in synthetic_samples()), silence, silence[:1600] + 0.25):
        theirs = extractor(samples, sampling_rate=16_000, return_tensors="pt")
        expected = theirs[extractor.model_input_names[0]][0]
        if len(expected) < len(samples):
            expected = expected[theirs["attention_mask"][0].bool()]
        found = front_end(torch.from_numpy(samples)[None])[0]
        assert found.shape == expected.shape
        # A constant has no spectrum: what is left of it is rounding, blown up by the normalisation.
        if np.ptp(samples) > 0 or not samples.any():
            assert float((found - expected).abs().max()) < 2e-3


def test_unknown_front_ends_are_refused() -> None:
    with pytest.raises(ConfigError, match="WhisperFeatureExtractor; expected"):
        front_end_of(transformers.WhisperFeatureExtractor())
    with pytest.raises(ConfigError, match="hop_length 80; expected 160"):
        front_end_of(transformers.ParakeetFeatureExtractor(hop_length=80))


def test_power_of_a_tone_lies_in_its_bin() -> None:
    """The transform against its definition: a cosine of bin 40 has no other bins, in the middle of the recording."""
    mel = ParakeetMel(np.eye(257), pre_emphasis=0.0)
    tone = torch.from_numpy(np.cos(2 * np.pi * 40 * np.arange(16_000) / 512).astype(np.float32))[None]
    padded = torch.nn.functional.pad(tone, (256, 96))
    spectrum = torch.nn.functional.conv1d(padded[:, None], mel.basis, stride=160)[0]
    power = spectrum[:257].square() + spectrum[257:].square()
    expected = np.abs(np.fft.rfft(np.hanning(400) * tone[0, 8_000 - 200 : 8_200].numpy(), 512)) ** 2
    assert int(power[:, 50].argmax()) == 40
    np.testing.assert_allclose(power[:, 50].numpy(), expected, atol=0.05)


@pytest.mark.parametrize("labels", [LABELS, [*LABELS[:-2], "ɑːɹ", "oːɹ", "əl", "ə", "x", None]])
def test_the_fold_is_that_of_the_backend(labels: list[str | None]) -> None:
    folding = phones_of(labels, 0)
    logits = torch.from_numpy(np.random.default_rng(0).normal(0, 8, (2, 40, len(labels))).astype(np.float32))
    log_probs = torch.log_softmax(logits, dim=-1)
    found = PhoneFold(folding)(log_probs).numpy()
    for row in range(2):
        np.testing.assert_allclose(found[row], folding.fold(log_probs[row].numpy()), atol=1e-4)


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import elocute.export.graph as graph

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(graph, "to_onnx", fail)
    model = save_family("wav2vec2", tmp_path / "model", LABELS)
    with pytest.raises(ConfigError, match="No space left on device; make room"):
        export_model(job(model, tmp_path / "out", synthetic_samples()[:1]))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_is_taken_and_other_backends_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="exists already"):
        export_model(job(tmp_path, tmp_path / "out", []))
    other = job(tmp_path, tmp_path / "new", [])
    with pytest.raises(ConfigError, match="only models of transformers"):
        export_model(ExportJob(**{name: getattr(other, name) for name in other.__slots__} | {"model": "embedded"}))


def posteriors(rows: list[list[float]]) -> Posteriors:
    return Posteriors(
        log_probs=np.log(np.array(rows, dtype=np.float32)),
        frame_shift_s=0.02,
        phone_set=PhoneSet.one_label_each(["A", "B"]),
    )


def test_parity_counts_what_differs() -> None:
    sample = Sample(audio=synthetic_samples()[0].audio, phones=("A", "B"))
    left = posteriors([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.5, 0.25, 0.25]])
    right = posteriors([[0.1, 0.4, 0.5], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6]])  # one padded row less
    found = compare(("a", "b"), [sample], [left], [right])
    assert (found.frames, found.phones) == (3, 2)
    assert found.argmax_agreement == pytest.approx(2 / 3)
    assert found.max_nats == pytest.approx(np.log(5.0), rel=1e-5)
    assert found.mean_nats == pytest.approx((np.log(2.0) + np.log(5.0)) / 9, rel=1e-5)
    assert found.mean_probability == pytest.approx(0.8 / 9, rel=1e-5)
    same = compare(("a", "b"), [sample], [left], [left])
    assert (same.max_nats, same.argmax_agreement, same.gop_mean_nats) == (0.0, 1.0, 0.0)
    assert same.gop_pcc == pytest.approx(1.0)
    short = posteriors([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]])
    with pytest.raises(ConfigError, match="cannot be exported"):
        compare(("a", "b"), [sample], [left], [short])


def test_samples_of_a_plain_folder_have_no_text(tmp_path: Path) -> None:
    import shutil

    for name in ("think_us.flac",):
        source = next(EXAMPLES.parent.rglob("*.flac"), None) or next(EXAMPLES.parent.rglob("*.wav"))
        shutil.copy(source, tmp_path / name)
    (sample,) = read_samples(tmp_path, 5)
    assert sample.phones == ()
    assert len(sample.audio.samples) > 1600
    with pytest.raises(ConfigError, match="holds no recordings"):
        read_samples(tmp_path / "none", 5) if (tmp_path / "none").mkdir() else read_samples(tmp_path / "none", 5)
