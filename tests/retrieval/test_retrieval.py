"""Retrieval against brute force, planted clusters, and the files that it leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elocute.acoustic.protocol import bare_audio
from elocute.corpora.l2arctic_annotation import AnnotatedPhone, Said
from elocute.errors import AlignmentError, ConfigError
from elocute.phones import PHONES
from elocute.retrieval.build import Search, build_index, check_fits, decode, detect
from elocute.retrieval.evaluate import answer, evaluate
from elocute.retrieval.index import NOBODY, Neighbours, PhoneIndex, vote
from elocute.retrieval.spoken import Fold, Spoken, read_spoken
from elocute.retrieval.states import Encoded, graph_with_states, load_encoder, normalised, pooled
from elocute.types import Audio, PhoneSet, Posteriors

pytest.importorskip("faiss", reason="needs the extra retrieval")

EXAMPLES = Path(__file__).parents[2] / "examples"
D = 24
FRAMES_A_PHONE = 4
DATA = Path(__file__).parents[3] / "shared" / "data" / "speechocean762"
RNG = np.random.default_rng(0)
CENTRES = normalised(RNG.normal(size=(len(PHONES), D)))
"""Where the planted encoder puts each phone."""


class PlantedEncoder:
    """Hears the string of phones that is spelled in the first samples; each has a cluster of states of its own."""

    name, version, layer = "planted", "1", -1

    def __init__(self, spread: float = 0.05) -> None:
        self.spread = spread

    def encode(self, audio: Audio) -> Encoded:
        said = [int(value) for value in audio.samples[1 : 1 + int(audio.samples[0])]]
        rng = np.random.default_rng(said)
        log_probs = np.full((1 + FRAMES_A_PHONE * len(said), len(PHONES) + 1), -8.0)
        states = rng.normal(size=(len(log_probs), D)) * self.spread
        log_probs[:, 0] = 0.0
        for place, phone in enumerate(said):
            frames = slice(1 + FRAMES_A_PHONE * place, FRAMES_A_PHONE * (place + 1))  # the last of each four is blank
            log_probs[frames, 0], log_probs[frames, phone + 1] = -8.0, 0.0
            states[frames] += CENTRES[phone]
        log_probs -= np.logaddexp.reduce(log_probs, axis=1, keepdims=True)
        posteriors = Posteriors(
            log_probs=log_probs.astype(np.float32), frame_shift_s=0.02, phone_set=PhoneSet.one_label_each(PHONES)
        )
        return Encoded(posteriors=posteriors, states=states.astype(np.float32))


def spoken(number: int, canonical: str, said: str, folder: Path) -> Spoken:
    """A recording file whose samples spell what is said; "-" for a phone that is left out."""
    import soundfile

    phones = []
    for wanted, heard in zip(canonical.split(), said.split(), strict=True):
        found = Said(kind="same", phone=wanted) if heard == wanted else Said(kind="substituted", phone=heard)
        found = Said(kind="deleted", phone=None) if heard == "-" else found
        phones.append(AnnotatedPhone(canonical=wanted, stress=None, said=found, start_s=0.0, end_s=0.0))
    ids = [PHONES.index(symbol) for symbol in said.split() if symbol != "-"]
    samples = np.zeros(1600, dtype=np.float32)
    samples[: len(ids) + 1] = [len(ids), *ids]
    path = folder / f"{number}.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    return Spoken(
        id=str(number), speaker=f"s{number % 3}", audio=path, phones=tuple(phones), is_sure=(True,) * len(phones)
    )


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings are read as they are: `load_audio` would refuse samples beyond full scale."""
    import soundfile

    def read(path: Path) -> Audio:
        return bare_audio(soundfile.read(path, dtype="float32")[0])

    monkeypatch.setattr("elocute.retrieval.build.load_audio", read)
    monkeypatch.setattr("elocute.retrieval.evaluate.load_audio", read)
    return tmp_path


def all_phones(folder: Path) -> list[Spoken]:
    """Twelve recordings, every phone three times."""
    order = np.random.default_rng(1).permutation(np.repeat(PHONES, 3))
    return [spoken(n, " ".join(part), " ".join(part), folder) for n, part in enumerate(np.array_split(order, 12))]


def test_search_is_brute_force() -> None:
    vectors = normalised(RNG.normal(size=(500, D)))
    phones = RNG.integers(0, len(PHONES), 500)
    queries = normalised(RNG.normal(size=(40, D)))
    found = PhoneIndex(vectors, phones, {}, frozenset()).neighbours(queries, 7)
    similarity = queries @ vectors.T
    order = np.argsort(-similarity, axis=1)[:, :7]
    np.testing.assert_allclose(found.similarity, np.take_along_axis(similarity, order, axis=1), atol=1e-6)
    np.testing.assert_array_equal(found.phones, phones[order])


def test_fewer_known_phones_than_neighbours() -> None:
    index = PhoneIndex(CENTRES[:3], np.arange(3), {}, frozenset())
    assert index.neighbours(CENTRES[:2], 10).phones.shape == (2, 3)


def test_the_vote_by_hand() -> None:
    neighbours = Neighbours(
        similarity=np.array([[0.9, 0.8, 0.75, 0.2], [0.95, 0.9, 0.85, 0.8], [0.6, 0.5, 0.1, 0.0]], dtype=np.float32),
        phones=np.array([[1, 2, 2, 1], [3, 4, 4, 3], [5, 5, 5, 5]]),
    )
    votes = vote(neighbours, 0.7)
    assert votes.winner.tolist() == [2, 3, NOBODY]  # most votes; as many and nearer; nobody near enough
    assert votes.counts[0, 1] == 1
    np.testing.assert_allclose(votes.doubt(np.array([1, 3, 5])), [1 - 0.9 / 2.45, 0.5, 1.0], atol=1e-6)


@pytest.mark.parametrize("pooling", ["occupancy", "peak"])
def test_planted_errors_are_found_and_named(planted: Path, pooling: str) -> None:
    index = build_index(PlantedEncoder(), all_phones(planted), pooling=pooling, corpus="planted")  # type: ignore[arg-type]
    assert len(index) == 3 * len(PHONES)
    assert index.card["counts"]["TH"] == 3
    item = spoken(99, "TH IH NG K", "S IH NG K", planted)
    encoded = PlantedEncoder().encode(bare_audio(np.array([4, *map(PHONES.index, ("S", "IH", "NG", "K"))], np.float32)))
    found = detect(index, encoded, item.canonical, Search(top_k=3))
    # The lattice of the canonical phones gives TH, which is not there, a frame beside; the others keep theirs.
    assert found.heard[1:] == ("IH", "NG", "K")
    assert found.heard[0] != "TH"
    assert found.doubt[0] == 1.0
    assert found.doubt[1:].max() < 0.01
    assert decode(index, encoded, Search(top_k=3)) == ("S", "IH", "NG", "K")


def test_figures_of_planted_errors(planted: Path) -> None:
    encoder = PlantedEncoder()
    index = build_index(encoder, all_phones(planted), pooling="occupancy", corpus="planted")
    items = [
        spoken(20, "TH IH NG K", "S IH NG K", planted),
        spoken(21, "TH IH NG K", "TH IH NG K", planted),
        spoken(22, "B EH D", "B AE D", planted),
        spoken(23, "D AO G Z", "D AO G -", planted),
    ]
    answers, too_short = answer(index, encoder, items, Search(top_k=3))
    assert (len(answers), too_short) == (4, 0)
    found = evaluate(answers, strict=True)
    assert (found.phones, found.wrong) == (15, 3)
    assert found.roc_auc.value == 1.0
    assert found.best_f1[0] == 1.0
    aligned = {name: estimate.value for name, estimate in found.by_alignment.items()}
    assert aligned == {"FRR": 0.0, "FAR": 0.0, "DER": 0.0, "precision": 1.0, "recall": 1.0, "F1": 1.0}
    assert found.by_phone["FRR"].value == 0.0
    assert found.by_phone["recall"].value == 1.0
    json.dumps(found.as_json(), allow_nan=False)


def test_an_index_survives_its_folder(planted: Path) -> None:
    encoder = PlantedEncoder()
    index = build_index(encoder, all_phones(planted), pooling="peak", corpus="planted")
    index.save(planted / "index")
    assert sorted(path.name for path in planted.iterdir() if path.suffix != ".wav") == ["index"]
    stored = PhoneIndex.load(planted / "index")
    assert stored.card["corpus_sha256"] == index.card["corpus_sha256"]
    assert stored.speakers == {"s0", "s1", "s2"}
    queries = normalised(RNG.normal(size=(5, D)))
    np.testing.assert_array_equal(stored.neighbours(queries).phones, index.neighbours(queries).phones)
    check_fits(stored, encoder)
    other = PlantedEncoder()
    other.version = "2"
    with pytest.raises(ConfigError, match="built with version 1; got 2: build it again"):
        check_fits(stored, other)
    with pytest.raises(ConfigError, match="exists already"):
        index.save(planted / "index")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / "card.json").unlink(), "no whole index"),
        (lambda folder: (folder / "card.json").write_text("{}", encoding="utf-8"), "format is None; expected"),
        (lambda folder: (folder / "index.faiss").write_bytes(b"IxFI"), "no whole index"),
        (lambda folder: (folder / "entries.npz").write_bytes(b"PK"), "no whole index"),
    ],
)
def test_a_damaged_index_is_refused(damage: object, complaint: str, tmp_path: Path) -> None:
    PhoneIndex(CENTRES, np.arange(len(PHONES)), {"pooling": "peak"}, frozenset(["x"])).save(tmp_path / "index")
    damage(tmp_path / "index")  # type: ignore[operator]
    with pytest.raises(ConfigError, match=complaint):
        PhoneIndex.load(tmp_path / "index")


def test_wrong_sizes_are_refused() -> None:
    index = PhoneIndex(CENTRES, np.arange(len(PHONES)), {}, frozenset())
    with pytest.raises(ConfigError, match="states have 3 dimensions, the index 24"):
        index.neighbours(np.ones((1, 3), dtype=np.float32))
    with pytest.raises(ConfigError, match="one for each"):
        PhoneIndex(CENTRES, np.arange(3), {}, frozenset())
    with pytest.raises(ConfigError, match="phone ids up to 39"):
        PhoneIndex(CENTRES, np.arange(len(PHONES)) + 1, {}, frozenset())


def test_pooling_is_the_mean_by_occupancies() -> None:
    """Two phones without blanks, certain posteriors: each owns its frames and nothing else."""
    phone_set = PhoneSet(symbols=("CH", "S"), tokens=((1, 2), (3,)), size=4, blank_id=0)  # CH is a chain of two labels
    probs = np.full((5, 4), 1e-9)
    probs[np.arange(5), [1, 2, 2, 3, 3]] = 1.0
    posteriors = Posteriors(log_probs=np.log(probs).astype(np.float32), frame_shift_s=0.02, phone_set=phone_set)
    states = RNG.normal(size=(5, D)).astype(np.float32)
    found = pooled(Encoded(posteriors=posteriors, states=states), ("CH", "S"))
    expected = normalised(np.array([states[:3].mean(axis=0), states[3:].mean(axis=0)], dtype=np.float64))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    short = Encoded(posteriors=replace(posteriors, log_probs=posteriors.log_probs[:2]), states=states[:2])
    with pytest.raises(AlignmentError):
        pooled(short, ("CH", "S"))


def test_the_embedded_model_shows_its_last_layer() -> None:
    pytest.importorskip("onnx", reason="needs the extra retrieval")
    from elocute.acoustic import load_backend
    from elocute.audio import load_audio

    encoder = load_encoder("embedded")
    audio = load_audio(next(EXAMPLES.rglob("*.flac"), None) or next(EXAMPLES.rglob("*.wav")))
    encoded = encoder.encode(audio)
    expected = load_backend("embedded").posteriors(audio)
    np.testing.assert_array_equal(encoded.posteriors.log_probs, expected.log_probs)
    assert encoded.states.shape == (len(expected.log_probs), 256)
    assert np.abs(encoded.states).max() > 0.1
    with pytest.raises(ConfigError, match=r"of embedded only the last \(-1\) can be seen"):
        load_encoder("embedded", layer=3)


def test_a_graph_that_ends_otherwise_shows_nothing(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra retrieval")
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("LogSoftmax", ["samples"], ["log_probs"])
    shape = (onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph([node], "g", [value("samples", *shape)], [value("log_probs", *shape)])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match="does not end in a matrix product"):
        graph_with_states(tmp_path / "model.onnx")


def test_layers_of_transformers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra hf")
    pytest.importorskip("transformers", reason="needs the extra hf")
    from acoustic.tiny_models import save_family

    save_family("wav2vec2", tmp_path / "model")
    audio = bare_audio(RNG.normal(0, 0.1, 16_000).astype(np.float32))
    last = load_encoder(f"hf:{tmp_path / 'model'}")
    encoded = last.encode(audio)
    assert encoded.states.shape == (len(encoded.posteriors.log_probs), 16)
    first = load_encoder(f"hf:{tmp_path / 'model'}", layer=0).encode(audio)
    assert not np.allclose(first.states, encoded.states)
    # The last normalisation and the head of the model, applied to what the last layer shows, give its logits.
    model = last._backend.model  # type: ignore[attr-defined]
    with torch.inference_mode():
        logits = model.lm_head(model.wav2vec2.encoder.layer_norm(torch.from_numpy(encoded.states)))
    folding = last._backend.folding  # type: ignore[attr-defined]
    log_probs = folding.fold(torch.log_softmax(logits, dim=-1).numpy())
    np.testing.assert_allclose(log_probs, encoded.posteriors.log_probs, atol=1e-4)
    with pytest.raises(ConfigError, match="layer is 9"):
        load_encoder(f"hf:{tmp_path / 'model'}", layer=9).encode(audio)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs speechocean762 beside the checkout")
def test_folds_share_no_speaker() -> None:
    held = read_spoken("speechocean762", DATA, fold=Fold(number=2), limit=50)
    others = read_spoken("speechocean762", DATA, fold=Fold(number=2), leave_out=True, limit=60)
    assert (len(held), len(others)) == (50, 60)
    assert not {item.speaker for item in held} & {item.speaker for item in others}
    kinds = {phone.said.kind for item in held for phone in item.phones}
    assert "same" in kinds
    assert kinds > {"same"}


def test_what_nobody_could_tell_is_in_no_index_and_yet_wrong() -> None:
    said = (Said(kind="same", phone="K"), Said(kind="unknown", phone=None), Said(kind="deleted", phone=None))
    phones = tuple(
        AnnotatedPhone(canonical=symbol, stress=None, said=one, start_s=0.0, end_s=0.0)
        for symbol, one in zip(("K", "AE", "T"), said, strict=True)
    )
    item = Spoken(id="1", speaker="s", audio=EXAMPLES, phones=phones, is_sure=(True, False, False))
    assert item.said == ("K", "AE")  # what the lattice aligns
    assert item.said_is_sure == (True, False)
    assert item.perceived == ("K", "<unk>")


def test_corpora_without_folds_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only speechocean762 is dealt into folds"):
        read_spoken("native", tmp_path, fold=Fold(number=0))
