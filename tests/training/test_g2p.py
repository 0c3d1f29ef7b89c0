import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elocute.evaluation import edit_distance
from elocute.phones.g2p import ModelG2P, decode_greedy
from elocute.phones.lexicon import SYMBOLS, pack_lexicon
from elocute.training.g2p_data import Split, score, split_lexicon, stem

strings = st.lists(st.sampled_from(["K", "AE1", "T", "AH0"]), max_size=6)


def slow_distance(left, right):
    """Edit distance from its definition."""
    if not left or not right:
        return len(left) + len(right)
    return min(
        slow_distance(left[1:], right) + 1,
        slow_distance(left, right[1:]) + 1,
        slow_distance(left[1:], right[1:]) + (left[0] != right[0]),
    )


@given(strings, strings)
def test_edit_distance_is_that_of_the_definition(left, right):
    assert edit_distance(left, right) == slow_distance(left, right)


def test_scores_are_counted_by_hand():
    references = {"cat": (("K", "AE1", "T"),), "read": (("R", "EH1", "D"), ("R", "IY1", "D")), "a": (("AH0",),)}
    guesses = {"cat": ("K", "AE0", "T", "S"), "read": ("R", "IY1", "D"), "a": ()}
    found = score(guesses, references)
    assert found.words == 3
    assert found.wer == pytest.approx(2 / 3)
    assert found.per == pytest.approx(2 / 7)
    assert found.per_stress == pytest.approx(3 / 7)
    assert found.wer_stress == pytest.approx(2 / 3)


def test_forms_of_a_word_share_a_stem():
    for forms in ("walk walks walked walking walker walkers walker's", "stop stops stopped stopping", "city cities"):
        assert len({stem(word) for word in forms.split()}) == 1, forms


@pytest.fixture(scope="module")
def lexicon_file(tmp_path_factory):
    words = [a + b + c for a in "btkmnps" for b in "aeiou" for c in ("", "b", "t", "k", "n", "bs", "ts")]
    sound = {"a": "AE1", "e": "EH1", "i": "IH1", "o": "AA1", "u": "AH1"}
    entries = {word: [tuple(sound.get(letter, letter.upper()) for letter in word)] for word in words if len(word) > 1}
    path = tmp_path_factory.mktemp("lexicon") / "lexicon.bin"
    path.write_bytes(pack_lexicon({**entries, "x-ray": [("K",)], "b.": [("B", "IY1")]}))
    return path


def test_parts_of_the_split_share_no_stem_and_lose_no_word(lexicon_file):
    split = split_lexicon(lexicon_file)
    parts = [set(map(stem, part)) for part in (split.train, split.dev, split.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert len(split.train) + len(split.dev) + len(split.test) == 7 * 5 * 7
    assert all(parts)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # torch's exporter warns of itself
def test_training_learns_and_its_export_says_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    import onnx

    from elocute.training.g2p import G2PTrainConfig, guess, train
    from elocute.training.g2p_export import export, round_weights
    from elocute.training.g2p_model import G2PModelConfig, encode_words

    words = {
        "bat": (("B", "AE1", "T"),),
        "tab": (("T", "AE1", "B"),),
        "bee": (("B", "IY1"),),
        "toot": (("T", "UW1", "T"),),
    }
    split = Split(train=words, dev=words, test=words)
    model_config = G2PModelConfig(dim=32, blocks=3)
    config = G2PTrainConfig(minutes=0.06, batch=4, lr=5e-3, ema=0.9, seed=3)
    network, metrics = train(split, model_config, config)
    assert metrics["steps"] > 5
    assert guess(network, list(words), torch.device("cpu")) == {word: variants[0] for word, variants in words.items()}
    path = tmp_path / "g2p.onnx"
    onnx.save(round_weights(export(network.eval())), path)
    engine = ModelG2P(path)
    for word in [*words, "tattoo", "b"]:
        with torch.no_grad():
            expected = network(encode_words([word]))[0].numpy()
        assert engine.log_probs(word).shape == expected.shape == (2 * (len(word) + 2), 1 + len(SYMBOLS))
        assert np.abs(np.exp(engine.log_probs(word)) - np.exp(expected)).max() < 0.1
    assert decode_greedy(engine.log_probs("bat")) == ("B", "AE1", "T")


def test_padding_does_not_change_a_word(tmp_path):
    torch = pytest.importorskip("torch")
    from elocute.training.g2p_model import G2PModelConfig, G2PNetwork, encode_words

    torch.manual_seed(0)
    network = G2PNetwork(G2PModelConfig(dim=32)).eval()
    with torch.no_grad():
        alone = network(encode_words(["cat"]))[0]
        padded = network(encode_words(["cat", "elephants"]))[0][: len(alone)]
    assert torch.allclose(alone, padded, atol=1e-5)


def test_the_card_of_the_shipped_model_tells_what_made_it():
    from importlib.resources import files

    assets = files("elocute").joinpath("assets")
    card = json.loads(assets.joinpath("g2p.json").read_text(encoding="utf-8"))
    assert card["bytes"] == len(assets.joinpath("g2p.onnx").read_bytes()) <= 2_000_000
    assert {"command", "data", "licence", "split", "test", "comparison", "train"} <= set(card)
    assert card["comparison"]["engines"]["model"]["wer"] == pytest.approx(card["test"]["wer"], abs=1e-4)
