"""Step 1/10 - files of every kind to samples at their own rate and channels.

libsndfile (soundfile) decodes what it knows, FFmpeg (PyAV) the rest; each is imported only when a recording needs it.
The decoder is chosen by the first bytes, never by a file name and never by probing, so that a playlist or a text
cannot make a demuxer open anything else.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from elocute.audio.checks import check_channels, check_length, check_rate, scaled
from elocute.errors import AudioError, LongAudioError, UnreadableAudioError
from elocute.types import Float32

_FORMATS = "wav, flac, mp3, ogg, webm or m4a"
_MAX_STREAM_BYTES = 256 * 2**20  # a minute of six-channel 96 kHz floats is 138 MB
_TRUNCATED_S = 0.1  # encoder padding may differ from the header by less than this
_STREAMED_BYTES = 2**31 - 2**16  # recorders that cannot seek back write a size near 2 or 4 GiB
_MAGIC = {
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"ID3": "mp3",
    b"\x1aE\xdf\xa3": "webm",
}
_DEMUXERS = {
    "wav": "wav",
    "flac": "flac",
    "ogg": "ogg",
    "mp3": "mp3",
    "webm": "matroska",
    "m4a": "mov",
    "aac": "aac",
}
_LIBSNDFILE = {"wav", "flac", "ogg", "mp3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """A recording being decoded: blocks of shape (n, channels), and the length its header promises, if it does."""

    name: str
    rate: int
    promised_s: float | None
    blocks: Iterator[Float32]


@contextmanager
def opened(source: object) -> Iterator[tuple[str, IO[bytes]]]:
    """A name for messages and a seekable binary file, closed after use if it was opened here."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield "recording", io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        name = f"recording {os.fspath(source)!r}"
        try:
            file = open(source, "rb")  # noqa: SIM115 - closed by the `with` below
        except FileNotFoundError:
            raise AudioError(f"{name} does not exist; check the path") from None
        except IsADirectoryError:
            raise AudioError(f"{name} is a directory; expected one audio file ({_FORMATS})") from None
        except (OSError, ValueError) as error:
            raise AudioError(f"{name} cannot be opened ({error}); check path and permissions") from error
        with file:
            yield name, file if file.seekable() else _buffered(name, file)
    elif hasattr(source, "read"):
        yield "recording", _buffered("recording", source)
    else:
        raise AudioError(
            f"recording is a {type(source).__name__}; expected a path, bytes, a binary file or a numpy array"
        )


def _buffered(name: str, file: Any) -> IO[bytes]:
    """The rest of a file that may not seek, in memory."""
    parts: list[bytes] = []
    size = 0
    while (part := file.read(2**20)) != b"":
        if not isinstance(part, bytes):
            raise AudioError(f"{name} reads as {type(part).__name__}, not bytes; open the file in mode 'rb'")
        parts.append(part)
        size += len(part)
        if size > _MAX_STREAM_BYTES:
            raise LongAudioError(
                f"{name} has more than {_MAX_STREAM_BYTES >> 20} MiB; a stream may hold at most that, so send a path "
                "or a shorter recording"
            )
    return io.BytesIO(b"".join(parts))


def decode_file(name: str, file: IO[bytes], max_duration_s: float) -> tuple[Float32, int]:
    """All samples, shape (N, channels), and their rate."""
    head = file.read(16)
    if not head:
        raise AudioError(f"{name} is empty (no bytes to read); record again, or seek(0) a file that was read before")
    kind = _kind(head)
    if kind is None:
        raise UnreadableAudioError(f"{name} is not audio that can be read (unknown first bytes); expected {_FORMATS}")
    if kind == "ogg":
        _check_ogg_pages(name, file)
    if kind in _LIBSNDFILE and (kind != "mp3" or _has_mp3_length(file)):
        import soundfile

        file.seek(0)
        # What libsndfile cannot open (speex in ogg, say) or count, FFmpeg may read. Zero frames or their maximum mean
        # that a recorder could not go back to complete its header; libsndfile then reads nothing or fails.
        with suppress(soundfile.LibsndfileError), soundfile.SoundFile(file) as sound:
            if 0 < sound.frames < 2**62 or (kind == "wav" and _wav_frames(file) > 0):
                return _collect(_soundfile_stream(name, kind, file, sound), max_duration_s)
    file.seek(0)
    return _decode_av(name, kind, file, max_duration_s)


def _kind(head: bytes) -> str | None:
    """Format named by the first bytes of a file."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[4:8] == b"ftyp":
        return "m4a"
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # MPEG frame; its layer bits are 0 in AAC
        if head[1] & 0x06 == 0:
            return "aac" if head[1] & 0xF0 == 0xF0 else None
        return "mp3" if head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C else None
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def _soundfile_stream(name: str, kind: str, file: IO[bytes], sound: Any) -> _Stream:
    """Decode with libsndfile."""
    import soundfile

    rate = check_rate(name, sound.samplerate)
    check_channels(name, sound.channels)
    frames = sound.frames
    if kind == "wav" and sound.subtype in {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"}:
        frames = max(frames, _wav_frames(file))  # libsndfile shortens its count to what is there

    def whole() -> Iterator[Float32]:
        # In one call: soundfile seeks after each read, which resets lossy decoders and spoils the next block.
        samples = np.full((sound.frames, sound.channels), np.nan, dtype=np.float32)
        try:
            yield sound.read(out=samples)
        except soundfile.LibsndfileError as error:
            decoded = int(np.isfinite(samples[:, 0]).sum())
            raise _cut(name, decoded / rate, frames / rate, error.error_string) from error

    return _Stream(name=name, rate=rate, promised_s=frames / rate, blocks=whole())


def _decode_av(name: str, kind: str, file: IO[bytes], max_duration_s: float) -> tuple[Float32, int]:
    """Decode with FFmpeg; the demuxer is named, so nothing is guessed."""
    import av
    import av.error

    try:
        container = av.open(file, mode="r", format=_DEMUXERS[kind], metadata_errors="ignore")
    except (av.error.FFmpegError, IndexError) as error:  # PyAV: IndexError for some headers that end early
        raise _unreadable(name, kind, getattr(error, "strerror", None) or "its header ends early") from error
    with container:
        if not container.streams.audio:
            raise UnreadableAudioError(f"{name} is a {kind} file without an audio track; record sound, too")
        track = container.streams.audio[0]
        promised_s = None
        if kind in {"m4a", "webm"}:  # elsewhere FFmpeg's length is a guess from the bit rate
            if track.duration is not None and track.time_base is not None:
                promised_s = float(track.duration * track.time_base)
            elif container.duration is not None and len(container.streams) == 1:
                promised_s = container.duration / av.time_base
        blocks = _av_blocks(name, container, track, promised_s)
        first = next(blocks, None)
        if first is None:
            if promised_s:
                raise _cut(name, 0.0, promised_s, "no frame decodes")
            raise AudioError(f"{name} holds no samples, only a {kind} header; record again")
        rate = check_rate(name, first[0])
        stream = _Stream(name=name, rate=rate, promised_s=promised_s, blocks=_uniform(name, first, blocks))
        return _collect(stream, max_duration_s)


def _uniform(name: str, first: tuple[int, Float32], rest: Iterator[tuple[int, Float32]]) -> Iterator[Float32]:
    """The samples of all frames, which must agree with the first in rate and channels."""
    rate, channels = first[0], first[1].shape[1]
    yield first[1]
    for block_rate, block in rest:
        if (block_rate, block.shape[1]) != (rate, channels):
            raise AudioError(
                f"{name} changes from {rate} Hz, {channels} channels to {block_rate} Hz, {block.shape[1]} channels "
                "midway; expected one format throughout, so convert it to wav"
            )
        yield block


def _av_blocks(name: str, container: Any, track: Any, promised_s: float | None) -> Iterator[tuple[int, Float32]]:
    """Rate and samples of each decoded frame."""
    import av
    import av.error

    done_s = 0.0
    frames = container.decode(track)
    while True:
        try:
            frame = next(frames, None)
        except (av.error.FFmpegError, IndexError) as error:
            raise _cut(name, done_s, promised_s, getattr(error, "strerror", None) or "a frame ends early") from error
        if frame is None:
            return
        try:
            samples = frame.to_ndarray()
        except ValueError as error:  # numpy has, or PyAV knows, no such type
            raise UnreadableAudioError(
                f"{name} holds samples of the type {frame.format.name!r}, which cannot be read; expected 8 to 32 bits, "
                "or floats, so convert it"
            ) from error
        if not frame.format.is_planar:
            samples = samples.reshape(-1, frame.layout.nb_channels).T
        done_s += frame.samples / frame.sample_rate
        yield frame.sample_rate, scaled(samples.T)


def _collect(stream: _Stream, max_duration_s: float) -> tuple[Float32, int]:
    """Join the blocks of a stream, refusing what is too long as soon as that is known."""
    if stream.promised_s is not None and stream.promised_s > max_duration_s:
        check_length(stream.name, stream.promised_s, max_duration_s)
    parts: list[Float32] = []
    got = 0
    for block in stream.blocks:
        parts.append(block)
        got += len(block)
        if got > max_duration_s * stream.rate:
            raise LongAudioError(
                f"{stream.name} lasts more than {max_duration_s:g} s, the most that is accepted; split it (or, "
                "in Python, give load_audio a higher max_duration_s)"
            )
    got_s = got / stream.rate
    if stream.promised_s is not None and stream.promised_s - got_s > _TRUNCATED_S:
        raise _cut(stream.name, got_s, stream.promised_s, "the data end early")
    check_length(stream.name, got_s, max_duration_s)
    return np.concatenate(parts), stream.rate


def _cut(name: str, got_s: float, promised_s: float | None, reason: str) -> AudioError:
    """The error for a recording that stops early."""
    promise = "" if promised_s is None else f" of the {promised_s:.2f} s that its header promises"
    return AudioError(
        f"{name} is truncated or damaged: it decodes up to {got_s:.2f} s{promise} ({reason.rstrip('.')}); send it "
        "again, complete"
    )


def _unreadable(name: str, kind: str, reason: str) -> UnreadableAudioError:
    """The error for a recording that cannot even be opened."""
    return UnreadableAudioError(
        f"{name} starts like {kind} but cannot be read ({reason}): it is truncated, damaged or holds an unknown "
        f"codec; send it again, complete, as {_FORMATS}"
    )


def _wav_frames(file: IO[bytes]) -> int:
    """Frames that the header of a wav file promises, 0 where it does not say; the file's position is kept."""
    position = file.tell()
    try:
        file.seek(12)
        bytes_per_frame = 0
        while len(header := file.read(8)) == 8:
            chunk, size = struct.unpack("<4sI", header)
            if chunk == b"data":
                return size // bytes_per_frame if bytes_per_frame and size < _STREAMED_BYTES else 0
            body = file.tell()
            if chunk == b"fmt ":
                (bytes_per_frame,) = struct.unpack("<12xH", file.read(14))
            file.seek(body + size + size % 2)
        return 0
    finally:
        file.seek(position)


def _has_mp3_length(file: IO[bytes]) -> bool:
    """Whether an mp3 says how long it is; libsndfile guesses it otherwise and drops what lies beyond its guess."""
    file.seek(0)
    tag = file.read(10)
    file.seek(0)
    if tag[:3] == b"ID3" and len(tag) == 10:  # its size has 7 bits per byte
        file.seek(10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True)))
    frame = file.read(200)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))


def _check_ogg_pages(name: str, file: IO[bytes]) -> None:
    """Refuse an Ogg file that ends inside a page: its decoders would give what they like, up to nothing."""
    size = file.seek(0, os.SEEK_END)
    start = 0
    while start < size:
        file.seek(start)
        header = file.read(27)
        if not header.startswith(b"OggS"[: len(header)]):
            return  # not a page: for the decoder to judge
        lengths = file.read(header[26]) if len(header) == 27 else b""
        complete = len(header) == 27 and len(lengths) == header[26]
        end = start + 27 + len(lengths) + sum(lengths)
        if not complete or end > size:
            promised = f"{end - start}" if complete else "at least 27"
            raise AudioError(
                f"{name} is truncated: its last Ogg page promises {promised} bytes, {size - start} are there; send it "
                "again, complete"
            )
        start = end
