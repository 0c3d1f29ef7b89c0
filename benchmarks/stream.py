"""What a recording that is assessed while it is made costs, how late its words are told, and how near their scores are.

    python benchmarks/stream.py                                         # cost of a second of speech; a few words, live
    python benchmarks/stream.py --corpus speechocean762 --utterances 100   # scores and ends, over a corpus (train)

The cost is that of the worker (CPU seconds, one thread) for recordings of 4, 10 and 30 s made of examples in a row, in
steps of 0.25 s. Live means a real server, fed in real time over a WebSocket. Over a corpus the steps come as fast as
they can be followed: a word is told at the time of its step plus the CPU time of the look, and compared with the final
report. For the ends, 2.5 s of noise follow on each recording, as loud as its quiet parts: an end is false if it comes
before the end of the last word of the final report. The embedded models were trained on the corpus's split train.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from served import EXAMPLES, recordings, serving  # noqa: E402

from elocute.assessor import Assessor  # noqa: E402
from elocute.audio import load_audio, stretch_of  # noqa: E402
from elocute.config import AssessorConfig  # noqa: E402
from elocute.report import WordReport  # noqa: E402
from elocute.server.provisional import Progress, follow, script_of  # noqa: E402
from elocute.server.stream import GIVEN_UP_S, has_ended  # noqa: E402

STEP_S = 0.25
SILENCES_S = (0.5, 1.0, 1.2, 1.5)
_RATE = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a recording: when, what it told, how far the reading was, and its CPU seconds."""

    at_s: float
    words: tuple[WordReport, ...]
    progress: Progress
    cpu_s: float


def looks(assessor: Assessor, text: str, samples: np.ndarray) -> Iterator[Look]:
    """Follow a recording."""
    progress = Progress()
    for at_s in np.arange(STEP_S, len(samples) / _RATE + STEP_S, STEP_S):
        begin_s = time.process_time()
        stretch = stretch_of(samples[round(progress.from_s * _RATE) : round(at_s * _RATE)], _RATE)
        found = follow(assessor, script_of(text), progress, stretch)
        progress = found.progress
        yield Look(at_s=float(at_s), words=found.words, progress=progress, cpu_s=time.process_time() - begin_s)


def cost(assessor: Assessor) -> None:
    """CPU seconds that following a second of speech takes."""
    spoken = recordings(EXAMPLES)
    for seconds in (4, 10, 30):
        count = 1 + max(seconds * _RATE // min(len(one.samples) for one in spoken), 1)
        chosen = [spoken[n % len(spoken)] for n in range(count)]
        samples = np.concatenate([one.samples for one in chosen])[: seconds * _RATE]
        text = " ".join(one.text for one in chosen)[:1000]
        made = [*looks(assessor, text, samples)]
        per_s = np.array([look.cpu_s for look in made]).reshape(-1, round(1 / STEP_S)).sum(axis=1)
        told = sum(len(look.words) for look in made)
        print(
            f"{seconds:2d} s: {per_s.mean():.3f} CPU s a second of speech, in the last two {per_s[-2:].mean():.3f}; "
            f"{told} words told"
        )


def live() -> None:
    """How long after its end a word is told, by a real server."""
    from websockets.sync.client import connect

    first, later = [], []
    with serving("--workers", "1") as running:
        for one in recordings(EXAMPLES):
            data = (one.samples * 32767).astype("<i2").tobytes()
            told: dict[int, float] = {}
            with connect(f"ws://127.0.0.1:{running.port}/v1/stream") as socket:
                socket.send(json.dumps({"type": "start", "text": one.text}))
                json.loads(socket.recv())
                begin_s = time.monotonic()

                def feed(socket=socket, data=data, begin_s=begin_s) -> None:  # type: ignore[no-untyped-def]
                    for n, at in enumerate(range(0, len(data), 2_048), start=1):
                        time.sleep(max(begin_s + 0.064 * n - time.monotonic(), 0))
                        socket.send(data[at : at + 2_048])
                    socket.send(json.dumps({"type": "stop"}))

                threading.Thread(target=feed).start()
                while (message := json.loads(socket.recv(timeout=60)))["type"] == "partial":
                    told |= {word["text_index"]: time.monotonic() - begin_s for word in message["words"]}
            if message["type"] != "final":
                continue
            ends = {word["text_index"]: word["end_s"] for word in message["report"]["words"]}
            late = {index: at_s - ends[index] for index, at_s in told.items() if ends.get(index) is not None}
            first += [late[min(late)]] if late else []
            later += late.values()
    _tell_late("live", first, later)


def _tell_late(what: str, first: list[float], every: list[float]) -> None:
    """How long after their end words are told."""
    for name, found in (("first word", first), ("all words", every)):
        median, most = np.quantile(found, (0.5, 0.9))
        print(f"{what}, {name}: told {median:.2f} s after its end, 90 % within {most:.2f}, latest {max(found):.2f}")


def over_corpus(assessor: Assessor, corpus: Path, utterances: int) -> None:
    """Provisional scores beside final ones, and ends."""
    from elocute.corpora.speechocean762 import read_speechocean762

    everything = [one for one in read_speechocean762(corpus) if len(one.words) >= 4]
    generator = np.random.default_rng(1)
    late, first, pairs, gone, told, said = [], [], [], 0, 0, 0
    ends: list[tuple[float, list[Look]]] = []
    for number in generator.permutation(len(everything))[:utterances]:
        one = everything[number]
        audio = load_audio(one.audio)
        report = assessor.assess(audio, one.text)
        if report.utterance.accuracy is None:
            continue
        final = report.text_words
        said += sum(word.error != "omission" for word in final)
        quiet = np.square(audio.samples[: len(audio.samples) // 320 * 320].reshape(-1, 320)).mean(axis=1)
        level = max(float(np.sqrt(np.quantile(quiet, 0.1))), 1e-4)
        noise = generator.normal(0, level, round(2.5 * _RATE)).astype(np.float32)
        made = [*looks(assessor, one.text, np.concatenate([audio.samples, noise]))]
        ends.append((max(word.end_s for word in report.words if word.end_s is not None), made))
        for look in made:
            if look.at_s > audio.duration_s + STEP_S:
                break
            for word in look.words:
                assert word.text_index is not None
                other = final[word.text_index]
                told += 1
                gone += other.error == "omission" != word.error
                if word.total is None or other.total is None or "omission" in (word.error, other.error):
                    continue
                pairs.append((word.total, other.total))
                assert other.end_s is not None
                late.append(min(look.at_s, audio.duration_s) + look.cpu_s - other.end_s)
                first += [late[-1]] if word.text_index == 0 else []
    here, there = np.array(pairs).T
    print(f"{len(ends)} utterances, {told} words told while they were read, of {said} that were said")
    print(f"told although the final report calls them left out: {gone}")
    apart, together = np.abs(here - there).mean(), np.corrcoef(here, there)[0, 1]
    print(f"mean difference of totals {apart:.2f} of 100, correlation {together:.3f}")
    _tell_late("corpus", first, late)
    for silence_s in SILENCES_S:
        _ends(ends, silence_s)


def _ends(ends: list[tuple[float, list[Look]]], silence_s: float) -> None:
    """How recordings end by themselves after a silence."""
    false, never, given_up, after = 0, 0, 0, []
    for last_s, made in ends:
        end = next(
            (look for look in made if look.progress.voiced_s is not None and has_ended(look.progress, silence_s)), None
        )
        if end is None:
            never += 1
        elif end.at_s < last_s:
            false += 1
        else:
            after.append(end.at_s - last_s)
            given_up += not end.progress.is_read
    median, most = np.quantile(after, (0.5, 0.9))
    print(
        f"end after {silence_s:g} s: {false} false, {never} none, {given_up} of {len(ends)} only after "
        f"{GIVEN_UP_S:g} s more; {median:.2f} s after the last word, 90 % within {most:.2f}"
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder of speechocean762")
    parser.add_argument("--utterances", type=int, default=100)
    options = parser.parse_args()
    assessor = Assessor(AssessorConfig(threads=1))
    if options.corpus is not None:
        over_corpus(assessor, options.corpus, options.utterances)
        return
    cost(assessor)
    live()


if __name__ == "__main__":
    main()
