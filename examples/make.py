"""Make the recordings in this folder with flite, the speech synthesiser of Carnegie Mellon University.

    make examples                                      # the same as: .venv/bin/python examples/make.py
    .venv/bin/python examples/make.py --out FOLDER     # somewhere else

Needs `flite` on PATH (Debian: `apt-get install flite`, version 2.2). Each recording is one command,

    flite -voice slt -ssml -ps -f sentence.ssml -o sentence.wav

where a planted error is a phoneme tag, `<phoneme ph="s ih1 ng k">think</phoneme>`. flite skips phones that it does
not know without a word, so the phones it reports (`-ps`) are compared with those of the faultless sentence: exactly
the planted phone must differ. The same flite gives the same samples each time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import soundfile

HERE = Path(__file__).resolve().parent
SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An error that is put into a recording on purpose.

    Attributes:
        word_index: which word of the text carries it.
        canonical: phones of that word, ARPABET, vowels with stress digit.
        phone_index: which of them is changed; None drops the whole word.
        said: the phone spoken instead; None leaves it out.
    """

    word_index: int
    canonical: str
    phone_index: int | None
    said: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One recording: who says which sentence, and what is wrong with it, if anything."""

    id: str
    voice: str
    text: str
    planted: Planted | None = None


EXAMPLES = (
    Example(id="weather", voice="slt", text="I think the weather is nice today."),
    Example(
        id="weather-tink",
        voice="slt",
        text="I think the weather is nice today.",
        planted=Planted(word_index=1, canonical="TH IH1 NG K", phone_index=0, said="T"),
    ),
    Example(id="car", voice="slt", text="My father drives a red car."),
    Example(
        id="car-led",
        voice="slt",
        text="My father drives a red car.",
        planted=Planted(word_index=4, canonical="R EH1 D", phone_index=0, said="L"),
    ),
    Example(id="zoo", voice="rms", text="Can you help me find the zoo?"),
    Example(
        id="zoo-sue",
        voice="rms",
        text="Can you help me find the zoo?",
        planted=Planted(word_index=6, canonical="Z UW1", phone_index=0, said="S"),
    ),
    Example(
        id="museum-dropped",
        voice="rms",
        text="We are going to the new museum.",
        planted=Planted(word_index=5, canonical="N UW1", phone_index=None),
    ),
)


def ssml(example: Example) -> str:
    """The sentence as flite reads it, with the planted error in it."""
    words = example.text.split()
    planted = example.planted
    if planted is not None and planted.phone_index is None:
        words = words[: planted.word_index] + words[planted.word_index + 1 :]
        planted = None
    parts = [escape(word) for word in words]
    if planted is not None:
        phones = planted.canonical.split()
        phones[planted.phone_index : planted.phone_index + 1] = [planted.said] if planted.said else []
        word = parts[planted.word_index]
        bare = word.rstrip(".,?!")
        tag = f"<phoneme ph={quoteattr(' '.join(phones).lower())}>{bare}</phoneme>"
        parts[planted.word_index] = tag + word[len(bare) :]
    return f"<speak>{' '.join(parts)}</speak>"


def speak(example: Example, wav: Path) -> list[str]:
    """Let flite speak the example into a wav file; the phones it spoke, ARPABET without stress and pauses."""
    sentence = wav.with_suffix(".ssml")
    sentence.write_text(ssml(example), encoding="utf-8")
    command = ["flite", "-voice", example.voice, "-ssml", "-ps", "-f", str(sentence), "-o", str(wav)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # flite's schwa is a phone of its own; ARPABET as we use it writes it AH.
    spoken = [{"ax": "ah"}.get(phone, phone).upper() for phone in done.stdout.split()]
    return [phone for phone in spoken if phone != "PAU"]


def bare(phones: str | None) -> list[str]:
    """ARPABET phones without their stress digits."""
    return [phone.rstrip("012") for phone in (phones or "").split()]


def check_planted(example: Example, faultless: list[str], spoken: list[str]) -> None:
    """Stop unless exactly the planted error tells the two phone sequences apart."""
    planted = example.planted
    assert planted is not None
    before, after = bare(planted.canonical), bare(planted.canonical)
    if planted.phone_index is None:
        after = []
    else:
        after[planted.phone_index : planted.phone_index + 1] = bare(planted.said)
    ways = [
        faultless[:i] + after + faultless[i + len(before) :]
        for i in range(len(faultless))
        if faultless[i : i + len(before)] == before
    ]
    if spoken not in ways or spoken == faultless:
        sys.exit(
            f"{example.id}: flite spoke {' '.join(spoken)}, which is not {' '.join(faultless)} "
            f"with {' '.join(before)} spoken as {' '.join(after) or 'nothing'}; mend the example"
        )


def make(example: Example, folder: Path) -> dict[str, object]:
    """Synthesise one example into `folder`; its manifest row."""
    with tempfile.TemporaryDirectory() as scratch:
        wav = Path(scratch) / "spoken.wav"
        if example.planted is not None:
            faultless = Example(id=example.id, voice=example.voice, text=example.text)
            check_planted(example, speak(faultless, wav), speak(example, wav))
        else:
            speak(example, wav)
        samples, rate = soundfile.read(wav, dtype="int16")
    if rate != SAMPLE_RATE_HZ:
        sys.exit(f"{example.id}: voice {example.voice} speaks at {rate} Hz, expected {SAMPLE_RATE_HZ}; take another")
    audio = folder / f"{example.id}.flac"
    soundfile.write(audio, samples, rate, subtype="PCM_16", compression_level=1.0)
    return {
        "id": example.id,
        "audio": audio.name,
        "text": example.text,
        "voice": example.voice,
        "planted": None if example.planted is None else planted_row(example.planted),
    }


def planted_row(planted: Planted) -> dict[str, object]:
    """The planted error as the manifest states it: phones without stress digits."""
    canonical = bare(planted.canonical)
    whole_word = planted.phone_index is None
    return {
        "word_index": planted.word_index,
        "phone_index": planted.phone_index,
        "canonical": " ".join(canonical) if whole_word else canonical[planted.phone_index],
        "said": bare(planted.said)[0] if planted.said else None,
    }


def make_all(examples: tuple[Example, ...], folder: Path) -> None:
    """Synthesise the examples and write their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps(make(example, folder), ensure_ascii=False) for example in examples]
    (folder / "manifest.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the example recordings again with flite.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: this one)")
    make_all(EXAMPLES, parser.parse_args().out)
