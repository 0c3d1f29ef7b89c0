"""What becomes of corpora: labels, refusals, samples, the split by speaker, batches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctc_corpora import spoken, write_commonvoice, write_librispeech

pytest.importorskip("transformers")

from elocute.acoustic.frame_count import FrameCount
from elocute.corpora.speechocean762 import Annotated, ScoredUtterance, ScoredWord
from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.training import ctc_data
from elocute.training.ctc_batches import IGNORED, Draw, epoch_batches, frame_labels
from elocute.training.ctc_data import WILDCARD, Example, Examples, Source, hold_out, parse_sources, read_examples
from elocute.training.ctc_prepare import prepare, read_noise
from elocute.training.ctc_recipe import CtcTraining
from elocute.training.ctc_store import decode_examples

MS_20 = FrameCount(layers=((320, 320, 0),))
MS_80 = FrameCount(layers=((1280, 1280, 0),))


def of(*symbols: str) -> tuple[int, ...]:
    return tuple(PHONES.index(symbol) + 1 for symbol in symbols)


def word(text: str, phones: str, scores: list[float], *said: tuple[int, str]) -> ScoredWord:
    symbols = tuple(phones.split())
    return ScoredWord(
        text=text,
        phones=symbols,
        phone_accuracy=tuple(scores),
        accuracy=10,
        stress=10,
        total=10,
        mispronunciations=tuple(Annotated(index=i, canonical=symbols[i], pronounced=p) for i, p in said)
        if said
        else None,
    )


def scored(*words: ScoredWord) -> ScoredUtterance:
    return ScoredUtterance(
        id="000010011", speaker="0001", gender="m", age=6, audio=Path("a.wav"), text="T", words=words, accuracy=9,
        completeness=10, fluency=9, prosodic=9, total=9,
    )  # fmt: skip


def example_of(utterance: ScoredUtterance) -> Example:
    found = ctc_data._scored("so", utterance)
    assert isinstance(found, Example)
    return found


def test_labels_are_what_was_said() -> None:
    # Nobody tells what was said: any phone, two labels in turn. Right ones stay, whatever else is annotated.
    plain = example_of(scored(word("CAT", "K AE T", [2, 0.2, 0.4]), word("SAT", "S AE T", [2, 0, 2])))
    assert plain.labels == (*of("K"), WILDCARD + 1, WILDCARD, *of("S"), WILDCARD, *of("T"))
    assert plain.phones == of("K", "AE", "T", "S", "AE", "T")
    # Somebody does: another phone, nothing at all, something close to it, something that nobody could tell.
    told = example_of(
        scored(word("THINK", "TH IH NG K", [0, 0.4, 0.2, 0.2], (0, "S"), (1, "IY*"), (2, "<unk>"), (3, "<DEL>")))
    )
    assert told.labels == (*of("S"), WILDCARD + 1, WILDCARD)
    assert told.phones == of("S", "IH", "NG")


def test_nothing_said_is_refused() -> None:
    found = ctc_data._scored("so", scored(word("A", "AH", [0], (0, "<DEL>"))))
    assert isinstance(found, ctc_data.Refusal)
    assert found.reason == "nothing was said"


def test_frames_needed() -> None:
    def needed(*labels: int) -> int:
        return Example(id="a/b", speaker="a/c", audio=Path("x"), labels=labels, phones=labels).frames_needed

    assert needed(1, 2, 3) == 3
    assert needed(1, 1, 2, 2, 2) == 8


def test_refusals_are_counted_and_named(tmp_path: Path) -> None:
    folder = write_commonvoice(
        tmp_path / "cv",
        [
            ("a", "good.wav", "She sees the sea."),
            ("a", "empty.wav", "  "),
            ("b", "cyrillic.wav", "привет"),
            ("b", "unknown.wav", "she sees the zxqvrt"),
            ("b", "gone.wav", "she sees the sea"),
            ("b", "broken.wav", "she sees the sea"),
            ("c", "silent.wav", "she sees the sea"),
            ("c", "long.wav", "she sees the sea"),
            ("c", "blink.wav", "she sees the sea"),
            ("c", "short.wav", "she sees the sea"),
        ],
    )
    clips = folder / "clips"
    (clips / "gone.wav").unlink()
    (clips / "broken.wav").write_bytes(b"RIFF nothing")
    soundfile.write(clips / "silent.wav", np.zeros(16_000), 16_000)
    soundfile.write(clips / "long.wav", np.tile(spoken("she sees the sea", 1), 30), 16_000)
    soundfile.write(clips / "blink.wav", spoken("sea", 1)[2000:4000], 16_000)
    soundfile.write(clips / "short.wav", spoken("sea", 1)[2000:6000], 16_000)  # 3 frames of 80 ms for 9 phones
    training = CtcTraining(held_out=0, longest_s=20)
    done: list[tuple[str, int, int]] = []
    found = prepare(
        [Source(kind="commonvoice", path=folder)], training, MS_80, tmp_path, lambda *step: done.append(step)
    )
    assert [example.id for example in found.examples.kept] == ["commonvoice-cv/good"]
    assert {refusal.id.split("/")[1]: refusal.reason for refusal in found.examples.refused} == {
        "empty": "no text",
        "cyrillic": "a text that cannot be pronounced",
        "unknown": "a word that the lexicon does not list",
        "gone": "no recording",
        "broken": "a recording that cannot be read",
        "silent": "a recording that cannot be read",
        "long": "a recording that cannot be read",
        "blink": "too short",
        "short": "too few frames for its phones",
    }
    details = {refusal.id.split("/")[1]: refusal.detail for refusal in found.examples.refused}
    assert details["short"] == "3 frames of 80 ms, its phones need 9"
    assert details["unknown"] == "zxqvrt"
    assert ("phones", 10, 10) in done
    assert ("decoding", 6, 6) in done
    # 48 kHz as in the corpus becomes 16 kHz.
    assert found.store.lengths.tolist() == [len(spoken("she sees the sea", 0))]
    # With the model of unknown words, one more.
    with_g2p = read_examples([Source(kind="commonvoice", path=folder)], "g2p")
    assert "commonvoice-cv/unknown" in {example.id for example in with_g2p.kept}
    ctc_data.write_refusals(found.examples, tmp_path / "refused.tsv")
    assert (tmp_path / "refused.tsv").read_text().startswith("id\treason\tdetail\ncommonvoice-cv/empty\tno text\t")


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    folder = write_commonvoice(tmp_path, [("a", "x.wav", " "), ("b", "y.wav", " ")])
    with pytest.raises(ConfigError, match=r"none of 2 recordings can be used \(no text: 2\)"):
        read_examples([Source(kind="commonvoice", path=folder)])


def test_sources(tmp_path: Path) -> None:
    for name in ("a", "b,c"):
        (tmp_path / name).mkdir()
    found = parse_sources([f"native:{tmp_path / 'a'},librispeech:{tmp_path / 'b,c'}"])
    assert [(source.kind, source.path.name) for source in found] == [("native", "a"), ("librispeech", "b,c")]
    for text, message in (
        ("wsj:a", "corpus is 'wsj:a'; expected KIND:DIR with KIND one of speechocean762"),
        (f"{tmp_path}", "expected KIND:DIR"),
        ("native:", "expected KIND:DIR"),
        (f"native:{tmp_path / 'none'}", "not found; expected a folder of native"),
        (f"native:{tmp_path / 'a'},native:{tmp_path / 'a'}", "is named twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_sources([text])
    with pytest.raises(ConfigError, match="no corpus; give --corpus"):
        parse_sources([])


def made(count: int, speakers: int, corpus: str = "x") -> list[Example]:
    return [
        Example(id=f"{corpus}/{n}", speaker=f"{corpus}/{n % speakers}", audio=Path("a"), labels=(1,), phones=(1,))
        for n in range(count)
    ]


def test_split_is_by_speaker_and_stays() -> None:
    first, second = made(400, 40, "x"), made(100, 10, "y")
    kept, held = hold_out(first, 0.2, 1000, 1)
    assert {first[i].speaker for i in kept}.isdisjoint({first[i].speaker for i in held})
    assert sorted([*kept, *held]) == list(range(400))
    assert 3 <= len({first[i].speaker for i in held}) <= 13
    # Another corpus beside it moves nobody.
    both = [*second, *first]
    _, held_both = hold_out(both, 0.2, 1000, 1)
    assert {first[i].id for i in held} == {both[i].id for i in held_both if both[i].id.startswith("x/")}
    assert any(both[i].id.startswith("y/") for i in held_both)
    assert len(hold_out(first, 0.2, 7, 1)[1]) == 7
    assert {first[i].speaker for i in hold_out(first, 0.2, 7, 1)[0]} == {first[i].speaker for i in kept}


def test_split_of_few_speakers() -> None:
    for seed in range(20):
        two = made(10, 2)
        kept, held = hold_out(two, 0.01, 100, seed)
        assert len(kept) == len(held) == 5
        kept, held = hold_out(two, 0.99, 100, seed)
        assert len(kept) == 5
    assert hold_out(made(3, 1), 0, 100, 1) == ([0, 1, 2], [])
    with pytest.raises(ConfigError, match="no corpus has two speakers"):
        hold_out(made(3, 1), 0.1, 100, 1)


def test_a_killed_decoding_goes_on(tmp_path: Path) -> None:
    folder = write_librispeech(tmp_path / "libri", speakers=2)
    examples = read_examples([Source(kind="librispeech", path=folder)])
    whole = decode_examples(examples, tmp_path / "whole", 30)
    parts = tmp_path / "parts"
    parts.mkdir()
    (target,) = (tmp_path / "whole").glob("*.i16")
    rows = target.with_suffix(".jsonl").read_text().splitlines(keepends=True)
    # Five recordings and half of the sixth, whose row was cut short.
    samples = sum(json.loads(row) for row in rows[:5])
    (parts / target.name).with_suffix(".part").write_bytes(target.read_bytes()[: 2 * samples + 500])
    (parts / target.name).with_suffix(".jsonl").write_text("".join(rows[:5]) + rows[5][:2])
    counts: list[int] = []
    again = decode_examples(examples, parts, 30, lambda done, total: counts.append(done))
    assert counts == list(range(6, 13))
    assert np.array_equal(again.store.open(), whole.store.open())
    assert np.array_equal(again.store.starts, whole.store.starts)
    counts.clear()
    decode_examples(examples, parts, 30, lambda done, total: counts.append(done))
    assert not counts


def test_batches_hold_everything_once_and_no_more_than_they_may() -> None:
    lengths = np.random.default_rng(0).integers(8_000, 160_000, 300)
    for generator in (None, np.random.default_rng(1)):
        batches = epoch_batches(lengths, 20.0, generator)
        assert sorted(index for batch in batches for index in batch) == list(range(300))
        padded = [lengths[list(batch)].max() * len(batch) for batch in batches]
        assert max(padded) <= 20 * 16_000
        # Neighbours in length share a batch: little of it is padding.
        assert lengths.sum() / sum(padded) > 0.85
    assert epoch_batches(np.array([800_000, 10]), 20.0, None) == [(1,), (0,)]


def test_draw_begins_anywhere_and_is_dealt_to_processes() -> None:
    lengths = np.random.default_rng(0).integers(8_000, 160_000, 50)

    def plans(count: int, **changes: int) -> list[object]:
        draw = iter(Draw(lengths=lengths, batch_s=20.0, seed=3, parts=4, **changes))
        return [next(draw) for _ in range(count)]

    whole = plans(80)
    assert plans(40, first=10) == whole[40:]
    both = [plans(40, rank=rank, world=2) for rank in (0, 1)]
    assert [item for pair in zip(*both, strict=True) for item in pair] == whole


def test_frame_labels_lie_on_the_sound() -> None:
    wave = np.concatenate([np.zeros(3200), 0.3 * np.sin(np.arange(9600)), np.zeros(3200)]).astype(np.float32)
    example = Example(id="a/b", speaker="a/b", audio=Path("x"), labels=(5, 6, 7), phones=(5, 6, 7))
    targets = frame_labels([wave, wave[:8000]], np.array([50, 25]), [example, example])
    assert targets.shape == (2, 50)
    assert targets[0].tolist() == [0] * 10 + [5] * 10 + [6] * 10 + [7] * 10 + [0] * 10
    assert targets[1, 25:].tolist() == [IGNORED] * 25


def test_noise(tmp_path: Path) -> None:
    assert read_noise(None).size == 0
    with pytest.raises(ConfigError, match="holds no recordings of noise"):
        read_noise(tmp_path)
    soundfile.write(tmp_path / "n.wav", np.full(100, 0.5), 16_000)
    assert read_noise(tmp_path).tolist() == [16384] * 100


def test_refusing_keeps_order() -> None:
    examples = Examples(kept=tuple(made(5, 2)), refused=())
    left = examples.refusing(lambda one: ("odd", one.id) if int(one.id[2:]) % 2 else None)
    assert [one.id for one in left.kept] == ["x/0", "x/2", "x/4"]
    assert left.counts() == {"odd": 2}
