"""Step 1: every format, rate and channel count against signals known in closed form, and every refusal."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from elocute.audio import audio_from_array, load_audio, stretch_of
from elocute.errors import AudioError, ConfigError, UnreadableAudioError
from elocute.types import SAMPLE_RATE_HZ

DURATION_S = 1.5
DATA = Path(__file__).parents[2] / "shared" / "data"


def voice(rate: int, duration_s: float = DURATION_S) -> np.ndarray:
    """A gliding voice with syllables, below 2 kHz so that it is the same at every rate from 8 kHz; shape (N,)."""
    t = np.arange(round(rate * duration_s)) / rate
    phase = 2 * np.pi * (110 * t + 25 * t**2)
    tone = sum(np.sin(k * phase + k * k) / k for k in range(1, 9))
    syllables = np.sin(np.pi * (2.7 * t + 0.4 * t**2)) ** 2
    return 0.2 * tone * syllables


def planted(rate: int, channels: int = 1) -> np.ndarray:
    """`voice` in several channels of unequal level whose mean is `voice`; shape (N, channels)."""
    gains = np.linspace(0.8, 1.2, channels) if channels > 1 else np.ones(1)
    return voice(rate)[:, None] * gains


def encode(fmt: str, subtype: str, rate: int, channels: int = 1, samples: np.ndarray | None = None) -> bytes:
    buffer = io.BytesIO()
    data = planted(rate, channels) if samples is None else samples
    soundfile.write(buffer, data, rate, format=fmt, subtype=subtype)
    return buffer.getvalue()


class Pipe(io.RawIOBase):
    """A sink that cannot seek, as a browser's recorder."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data) -> int:
        self.data += bytes(data)
        return len(data)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def encode_av(
    container: str, codec: str, rate: int, channels: int = 1, *, seekable: bool = True, options: dict | None = None
) -> bytes:
    sink = io.BytesIO() if seekable else Pipe()
    with av.open(sink, "w", format=container, options=options or {}) as out:
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
        stream = out.add_stream(codec, rate=rate)
        stream.layout = layout
        samples = np.ascontiguousarray(planted(rate, channels).T, dtype=np.float32)
        if codec == "libopus":
            frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), format="flt", layout=layout)
        else:
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate = rate
        frame.pts, frame.time_base = 0, Fraction(1, rate)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return sink.getvalue() if isinstance(sink, io.BytesIO) else bytes(sink.data)


def lag_and_correlation(heard: np.ndarray) -> tuple[int, float]:
    """Samples by which `heard` comes late, and its correlation with the planted voice there."""
    truth = voice(SAMPLE_RATE_HZ)
    size = len(heard) + len(truth)
    cross = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(truth, size)), size)
    lag = int(np.argmax(cross))
    lag = lag - size if lag > size // 2 else lag
    a = heard[max(lag, 0) :]
    b = truth[max(-lag, 0) :]
    n = min(len(a), len(b))
    return lag, float(np.corrcoef(a[:n], b[:n])[0, 1])


def assert_planted(data, *, correlation: float, max_lag: int, gain: float = 0.02, length_s: float = 0.0) -> None:
    audio = load_audio(data)
    assert audio.samples.dtype == np.float32
    assert audio.samples.ndim == 1
    assert abs(len(audio.samples) - DURATION_S * SAMPLE_RATE_HZ) <= 1 + length_s * SAMPLE_RATE_HZ
    lag, r = lag_and_correlation(audio.samples)
    assert abs(lag) <= max_lag
    assert r > correlation
    truth = voice(SAMPLE_RATE_HZ)
    level = np.sqrt(np.sum(audio.samples**2) / np.sum(truth**2))
    assert level == pytest.approx(1, abs=gain)


# --- formats -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000])
@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-31), ("FLOAT", 0), ("DOUBLE", 0)],
)
def test_wav_equals_the_planted_voice_at_every_rate_and_depth(rate, subtype, step):
    audio = load_audio(encode("WAV", subtype, rate))
    truth = voice(SAMPLE_RATE_HZ)
    assert abs(len(audio.samples) - len(truth)) <= 1
    inner = slice(400, len(truth) - 400)  # the voice stops abruptly; a resampler rings there
    error = np.abs(audio.samples[inner] - truth[inner]).max()
    assert error < 2e-4 + 2 * step
    assert audio.quality.source_rate_hz == rate
    assert audio.quality.source_channels == 1


@pytest.mark.parametrize("channels", range(1, 7))
@pytest.mark.parametrize(("fmt", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS")])
def test_channels_are_averaged(fmt, subtype, channels):
    data = encode(fmt, subtype, 44100, channels)
    loss = 0.06 if channels == 6 and subtype == "VORBIS" else 0  # its sixth channel carries bass only
    assert_planted(data, correlation=0.999 - loss, max_lag=1, gain=0.02 + loss)
    assert load_audio(data).quality.source_channels == channels


@pytest.mark.parametrize(
    ("fmt", "subtype", "rate"),
    [("FLAC", "PCM_16", r) for r in (8000, 16000, 48000, 96000)]
    + [("OGG", "VORBIS", r) for r in (8000, 16000, 44100, 48000)]
    + [("OGG", "OPUS", r) for r in (8000, 12000, 16000, 24000, 48000)]
    + [("MP3", "MPEG_LAYER_III", r) for r in (8000, 16000, 22050, 44100, 48000)],
)
def test_formats_of_libsndfile_keep_wave_level_and_time(fmt, subtype, rate):
    assert_planted(encode(fmt, subtype, rate), correlation=0.995, max_lag=2)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 1), (48000, 1), (48000, 2)])
@pytest.mark.parametrize("seekable", [True, False])
def test_webm_opus_with_and_without_a_duration(rate, channels, seekable):
    data = encode_av("webm", "libopus", rate, channels, seekable=seekable)
    assert_planted(data, correlation=0.995, max_lag=2, length_s=0.02)


@pytest.mark.parametrize(
    ("rate", "channels"), [(8000, 1), (16000, 1), (22050, 1), (44100, 2), (48000, 1), (48000, 6), (96000, 1)]
)
@pytest.mark.parametrize("container", ["ipod", "mp4"])
def test_m4a(container, rate, channels):
    data = encode_av(container, "aac", rate, channels)
    assert_planted(data, correlation=0.99, max_lag=2, length_s=1024 / rate, gain=0.05)


def test_aac_in_fragments_and_bare():
    fragmented = encode_av("mp4", "aac", 48000, options={"movflags": "frag_keyframe+empty_moov"})
    for data in (fragmented, encode_av("adts", "aac", 48000)):
        assert_planted(data, correlation=0.99, max_lag=2 * SAMPLE_RATE_HZ // 46, length_s=0.07)


def test_a_long_mp3_is_decoded_in_one_piece():
    """Reading lossy files block by block resets the decoder at each block, which only long files show."""
    rate = 48000
    samples = voice(rate, 12.0)
    audio = load_audio(encode("MP3", "MPEG_LAYER_III", rate, samples=samples))
    truth = voice(SAMPLE_RATE_HZ, 12.0)
    for start in range(0, len(truth), 8000):
        piece = slice(start, start + 8000)
        assert np.corrcoef(audio.samples[piece], truth[piece])[0, 1] > 0.99


def test_mp3_without_a_length_tag_is_read_to_its_end():
    data = encode("MP3", "MPEG_LAYER_III", 48000)
    second = data.index(b"\xff\xfb", 4)
    assert b"Xing" in data[:second]
    assert_planted(data[second:], correlation=0.99, max_lag=SAMPLE_RATE_HZ // 10, length_s=0.1, gain=0.05)


def test_mp3_behind_an_id3_tag():
    picture = b"\0" * 5000
    size = bytes((len(picture) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    data = b"ID3\x04\0\0" + size + picture + encode("MP3", "MPEG_LAYER_III", 44100)
    assert_planted(data, correlation=0.995, max_lag=2)


def test_flac_without_a_length():
    data = bytearray(encode("FLAC", "PCM_16", 48000))
    data[21] &= 0xF0
    data[22:26] = b"\0\0\0\0"
    assert_planted(bytes(data), correlation=0.9999, max_lag=0)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_wav_whose_recorder_could_not_seek_back(size):
    data = encode("WAV", "PCM_16", 16000)
    at = data.index(b"data") + 4
    streamed = data[:4] + struct.pack("<I", size) + data[8:at] + struct.pack("<I", size) + data[at + 4 :]
    assert np.array_equal(load_audio(streamed).samples, load_audio(data).samples)


def test_wav_with_chunks_around_its_samples():
    data = encode("WAV", "PCM_16", 16000)
    at = data.index(b"data")
    odd = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    body = data[8:at] + odd + data[at:] + odd
    noisy = b"RIFF" + struct.pack("<I", len(body)) + body
    assert np.array_equal(load_audio(noisy).samples, load_audio(data).samples)


# --- sources -------------------------------------------------------------------------------------------------


class OneWay(io.RawIOBase):
    """Bytes that can be read once, forward, in small pieces."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        taken, self.rest = self.rest[: min(size, 1000)], self.rest[min(size, 1000) :]
        return taken


@pytest.mark.parametrize("make", [lambda: encode("WAV", "PCM_16", 44100, 2), lambda: encode_av("ipod", "aac", 44100)])
def test_path_bytes_files_and_pipes_agree(tmp_path, make):
    data = make()
    path = tmp_path / "recording"  # no suffix: content alone decides
    path.write_bytes(data)
    reference = load_audio(data)
    ahead = io.BytesIO(b"header" + data)
    ahead.seek(6)
    with path.open("rb") as file:
        sources = [path, str(path), bytearray(data), memoryview(data), io.BytesIO(data), ahead, OneWay(data), file]
        for source in sources:
            audio = load_audio(source)
            assert np.array_equal(audio.samples, reference.samples)
            assert audio.quality == reference.quality
        assert not file.closed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_read(tmp_path):
    data = encode("FLAC", "PCM_16", 16000)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = subprocess.Popen(
        [sys.executable, "-c", "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())", str(path)],
        stdin=subprocess.PIPE,
    )
    assert writer.stdin is not None
    writer.stdin.write(data)
    writer.stdin.close()
    audio = load_audio(path)
    assert writer.wait(timeout=20) == 0
    assert np.array_equal(audio.samples, load_audio(data).samples)


@pytest.mark.parametrize("channels", [1, 3])
def test_array_equals_wav(channels):
    samples = np.round(planted(44100, channels) * 32768).astype(np.int16)
    from_file = load_audio(encode("WAV", "PCM_16", 44100, samples=samples))
    from_array = load_audio(samples, sample_rate=44100)
    assert np.array_equal(from_array.samples, from_file.samples)
    assert from_array.quality == from_file.quality
    assert np.array_equal(audio_from_array(samples, 44100).samples, from_file.samples)


@pytest.mark.parametrize("dtype", ["int8", "int16", ">i2", "int32", "int64", "uint8", "uint16", "uint32"])
def test_integers_equal_floats(dtype):
    bits = 8 * np.dtype(dtype).itemsize
    floats = np.round(voice(16000) * 127) / 128
    integers = np.round(floats * 2.0 ** (bits - 1))
    if np.dtype(dtype).kind == "u":
        integers += 2.0 ** (bits - 1)
    audio = load_audio(integers.astype(dtype), sample_rate=16000)
    np.testing.assert_allclose(audio.samples, floats, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_floats_of_any_width(dtype):
    audio = load_audio(voice(16000).astype(dtype), sample_rate=16000)
    np.testing.assert_allclose(audio.samples, voice(16000), atol=3e-4)


def test_the_callers_array_is_neither_changed_nor_kept():
    samples = voice(16000).astype(np.float32)
    before = samples.copy()
    audio = load_audio(samples, sample_rate=16000)
    assert not np.shares_memory(audio.samples, samples)
    audio.samples[:] = 0
    assert np.array_equal(samples, before)


@settings(deadline=None, max_examples=60)
@given(
    length=st.integers(3_000, 40_000),
    rate=st.sampled_from([8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000]),
    channels=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_sample_count_and_mix_of_any_array(length, rate, channels, seed):
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, (length, channels)).astype(np.float32)
    audio = audio_from_array(samples, rate)
    assert abs(len(audio.samples) - round(length * SAMPLE_RATE_HZ / rate)) <= 1
    assert np.isfinite(audio.samples).all()
    assert audio.quality.duration_s == audio.duration_s
    assert (audio.quality.source_rate_hz, audio.quality.source_channels) == (rate, channels)
    mixed = audio_from_array(samples.astype(np.float64).mean(axis=1), rate)
    np.testing.assert_allclose(audio.samples, mixed.samples, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(
    level_db=st.floats(-110, -10),
    offset=st.floats(-0.5, 0.5),
    rate=st.sampled_from([16000, 44100]),
    seed=st.integers(0),
)
def test_silence_is_decided_by_level_without_offset(level_db, offset, rate, seed):
    noise = np.random.default_rng(seed).standard_normal(rate // 2)
    noise -= noise.mean()
    samples = 10 ** (level_db / 20) * noise / noise.std() + offset
    if level_db < -72:
        with pytest.raises(AudioError, match="is silent"):
            audio_from_array(samples, rate)
    elif level_db > -65:  # a resampler takes what lies above 8 kHz, 4 dB of this noise
        assert audio_from_array(samples, rate).quality.peak > 0


# --- refusals ------------------------------------------------------------------------------------------------


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(AudioError, match=r"nothing\.wav' does not exist"):
        load_audio(tmp_path / "nothing.wav")
    with pytest.raises(AudioError, match="is a directory"):
        load_audio(tmp_path)
    with pytest.raises(AudioError, match="cannot be opened"):
        load_audio("null\0byte.wav")


def test_empty_of_every_kind(tmp_path):
    path = tmp_path / "empty.wav"
    path.touch()
    for source in (path, b"", io.BytesIO()):
        with pytest.raises(AudioError, match="is empty"):
            load_audio(source)
    finished = io.BytesIO(encode("WAV", "PCM_16", 16000))
    finished.read()
    with pytest.raises(AudioError, match=r"seek\(0\)"):
        load_audio(finished)
    for shape in ((0,), (0, 2), (100, 0)):
        with pytest.raises(AudioError, match="is empty"):
            load_audio(np.zeros(shape), sample_rate=16000)
    header = bytearray(encode("WAV", "PCM_16", 16000)[:44])
    header[40:44] = bytes(4)
    with pytest.raises(AudioError, match="holds no samples"):
        load_audio(bytes(header))


@pytest.mark.parametrize(
    "data",
    [
        b"hello, this is a text and not a recording at all",
        b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n",
        b"ffconcat version 1.0\nfile other.wav\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\xff\xfe" + "text with a byte order mark".encode("utf-16-le"),
        b"RIFF",
        b"x",
        bytes(1000),
    ],
)
def test_not_audio(data):
    with pytest.raises(AudioError, match=r"is not audio|cannot be read"):
        load_audio(data)


@settings(deadline=None, max_examples=150)
@given(
    head=st.sampled_from(
        [
            b"RIFF\0\0\0\0WAVE",
            b"fLaC",
            b"OggS",
            b"ID3",
            b"\x1aE\xdf\xa3",
            b"\0\0\0\x20ftypM4A ",
            b"\xff\xf1",
            b"\xff\xfb",
        ]
    ),
    tail=st.binary(max_size=300),
)
def test_garbage_behind_a_good_start_is_an_audio_error(head, tail):
    with pytest.raises(AudioError):
        load_audio(head + tail)


def recordings() -> dict[str, bytes]:
    return {
        "wav": encode("WAV", "PCM_16", 16000),
        "wav float": encode("WAV", "FLOAT", 48000, 2),
        "flac": encode("FLAC", "PCM_16", 16000),
        "mp3": encode("MP3", "MPEG_LAYER_III", 44100),
        "m4a": encode_av("ipod", "aac", 44100),
        "m4a fragments": encode_av("mp4", "aac", 48000, options={"movflags": "frag_keyframe+empty_moov"}),
        "webm": encode_av("webm", "libopus", 48000),
        "vorbis": encode("OGG", "VORBIS", 44100),
        "opus": encode("OGG", "OPUS", 16000),
        "aac": encode_av("adts", "aac", 44100),
    }


@pytest.fixture(scope="module", name="recordings")
def recordings_fixture() -> dict[str, bytes]:
    return recordings()


@pytest.mark.parametrize("cut", [0.3, 0.55, 0.8])
@pytest.mark.parametrize("kind", ["wav", "wav float", "flac", "mp3", "m4a fragments", "webm"])
def test_truncated_names_what_is_there_and_what_was_promised(recordings, kind, cut):
    data = recordings[kind]
    with pytest.raises(AudioError, match=r"truncated or damaged: it decodes up to [01]\.\d\d s of the 1\.5\d s"):
        load_audio(data[: int(len(data) * cut)])


@pytest.mark.parametrize("cut", [0.3, 0.55, 0.8])
@pytest.mark.parametrize("kind", ["m4a", "vorbis", "opus", "aac"])
def test_truncated_without_a_promised_length(recordings, kind, cut):
    data = recordings[kind]
    with pytest.raises(AudioError, match="truncated"):
        load_audio(data[: int(len(data) * cut)])


@pytest.mark.parametrize("kind", ["wav", "wav float", "flac", "mp3", "m4a", "m4a fragments", "webm", "vorbis", "opus"])
def test_any_cut_is_refused_or_keeps_nearly_all(recordings, kind):
    """Bare aac is not here: cut between two of its frames, it is a shorter but complete file."""
    whole = recordings[kind]
    refused = 0
    for cut in [*range(0, len(whole), len(whole) // 53), *range(len(whole) - 40, len(whole))]:
        try:
            audio = load_audio(whole[:cut])
        except AudioError:
            refused += 1
        else:
            assert audio.duration_s > DURATION_S - 0.13
    assert refused >= 45


def test_a_browsers_webm_is_used_up_to_its_cut():
    data = encode_av("webm", "libopus", 48000, seekable=False)
    audio = load_audio(data[: int(len(data) * 0.6)])
    assert 0.6 < audio.duration_s < 1.2
    assert np.corrcoef(audio.samples, voice(SAMPLE_RATE_HZ)[: len(audio.samples)])[0, 1] > 0.99


def test_video_without_sound():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(3):
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    with pytest.raises(AudioError, match="without an audio track"):
        load_audio(buffer.getvalue())


def test_silence_of_every_kind():
    for samples in (np.zeros(16000), np.full(16000, 0.3), 1e-5 * voice(16000), np.zeros((16000, 2))):
        with pytest.raises(AudioError, match=r"is silent: its loudest 25 ms below 8 kHz have -\d+ dB"):
            load_audio(samples, sample_rate=16000)
    ultrasound = 0.3 * np.sin(2 * np.pi * 20000 * np.arange(48000) / 48000)
    with pytest.raises(AudioError, match="is silent"):
        load_audio(ultrasound * np.hanning(48000), sample_rate=48000)
    with pytest.raises(AudioError, match="is silent"):
        load_audio(encode("WAV", "PCM_16", 16000, samples=np.zeros(16000)))
    with pytest.raises(AudioError, match=r"is silent.*int64 is scaled by 2\*\*63.*astype\(np.int16\)"):
        load_audio((voice(16000) * 32767).astype(np.int64), sample_rate=16000)


def test_channels_that_cancel():
    wave = voice(16000)
    with pytest.raises(AudioError, match="cancel each other"):
        load_audio(np.stack([wave, -wave], axis=1), sample_rate=16000)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad):
    samples = voice(16000)
    samples[[123, 456]] = bad
    for source, rate in ((samples, 16000), (encode("WAV", "FLOAT", 16000, samples=samples), None)):
        with pytest.raises(AudioError, match="2 NaN or infinite samples, the first at index 123"):
            load_audio(source, sample_rate=rate)


def test_integers_kept_as_floats():
    with pytest.raises(AudioError, match="divide by 32768"):
        load_audio(voice(16000) * 32768, sample_rate=16000)
    with pytest.raises(AudioError, match="holds floats up to"):
        load_audio(voice(16000) * 1e200, sample_rate=16000)


def test_length_limits(tmp_path):
    with pytest.raises(AudioError, match=r"lasts 0\.049 s; expected at least 0\.05 s"):
        load_audio(voice(16000)[4000:4780], sample_rate=16000)
    assert len(load_audio(voice(16000)[4000:4800], sample_rate=16000).samples) == 800
    with pytest.raises(AudioError, match=r"lasts 61\.0 s; expected at most 60 s"):
        load_audio(np.ones(61 * 16000, np.float32), sample_rate=16000)
    samples = voice(16000)
    assert load_audio(samples, sample_rate=16000, max_duration_s=DURATION_S).duration_s == DURATION_S
    for limit in (0, -1, float("nan")):
        with pytest.raises(ConfigError, match="max_duration_s"):
            load_audio(samples, sample_rate=16000, max_duration_s=limit)
        with pytest.raises(ConfigError, match="max_duration_s"):
            audio_from_array(samples, 16000, max_duration_s=limit)


@pytest.mark.parametrize("sample_rate", [None, 16000])
@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_of_samples_are_pointed_to_arrays(kind, sample_rate):
    with pytest.raises(AudioError, match=f"recording is a {kind.__name__}; .*wrap samples in np.asarray"):
        load_audio(kind([0.0, 0.1] * 8000), sample_rate=sample_rate)


def test_a_long_header_is_refused_before_decoding(tmp_path, monkeypatch):
    path = tmp_path / "hours.wav"
    size = 2 * 3600 * 16000 * 2
    with path.open("wb") as file:  # sparse: two hours of nothing
        file.write(b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"data" + struct.pack("<I", size))
        file.truncate(size + 44)
    flac = bytearray(encode("FLAC", "PCM_16", 16000))
    flac[22:26] = struct.pack(">I", 3600 * 16000)

    def refuse(*_args, **_kwargs):
        raise AssertionError("decoded")

    monkeypatch.setattr(soundfile.SoundFile, "read", refuse)
    with pytest.raises(AudioError, match=r"lasts 7200\.0 s; expected at most 60 s"):
        load_audio(path)
    with pytest.raises(AudioError, match=r"lasts 3600\.0 s"):
        load_audio(bytes(flac))
    with pytest.raises(AudioError, match=r"lasts 1\.5 s; expected at most 1 s"):
        load_audio(encode_av("ipod", "aac", 48000), max_duration_s=1)


def test_a_long_recording_without_a_length_stops_at_the_limit():
    with pytest.raises(AudioError, match="lasts more than 1 s"):
        load_audio(encode_av("webm", "libopus", 48000, seekable=False), max_duration_s=1)


@pytest.mark.parametrize("rate", [0, -16000, 3999, 1_000_000, float("nan"), float("inf"), 16000.5, "16000", True])
def test_bad_rates(rate):
    with pytest.raises(AudioError, match="sample rate of"):
        load_audio(voice(16000), sample_rate=rate)


def test_rate_where_it_belongs():
    with pytest.raises(AudioError, match="pass sample_rate"):
        load_audio(voice(16000))
    with pytest.raises(AudioError, match="carries its own rate"):
        load_audio(encode("WAV", "PCM_16", 16000), sample_rate=16000)
    assert load_audio(voice(16000), sample_rate=np.int64(16000)).quality.source_rate_hz == 16000
    broken = bytearray(encode("WAV", "PCM_16", 16000))
    broken[24:28] = struct.pack("<I", 1)
    with pytest.raises(AudioError, match="sample rate of 1 Hz"):
        load_audio(bytes(broken))


@pytest.mark.parametrize("dtype", [bool, complex, object, "U8", "datetime64[s]"])
def test_bad_dtypes(dtype):
    with pytest.raises(AudioError, match="has dtype .*; expected floats or integers"):
        load_audio(np.zeros(16000, dtype=dtype), sample_rate=16000)


def test_bad_shapes():
    with pytest.raises(AudioError, match=r"shape \(1, 16000, 1\)"):
        load_audio(np.ones((1, 16000, 1)), sample_rate=16000)
    with pytest.raises(AudioError, match=r"shape \(\)"):
        load_audio(np.array(1.0), sample_rate=16000)
    with pytest.raises(AudioError, match="would have 16000 channels.*transpose"):
        load_audio(np.ones((2, 16000)), sample_rate=16000)
    with pytest.raises(AudioError, match="33 channels; expected at most 32"):
        load_audio(encode("WAV", "PCM_16", 16000, samples=np.ones((2000, 33))))


def test_things_that_are_no_source():
    for source in (None, 7, [0.1, 0.2]):
        with pytest.raises(AudioError, match="expected a path, bytes, a binary file or a numpy array"):
            load_audio(source)
    for text in ("text", ""):
        with pytest.raises(AudioError, match="mode 'rb'"):
            load_audio(io.StringIO(text))


def test_a_file_that_never_ends(monkeypatch):
    monkeypatch.setattr("elocute.audio.decode._MAX_STREAM_BYTES", 2**20)

    class Endless(OneWay):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    with pytest.raises(AudioError, match="more than 1 MiB"):
        load_audio(Endless(b""))


def test_a_format_that_changes_midway():
    with pytest.raises(AudioError, match="changes from 48000 Hz, 1 channels to 16000 Hz, 1 channels midway"):
        load_audio(encode_av("adts", "aac", 48000) + encode_av("adts", "aac", 16000))


def test_two_recordings_joined_are_one():
    once = encode_av("adts", "aac", 48000)
    assert load_audio(once + once).duration_s == pytest.approx(2 * load_audio(once).duration_s, abs=0.05)


# --- quality -------------------------------------------------------------------------------------------------


def test_level():
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 32000)
    quality = load_audio(sine, sample_rate=32000).quality
    assert quality.peak == pytest.approx(0.5, abs=0.005)
    assert quality.rms_db == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)


def test_clipping_is_the_share_of_flat_tops_at_full_scale():
    t = np.arange(48000) / 48000
    loud = 2 * np.sin(2 * np.pi * 200 * t)
    truth = np.mean(np.abs(loud) >= 1)
    clipped = np.clip(loud, -1, 1)
    as_int = np.clip(np.round(loud * 32768), -32768, 32767).astype(np.int16)
    as_byte = np.clip(np.round(loud * 128) + 128, 0, 255).astype(np.uint8)
    for samples in (clipped, as_int, as_byte, np.stack([clipped, clipped], axis=1)):
        assert load_audio(samples, sample_rate=48000).quality.clipped == pytest.approx(truth, abs=0.01)
    half = np.stack([clipped, clipped / 4], axis=1)
    assert load_audio(half, sample_rate=48000).quality.clipped == pytest.approx(truth / 2, abs=0.01)


def test_loud_but_clean_is_not_clipped():
    t = np.arange(16000) / 16000
    for wave in (np.sin(2 * np.pi * 300 * t), np.clip(3 * np.sin(2 * np.pi * 300 * t), -0.8, 0.8), voice(16000)):
        assert load_audio(wave, sample_rate=16000).quality.clipped == 0


def test_clipping_shows_through_lossy_coding():
    clipped = np.clip(8 * voice(48000), -1, 1)
    truth = load_audio(clipped, sample_rate=48000).quality.clipped
    assert truth > 0.15
    heard = load_audio(encode("MP3", "MPEG_LAYER_III", 48000, samples=clipped)).quality.clipped
    assert truth / 4 < heard < 1.5 * truth


@pytest.mark.parametrize("snr_db", [8, 15, 25, 35])
def test_planted_speech_and_noise_are_found(snr_db):
    rng = np.random.default_rng(snr_db)
    noise = 0.002 * rng.standard_normal(3 * 16000)
    speech = np.zeros_like(noise)
    burst = rng.standard_normal(16000)
    speech[16000:32000] = 0.002 * 10 ** (snr_db / 20) * burst
    quality = load_audio(speech + noise, sample_rate=16000).quality
    assert quality.snr_db == pytest.approx(snr_db, abs=1)
    assert quality.speech_s == pytest.approx(1.0, abs=0.06)


def test_digital_silence_is_no_noise_floor():
    rng = np.random.default_rng(0)
    noisy = 0.002 * rng.standard_normal(32000)
    noisy[8000:16000] += 0.1 * rng.standard_normal(8000)
    gated = np.concatenate([np.zeros(16000), noisy, np.zeros(16000)])
    plain, padded = (load_audio(x, sample_rate=16000).quality for x in (noisy, gated))
    assert padded.snr_db == pytest.approx(plain.snr_db, abs=0.5)
    assert padded.speech_s == pytest.approx(plain.speech_s, abs=0.03)


def test_steady_sound_has_no_snr():
    t = np.arange(32000) / 16000
    for steady in (0.1 * np.random.default_rng(1).standard_normal(32000), np.sin(2 * np.pi * 200 * t) / 2):
        quality = load_audio(steady, sample_rate=16000).quality
        assert quality.snr_db is None
        assert quality.speech_s == 0


# --- cost and privacy ----------------------------------------------------------------------------------------


def test_wav_and_opus_need_no_heavy_import(tmp_path):
    (tmp_path / "a.wav").write_bytes(encode("WAV", "PCM_16", 16000))
    (tmp_path / "a.opus").write_bytes(encode("OGG", "OPUS", 16000))
    code = (
        "import sys\nfrom elocute.audio import load_audio\n"
        "assert not {'av', 'soundfile', 'soxr'} & set(sys.modules)\n"
        "for path in sys.argv[1:]: load_audio(path)\n"
        "assert 'soundfile' in sys.modules and not {'av', 'soxr'} & set(sys.modules)\n"
    )
    paths = [str(tmp_path / "a.wav"), str(tmp_path / "a.opus")]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.opus", "a.wav"]


# --- real recordings -----------------------------------------------------------------------------------------


def real_files() -> list[Path]:
    patterns = ("speechocean762/WAVE/SPEAKER000[1-8]/*1.opus", "native/*/**/*.opus", "noise/*-1-*.opus")
    found = [sorted(DATA.glob(pattern)) for pattern in patterns]
    return [path for files in found for path in files[:: max(1, len(files) // 6)][:6]]


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the corpora are not beside the checkout")
def test_real_recordings():
    files = real_files()
    assert len(files) >= 12
    for path in files:
        audio = load_audio(path)
        info = soundfile.info(path)
        assert abs(len(audio.samples) - round(info.frames * SAMPLE_RATE_HZ / info.samplerate)) <= 1
        with av.open(str(path)) as container:
            resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
            frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
            frames += resampler.resample(None)
        other = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
        n = min(len(other), len(audio.samples))
        assert n > 0.99 * len(audio.samples)
        # An independent decoder agrees, within a lag of a sample and its own resampling filter.
        assert max(np.corrcoef(audio.samples[3 : n - 3], other[3 + d : n - 3 + d])[0, 1] for d in (-1, 0, 1)) > 0.98
        assert audio.quality.clipped < 0.05
        if "noise" not in path.parts:
            assert audio.quality.snr_db is not None
            assert audio.quality.snr_db > 5
            assert 0.2 * audio.duration_s < audio.quality.speech_s <= audio.duration_s


def test_a_stretch_of_a_recording_may_be_silent_but_not_nothing() -> None:
    tone = (8000 * np.sin(np.arange(4800) / 10)).astype(np.int16)
    for samples, rate in ((np.zeros(1600, np.int16), 16_000), (tone, 48_000), (np.stack([tone, tone], 1), 16_000)):
        stretch = stretch_of(samples, rate)
        assert stretch.duration_s == pytest.approx(len(samples) / rate, abs=1e-4)
        assert stretch.quality.rms_db >= -120
    np.testing.assert_array_equal(stretch_of(tone, 16_000).samples, audio_from_array(tone, 16_000).samples)
    for samples in (np.zeros(0, np.int16), np.zeros(700, np.int16)):
        with pytest.raises(AudioError, match="stretch of a recording"):
            stretch_of(samples, 16_000)


def test_integers_of_64_bits_are_refused():
    samples = np.random.default_rng(0).integers(-(2**62), 2**62, 8_000, dtype="<i8").tobytes()
    head = struct.pack("<HHIIHH", 1, 1, 16_000, 128_000, 8, 64)
    wav = b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<I", 16) + head
    with pytest.raises(UnreadableAudioError, match="samples of the type 's64', which cannot be read"):
        load_audio(wav + b"data" + struct.pack("<I", len(samples)) + samples)
