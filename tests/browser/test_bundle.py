"""What a page loads of the package, alone: the same reports, and none of the libraries that have no WebAssembly."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from elocute import Assessor, __version__
from elocute.audio import audio_from_array, load_audio
from elocute.browser.bundle import bundle, manifest, settings
from elocute.config import AssessorConfig
from elocute.server import problems

EXAMPLES = Path(__file__).parents[2] / "examples"
RUNTIME = Path(problems.__file__).parent / "runtime"

# Python as it is in the page, but for the networks, which the native onnxruntime runs behind the page's interface.
PAGE = """
import importlib.util, json, sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path and "/src" not in path]
sys.path.insert(0, sys.argv[1])
import numpy, onnxruntime
for name in ("soxr", "soundfile", "av", "starlette", "fastapi", "python_multipart", "typer", "rich", "numpy.random"):
    sys.modules[name] = None
TYPES = {1: "float32", 7: "int64"}
NAMES = {"tensor(float)": 1, "tensor(int64)": 7}

class Networks:
    def __init__(self): self.open = []
    def load(self, model):
        self.open.append(onnxruntime.InferenceSession(bytes(model), providers=["CPUExecutionProvider"]))
        return len(self.open) - 1
    def names(self, number):
        one = self.open[number]
        return [[item.name for item in one.get_inputs()], [item.name for item in one.get_outputs()]]
    def run(self, number, inputs, outputs):
        feeds = {name: numpy.frombuffer(data, TYPES[kind]).reshape(shape) for name, kind, shape, data in inputs}
        kinds = {item.name: NAMES[item.type] for item in self.open[number].get_outputs()}
        found = self.open[number].run(outputs, feeds)
        return [[kinds[name], list(value.shape), value.tobytes()] for name, value in zip(outputs, found)]

sys.modules["elocute_networks"] = Networks()
from elocute.browser.engine import Engine
import elocute
assert elocute.__file__.startswith(sys.argv[1]), elocute.__file__
engine = Engine(sys.argv[2])
for line in sys.stdin:
    path, channels, rate, fields = json.loads(line)
    print(json.dumps(engine.assess(open(path, "rb").read(), channels, rate, fields)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked, and beside it the two libraries that the page has, too."""
    made = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(io.BytesIO(bundle().content)).extractall(made)
    import onnxruntime

    for library in (np, onnxruntime):
        (made / library.__name__).symlink_to(Path(str(library.__file__)).parent)
    libraries = Path(str(np.__file__)).parents[1] / "numpy.libs"
    if libraries.is_dir():
        (made / "numpy.libs").symlink_to(libraries)
    return made


def answers(folder: Path, tmp_path: Path, *asked: tuple[np.ndarray, int, dict[str, str]]) -> list[tuple[int, object]]:
    """What the engine says to samples of shape (channels, N) with their rate and the fields of the form."""
    lines = []
    for number, (samples, rate, fields) in enumerate(asked):
        path = tmp_path / f"{number}.f32"
        samples.astype("<f4").tofile(path)
        lines.append(json.dumps([str(path), len(samples), rate, fields]))
    told = json.dumps(settings(AssessorConfig(threads=1), max_duration_s=60, max_text_chars=1000))
    done = subprocess.run(
        [sys.executable, "-I", "-c", PAGE, str(folder), told], input="\n".join(lines), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [(status, json.loads(body)) for status, body in map(json.loads, done.stdout.splitlines())]


def test_the_archive_alone_gives_the_librarys_reports(folder: Path, tmp_path: Path) -> None:
    samples = load_audio(EXAMPLES / "museum-dropped.flac").samples
    stereo = np.repeat(np.stack([samples, 0.5 * samples]), 3, axis=1)  # a recording at 48 kHz, as far as it matters
    text = "We are going to the new museum."
    found = answers(
        folder, tmp_path,
        (samples[None], 16_000, {"text": text, "sensitivity": "high"}),
        (stereo, 48_000, {"text": text}),
        (np.zeros((1, 16_000)), 16_000, {"text": text}),
        (samples[None], 16_000, {"text": "你好"}),
        (samples[None], 16_000, {"text": 1001 * "a"}),
        (np.tile(samples, 30)[None], 16_000, {"text": text}),
    )  # fmt: skip
    whole = Assessor(AssessorConfig(sensitivity="high")).assess(EXAMPLES / "museum-dropped.flac", text)
    assert found[0] == (200, whole.to_dict())
    other = Assessor().assess(audio_from_array(stereo.T, 48_000), text).to_dict()
    assert found[1][0] == 200
    assert found[1][1]["utterance"] == pytest.approx(other["utterance"], abs=0.5)  # type: ignore[index]
    assert [status for status, _ in found[2:]] == [422, 400, 413, 413]
    problem = found[2][1]
    assert isinstance(problem, dict)
    assert problem["type"] == "urn:problem-type:elocute:not-scorable"
    assert problem["detail"].startswith("recording is silent")


def test_the_archive_repeats_and_holds_no_more_than_is_needed() -> None:
    first = bundle()
    bundle.cache_clear()
    assert bundle().content == first.content
    assert hashlib.sha256(first.content).hexdigest() == first.sha256
    names = zipfile.ZipFile(io.BytesIO(first.content)).namelist()
    assert {"elocute/assets/acoustic.onnx", "elocute/browser/engine.py", "elocute/server/work.py"} <= set(names)
    assert f"elocute-{__version__}.dist-info/entry_points.txt" in names
    rooms = {name.split("/")[1] for name in names}
    assert rooms & {"training", "evaluation", "cli", "corpora", "batch", "picture", "out-of-fold.jsonl.gz"} == set()
    assert not [name for name in names if name.startswith("elocute/server/page") or "runtime" in name]


def test_the_manifest_names_what_lies_there() -> None:
    told = manifest(RUNTIME, {"x": 1})
    assert told["settings"] == {"x": 1}
    stored = {file["name"]: file for file in told["files"]}
    own = stored.pop("elocute.zip")
    assert own["stored_bytes"] == len(bundle().content)
    for name, file in stored.items():
        content = (RUNTIME / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["stored_bytes"], file["sha256"])
    texts = {path.name for path in RUNTIME.iterdir() if path.name.startswith(("LICENSE.", "NOTICES."))}
    made = json.loads((RUNTIME / "manifest.json").read_text())["files"]
    assert {text for file in made for text in file["texts"]} == texts
    assert {path.name for path in RUNTIME.iterdir()} == {*stored, *texts, "manifest.json"}
    for file in made:
        if file["name"].endswith(".gz"):
            assert len(gzip.decompress((RUNTIME / file["name"]).read_bytes())) == file["bytes"]


def test_what_is_loaded_is_as_much_as_the_page_says() -> None:
    script = (RUNTIME.parent / "page" / "device" / "device.js").read_text()
    loaded = [file for file in manifest(RUNTIME, {})["files"] if not file["name"].endswith(("js",))]
    assert f"about {round(sum(file['stored_bytes'] for file in loaded) / 1e7) * 10} MB" in script
