"""Batches: labels are exactly the answer, sequences those of the model's own processor, losses those of single ones."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
pytest.importorskip("torch", reason="the extra 'hf' is not installed")

import torch

from elocute.audio import load_audio
from elocute.errors import AudioError, BatchError, ConfigError
from elocute.mllm.collate import IGNORED, Collator, LengthBuckets, Recordings, decode_labels, read_recordings
from elocute.mllm.examples import Example, speechocean_examples
from elocute.mllm.processing import load_processor, token_ids
from elocute.mllm.prompts import AUDIO, END
from elocute.mllm.sizes import build_random
from tiny_corpus import write_corpus

REAL = Path(__file__).parents[3] / "shared" / "data" / "speechocean762"
needs_corpus = pytest.mark.skipif(not REAL.is_dir(), reason="speechocean762 is not beside the checkout")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with its processor."""
    return build_random("tiny", tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def processor(folder: Path) -> Any:
    return load_processor(folder)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    """The recordings of examples/ as questions, short ones in between."""
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"))
    return speechocean_examples(corpus, split="test", style="short", word_delimiter=True)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_labels_are_exactly_the_answer_and_its_end(
    processor: Any, examples: list[Example], count: int, side: str
) -> None:
    chosen = examples[:count]
    batch = Collator(processor, side=side)(chosen)  # type: ignore[arg-type]
    assert decode_labels(processor, batch["labels"]) == [example.answer + END for example in chosen]
    learned = batch["labels"] != IGNORED
    assert torch.equal(batch["labels"][learned], batch["input_ids"][learned])
    assert not learned[batch["attention_mask"] == 0].any()
    assert (batch["input_ids"][batch["attention_mask"] == 0] == token_ids(processor).pad).all()
    for row in batch["attention_mask"]:
        edges = row.diff().tolist()
        assert edges.count(1) + edges.count(-1) <= 1
        assert row[-1 if side == "left" else 0] == 1


def test_sequences_are_those_of_the_models_own_processor(processor: Any, examples: list[Example]) -> None:
    for example in examples[:4]:
        text = example.user.replace(AUDIO, processor.audio_token) + example.answer + END
        wave = load_audio(example.audio).samples
        theirs = processor(text=text, audio=[wave], sampling_rate=16_000, return_tensors="pt")
        ours = Collator(processor)([example])
        assert torch.equal(ours["input_ids"], theirs["input_ids"])
        assert torch.equal(ours["audio_input_features"], theirs["audio_input_features"])


def test_one_recording_has_no_mask_and_two_have(processor: Any, examples: list[Example]) -> None:
    collate = Collator(processor)
    assert "audio_attention_mask" not in collate(examples[:1])
    batch = collate(examples[:4])
    frames = batch["audio_attention_mask"].sum(dim=1)
    assert torch.equal((frames + 7) // 8, batch["audio_embed_sizes"])
    audio = (batch["input_ids"] == token_ids(processor).audio).sum(dim=1)
    assert torch.equal(audio, batch["audio_embed_sizes"])


def test_features_do_not_depend_on_the_company(processor: Any, examples: list[Example]) -> None:
    collate = Collator(processor)
    together = collate(examples[:8])
    for row, example in enumerate(examples[:8]):
        alone = collate([example])["audio_input_features"][0]
        assert torch.equal(together["audio_input_features"][row, : len(alone)], alone)
        assert not together["audio_input_features"][row, len(alone) :].any()


def test_batches_are_those_of_the_feature_extractor_where_it_makes_any(processor: Any, examples: list[Example]) -> None:
    """Of three recordings, two nearly as long as each other, that of transformers cannot make one."""
    wave = read_recordings(examples[:1]).samples[examples[0].audio]
    names = [Path(name) for name in "abc"]
    asked = [replace(examples[0], audio=name) for name in names]
    for lengths in ((16_079, 16_059, 15_000), (16_150, 16_149, 16_148), (16_000, 15_000, 14_000), (9_000,) * 3):
        samples = {name: wave[:length] for name, length in zip(names, lengths, strict=True)}
        ours = Collator(processor, recordings=Recordings(samples=samples))(asked)
        waves = [sound.astype(np.float32) / 32767 for sound in samples.values()]
        try:
            theirs = processor.audio_processor(waves, sampling_rate=16_000, return_tensors="pt")
        except RuntimeError:
            assert lengths[0] == 16_079
            continue
        assert torch.equal(ours["audio_embed_sizes"], theirs["audio_embed_sizes"])
        assert torch.equal(ours["audio_attention_mask"], theirs["audio_attention_mask"])
        heard = ours["audio_attention_mask"]
        # Theirs leaves the beginning of the padding as it comes, which nobody should hear.
        difference = ours["audio_input_features"][heard] - theirs["audio_input_features"][heard]
        assert difference.abs().max() < 1e-3


def test_losses_in_a_batch_are_those_of_single_examples(folder: Path, processor: Any, examples: list[Example]) -> None:
    """On either side of the padding: masks, positions and labels are right, or these differ.

    Recordings of one length: the audio encoder of transformers only lowers the weight of padding by e.
    """
    from transformers import Phi4MultimodalForCausalLM

    model = Phi4MultimodalForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    chosen = [examples[index] for index in (0, 3, 6, 9)]
    decoded = read_recordings(chosen).samples
    shortest = min(map(len, decoded.values()))
    recordings = Recordings(samples={path: samples[:shortest] for path, samples in decoded.items()})

    def losses(batch: dict[str, Any]) -> Any:
        labels = batch.pop("labels")[:, 1:]
        logits = model(**batch, use_cache=False).logits[:, :-1].transpose(1, 2)
        lost = torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none")
        return lost.sum(dim=1) / (labels != IGNORED).sum(dim=1)

    with torch.no_grad():
        collate = Collator(processor, recordings=recordings)
        alone = torch.cat([losses(collate([example])) for example in chosen])
        right = losses(collate(chosen))
        left = losses(Collator(processor, side="left", recordings=recordings)(chosen))
        other = losses(collate([replace(chosen[0], audio=chosen[1].audio)]))
    assert torch.allclose(right, alone, atol=1e-4)
    assert torch.allclose(left, alone, atol=1e-4)
    assert abs(other.item() - alone[0].item()) > 1e-5  # the recording is heard


def test_prompts_alone_are_padded_on_the_left(processor: Any, examples: list[Example]) -> None:
    batch = Collator(processor, with_answers=False)(examples[:6])
    assert "labels" not in batch
    assistant = processor.tokenizer.convert_tokens_to_ids("<|assistant|>")
    assert (batch["input_ids"][:, -1] == assistant).all()
    full = Collator(processor)([examples[0]])["input_ids"][0]
    prompt = batch["input_ids"][0][batch["attention_mask"][0] == 1]
    assert torch.equal(full[: len(prompt)], prompt)


def test_decoded_recordings_give_the_same_batch(processor: Any, examples: list[Example]) -> None:
    seen: list[tuple[int, int]] = []
    recordings = read_recordings(examples, progress=lambda done, of: seen.append((done, of)))
    count = len({example.audio for example in examples})
    assert seen == [(number, count) for number in range(1, count + 1)]
    assert recordings.lengths(examples[:1]).tolist() == [len(load_audio(examples[0].audio).samples)]
    direct, stored = Collator(processor)(examples[:3]), Collator(processor, recordings=recordings)(examples[:3])
    assert torch.equal(direct["input_ids"], stored["input_ids"])
    # 16 bits: what is below them is lost, and the logarithm shows it.
    assert (direct["audio_input_features"] - stored["audio_input_features"]).abs().mean() < 0.05
    lengths = Collator(processor, recordings=recordings).lengths(examples)
    assert [int(row.sum()) for row in Collator(processor)(examples[:9])["attention_mask"]] == lengths[:9].tolist()
    with pytest.raises(ConfigError, match="lengths need decoded recordings"):
        Collator(processor).lengths(examples)
    with pytest.raises(ConfigError, match="was not decoded"):
        Collator(processor, recordings=read_recordings(examples[:1]))(examples[2:])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python 3.12, where torch has started threads
def test_several_processes_decode_the_same(examples: list[Example], tmp_path: Path) -> None:
    one, two = read_recordings(examples[:8]), read_recordings(examples[:8], processes=2)
    assert list(one.samples) == list(two.samples)
    assert all(np.array_equal(one.samples[path], two.samples[path]) for path in one.samples)
    with pytest.raises(AudioError, match="does not exist"):
        read_recordings([*examples[:3], replace(examples[0], audio=tmp_path / "none.wav")], processes=2)


def dies(path: Path, longest_s: float) -> None:
    """What happens to a process for which there is no memory."""
    os._exit(9)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_dies_is_said(examples: list[Example], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elocute.mllm.collate._decoded", dies)
    with pytest.raises(BatchError, match="a process died after 0 of 3 recordings"):
        read_recordings(examples[:6:2], processes=2)


def test_a_collator_goes_to_other_processes(processor: Any, examples: list[Example]) -> None:
    collate = Collator(processor)
    again = pickle.loads(pickle.dumps(collate))
    assert all(torch.equal(value, again(examples[:2])[name]) for name, value in collate(examples[:2]).items())


def test_bad_batches_are_refused(processor: Any, examples: list[Example], tmp_path: Path) -> None:
    collate = Collator(processor)
    example = examples[0]
    for bad, match in [
        ([], "a batch of no examples"),
        ([replace(example, user="<|user|>Rate it.<|end|><|assistant|>")], r"has <\|audio_1\|> 0 times; expected once"),
        ([replace(example, user=example.user.replace(AUDIO, AUDIO * 2))], "2 times; expected once"),
    ]:
        with pytest.raises(ConfigError, match=match):
            collate(bad)
    with pytest.raises(ConfigError, match=r"has \d+ tokens, \d+ of them audio; expected 20 or fewer"):
        Collator(processor, most_tokens=20)([example])
    with pytest.raises(ConfigError, match="side is 'top'"):
        Collator(processor, side="top")  # type: ignore[arg-type]
    long = Collator(processor, recordings=Recordings(samples={example.audio: np.ones(41 * 16_000, np.int16)}))
    assert long([example])["audio_input_features"].shape[1] == 4098
    with pytest.raises(ConfigError, match=r"has 4098 frames, in a batch of 2; .* only in a batch of one"):
        long([example, example])
    with pytest.raises(AudioError, match="does not exist"):
        collate([replace(example, audio=tmp_path / "none.wav")])
    with pytest.raises(AudioError, match="expected at most 0.1 s"):
        Collator(processor, longest_s=0.1)([example])
    with pytest.raises(AudioError, match="does not exist"):
        read_recordings([replace(example, audio=tmp_path / "none.wav")])


lengths_lists = st.lists(st.integers(1, 1000), max_size=200)


@settings(max_examples=50, deadline=None)
@given(lengths_lists, st.integers(1, 9), st.booleans(), st.booleans(), st.integers(1, 5))
def test_every_example_comes_once(lengths: list[int], size: int, shuffle: bool, drop: bool, pool: int) -> None:
    sampler = LengthBuckets(lengths, size, shuffle=shuffle, drop_last=drop, pool=pool, seed=3)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    assert all(len(batch) == size for batch in (batches if drop else batches[:-1]))
    flat = [index for batch in batches for index in batch]
    assert len(set(flat)) == len(flat) == (len(lengths) // size * size if drop else len(lengths))
    assert list(sampler) == batches


def test_buckets_change_with_the_epoch_and_save_padding() -> None:
    lengths = np.random.default_rng(0).lognormal(1.3, 0.4, 2500)
    sampler = LengthBuckets(lengths, 8, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first

    def padding(batches: list[list[int]]) -> float:
        return 1 - lengths.sum() / sum(len(batch) * lengths[batch].max() for batch in batches)

    plain = [list(range(start, min(start + 8, 2500))) for start in range(0, 2500, 8)]
    assert padding(first) < 0.03 < 0.3 < padding(plain)
    longest_first = list(LengthBuckets(lengths, 8, shuffle=False))
    assert longest_first[0][0] == lengths.argmax()
    for wrong in ({"batch_size": 0}, {"batch_size": 1, "pool": 0}):
        with pytest.raises(ConfigError, match="expected 1 or more"):
            LengthBuckets(lengths, **wrong)


@needs_corpus
def test_real_recordings(processor: Any) -> None:
    """Every answer of the corpus comes back from its labels; two batches with their sound."""
    examples = speechocean_examples(REAL, tasks=("apa", "mdd", "combined"))
    collate = Collator(processor)
    end = token_ids(processor).end
    for example in examples:
        ids, learned = collate.sequence(example, 3)
        assert processor.tokenizer.decode(ids[-learned:-1]) == example.answer
        assert ids[-1] == end
    for batch_of in (examples[:6], examples[3000:3006]):
        batch = collate(batch_of)
        assert decode_labels(processor, batch["labels"]) == [example.answer + END for example in batch_of]
