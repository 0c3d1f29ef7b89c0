"""What the fuzz sends: recordings that were damaged or lie, texts of all sorts, forms that are none.

Case number n of a seed is the same on every machine with the same encoders: each has a generator of its own.
"""

from __future__ import annotations

import gzip
import io
import random
import struct
import unicodedata
import wave
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from served import KINDS, Spoken, encoded, form

_LONGEST_S = 1.1
_HEADER = 256
_LIES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_VALUES = {
    "language": ("en-US", "fr-FR", "", "en-us"),
    "detail_level": ("full", "word", "sentence", "phone", ""),
    "l1": ("zh", "xx", "", "ZH"),
    "scale": ("100", "10", "1", "0", "-1", "1e2", "١٠"),
    "format": ("native", "azure", "xml", ""),
    "sensitivity": ("low", "normal", "high", "loud", ""),
    "audio_url": ("file:///etc/passwd",),
    "txet": ("hello",),
}
_SCRIPTS = (
    "hello",
    "你好 世界",
    "שלום עולם",
    "مرحبا",
    "नमस्ते",
    "สวัสดี",
    "Ωμέγα",
    "naïve café",
    "İstanbul",
    "ﬁne",
    "𝓱𝓮𝓵𝓵𝓸",
)
_ODD = (
    "\u202e",
    "\u200d",
    "\ufeff",
    "\u0000",
    "\u0007",
    "\u2028",
    "\ud7ff",
    "\U0010ffff",
    "👩‍👩‍👧‍👦",
    "🇺🇸",
    "e\u0301\u0301\u0301",
    "’",
    "—",
    "…",
)
_NUMBERS = (
    "42",
    "3.14159",
    "1,000,000",
    "$5.99",
    "12:30",
    "2026-11-22",
    "1/2",
    "9" * 400,
    "-0",
    "1e308",
    "IV",
    "20th",
    "℃",
    "½",
    "٤٢",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request.

    Attributes:
        number: of the case.
        what: how it was made, in words.
        body: of the request.
        content_type: of it.
    """

    number: int
    what: str
    body: bytes
    content_type: str


class Cases:
    """All cases of a seed.

    Args:
        spoken: recordings to be damaged.
        seed: of everything.
    """

    def __init__(self, spoken: Sequence[Spoken], seed: int) -> None:
        self._seed = seed
        self._whole: list[tuple[str, bytes, str]] = []
        for one in spoken:
            text = " ".join(one.text.split()[:2])
            samples = one.samples[: int(_LONGEST_S * 16_000)]
            self._whole += [(f"{one.name}.{kind}", encoded(samples, kind), text) for kind in KINDS]
        self._bombs = bombs()

    def __getitem__(self, number: int) -> Case:
        """The case of a number."""
        rng = random.Random(f"{self._seed}-{number}")
        name, data, text = rng.choice(self._whole)
        make = rng.choices(
            (self._damaged, self._odd_text, self._odd_fields, self._no_recording, self._odd_form), (60, 18, 8, 8, 6)
        )[0]
        what, body, content_type = make(rng, name, data, text)
        return Case(number=number, what=what, body=body, content_type=content_type)

    def _damaged(self, rng: random.Random, name: str, data: bytes, text: str) -> tuple[str, bytes, str]:
        """A recording with one to three kinds of damage."""
        whats = [name]
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            damage = rng.choice(DAMAGES)
            data = self._joined(rng, data) if damage is joined else damage(rng, data)
            whats.append(damage.__name__)
        return " ".join(whats), *form({"text": text}, data)

    def _joined(self, rng: random.Random, data: bytes) -> bytes:
        """Two files in a row."""
        return data + rng.choice(self._whole)[1]

    def _odd_text(self, rng: random.Random, name: str, data: bytes, text: str) -> tuple[str, bytes, str]:
        """A sound recording with a text of some sort."""
        odd, what = odd_text(rng, text)
        return f"{name} text {what}", *form({"text": odd}, data)

    def _odd_fields(self, rng: random.Random, name: str, data: bytes, text: str) -> tuple[str, bytes, str]:
        """A sound recording with fields that are right or wrong."""
        fields = {"text": text} if rng.random() < 0.9 else {}
        for field in rng.sample([*_VALUES], rng.randint(1, 4)):
            fields[field] = rng.choice(_VALUES[field])
        sent = data if rng.random() < 0.9 else None
        return f"{name} fields {fields}", *form(fields, sent)

    def _no_recording(self, rng: random.Random, name: str, data: bytes, text: str) -> tuple[str, bytes, str]:
        """Something that is no recording, or far too much of one."""
        what, bomb = rng.choice(self._bombs)
        return what, *form({"text": text}, bomb)

    def _odd_form(self, rng: random.Random, name: str, data: bytes, text: str) -> tuple[str, bytes, str]:
        """A form that was damaged itself."""
        body, content_type = form({"text": text}, data)
        damage = rng.choice([one for one in DAMAGES if one is not joined])
        if rng.random() < 0.3:
            content_type = rng.choice(
                ("", "multipart/form-data", "application/json", "multipart/form-data; boundary=" + "x" * 300, "a/b; c")
            )
            return f"{name} content type {content_type[:40]!r}", body, content_type
        head = body[:400]
        return f"{name} form {damage.__name__}", damage(rng, head) + body[400:], content_type


def flipped(rng: random.Random, data: bytes) -> bytes:
    """Some bits are turned over."""
    new = bytearray(data)
    for _ in range(rng.choice((1, 3, 10, 100))):
        if new:
            new[rng.randrange(len(new))] ^= 1 << rng.randrange(8)
    return bytes(new)


def overwritten(rng: random.Random, data: bytes) -> bytes:
    """A stretch becomes noise, or nothing but zeros."""
    begin = rng.randrange(len(data) + 1)
    length = rng.choice((4, 64, 1000))
    return data[:begin] + (rng.randbytes(length) if rng.random() < 0.5 else bytes(length)) + data[begin + length :]


def cut(rng: random.Random, data: bytes) -> bytes:
    """The end is missing."""
    return data[: rng.choice((rng.randrange(len(data) + 1), rng.randrange(min(len(data), 100) + 1)))]


def beheaded(rng: random.Random, data: bytes) -> bytes:
    """The beginning is missing."""
    return data[rng.randrange(min(len(data), 400) + 1) :]


def holed(rng: random.Random, data: bytes) -> bytes:
    """Something in the middle is missing, or there twice."""
    begin, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:begin] + data[end:] if rng.random() < 0.5 else data[:end] + data[begin:]


def lying(rng: random.Random, data: bytes) -> bytes:
    """Numbers in the header are huge, zero or negative."""
    new = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        width, order = rng.choice((1, 2, 4, 8)), rng.choice(("<", ">"))
        if len(new) < width + 5:
            break
        place = rng.randrange(4, min(len(new) - width, _HEADER) + 1)
        value = rng.choice(_LIES) & (256**width - 1)
        new[place : place + width] = struct.pack(order + "BHIQ"[(1, 2, 4, 8).index(width)], value)
    return bytes(new)


def padded(rng: random.Random, data: bytes) -> bytes:
    """Noise before or behind it."""
    noise = rng.randbytes(rng.choice((1, 16, 3000)))
    return noise + data if rng.random() < 0.3 else data + noise


def joined(rng: random.Random, data: bytes) -> bytes:
    """The same file twice."""
    return data + data


DAMAGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    flipped,
    overwritten,
    cut,
    beheaded,
    holed,
    lying,
    padded,
    joined,
)


def odd_text(rng: random.Random, text: str) -> tuple[str, str]:
    """A text, and what it is in words."""
    kind = rng.randrange(9)
    if kind == 0:
        return "".join(chr(rng.choice(_ANY)) for _ in range(rng.choice((1, 5, 60)))), "any characters"
    if kind == 1:
        return " ".join(rng.choice(_SCRIPTS) for _ in range(rng.randint(1, 6))), "scripts"
    if kind == 2:
        return "".join(rng.choice((*text.split(), *_ODD)) for _ in range(rng.randint(1, 8))), "odd characters"
    if kind == 3:
        return " ".join(rng.choice(_NUMBERS) for _ in range(rng.randint(1, 5))), "numbers"
    if kind == 4:
        return rng.choice(("", " ", "\n\t", ".", "...", "'", "-", "\x00")), "nothing"
    if kind == 5:
        length = rng.choice((999, 1000, 1001, 32_768, 100_000))
        return ("word " * 20_001)[:length], f"{length} characters"
    if kind == 6:
        return "a" * rng.choice((30, 300, 999)), "one long word"
    if kind == 7:
        return " ".join(rng.choice(("a", "I", "the", "b")) for _ in range(rng.choice((100, 400)))), "many words"
    words = [list(word) for word in text.split()]
    for word in words:
        rng.shuffle(word)
    return " ".join("".join(word) for word in words), "shuffled letters"


_ANY = [code for code in range(0x30000) if unicodedata.category(chr(code)) not in ("Cs", "Cn")]


def bombs() -> list[tuple[str, bytes]]:
    """What is no recording, or one that is far larger than its file."""
    zeros = np.zeros(16_000 * 90, dtype=np.float32)
    page = b"<!doctype html><html><body>no sound</body></html>"
    found = [
        ("empty", b""),
        ("one byte", b"\x00"),
        ("page", page),
        ("PNG", b"\x89PNG\r\n\x1a\n" + bytes(100)),
        ("gzip bomb", gzip.compress(bytes(2 * 10**7))),
        ("zip bomb", _zipped()),
        ("zeros", bytes(10**6)),
        ("90 s of silence, flac", encoded(zeros, "flac")),
        ("90 s of silence, webm", encoded(zeros, "webm")),
        ("90 s of silence, mp3", encoded(zeros, "mp3")),
        ("nested boxes, mp4", _nested_boxes()),
        ("EBML of unknown size", b"\x1aE\xdf\xa3" + b"\x01" + b"\xff" * 7 + bytes(50)),
        ("ID3 of 256 MB", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(100)),
    ]
    for rate in (0, 1, 7_999, 384_000, 2**32 - 1):
        found.append((f"wav at {rate} Hz", _wav(rate, 1, 16)))
    for channels in (0, 2, 8, 1024, 65_535):
        found.append((f"wav of {channels} channels", _wav(16_000, channels, 16)))
    for bits in (0, 1, 8, 24, 32, 64, 255):
        found.append((f"wav of {bits} bits", _wav(16_000, 1, bits)))
    for value in (float("nan"), float("inf"), 1e38, 1e-45):
        found.append((f"wav of floats that are {value}", _floats(value)))
    found.append(("wav of 4 GB", _wav(16_000, 1, 16).replace(struct.pack("<I", 32_000), b"\xff" * 4)))
    return found


def _wav(rate: int, channels: int, bits: int) -> bytes:
    """A second of noise behind a header that may lie."""
    data = random.Random(0).randbytes(32_000)
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", 1, channels, rate, min(rate * block, 2**32 - 1), block & 0xFFFF, bits)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + head
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip


def _floats(value: float) -> bytes:
    """A wav file of 32-bit floats, some of which are odd."""
    with np.errstate(over="ignore"):
        samples = np.random.default_rng(0).normal(0, 0.1, 16_000).astype("<f4")
        samples[::7] = value
    data = samples.tobytes()
    head = struct.pack("<HHIIHH", 3, 1, 16_000, 64_000, 4, 32)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + head
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip


def _zipped() -> bytes:
    """A zip file of a very long recording of nothing."""
    sound, packed = io.BytesIO(), io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(2 * 16_000 * 600))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", sound.getvalue())
    return packed.getvalue()


def _nested_boxes() -> bytes:
    """An MP4 file whose boxes hold boxes, a thousand deep."""
    inner = b""
    for _ in range(1000):
        inner = struct.pack(">I", len(inner) + 8) + b"moov" + inner
    return struct.pack(">I", 24) + b"ftypisom\x00\x00\x02\x00isommp41" + inner
