"""`zipa:FOLDER`: ZIPA's phone recognisers as they are published for ONNX; needs nothing but the core.

The folder holds `tokens.txt` (a label and its column on each line, separated by a space) and one graph: `model.onnx`,
or the quantised `model.int8.onnx`, or the only *.onnx file there is; `zipa:FILE` runs that file. The graph takes `x`,
float32 (batch, t, 80), and `x_lens`, int64 (batch,), and gives log-probabilities (batch, T, labels) with the blank in
the column that `tokens.txt` names; a second output, their lengths, is not needed. How many rows come out of so many
features is measured.

Features are those of lhotse's Fbank, which trained them: Kaldi's log mel filters from samples between -1 and 1, one row
every 10 ms of the whole recording, filters from 20 Hz to 400 Hz below half the rate.

The labels are single characters of the IPA, so that affricates, diphthongs and ER are chains of two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from elocute.acoustic.front_end import FrontEnd
from elocute.acoustic.place import check_length, existing_folder, fingerprint
from elocute.acoustic.vocabulary import Folding, phones_of
from elocute.assets import open_model
from elocute.errors import ConfigError
from elocute.types import Audio, Float32, PhoneSet, Posteriors

TOKENS = "tokens.txt"
GRAPHS = ("model.onnx", "model.int8.onnx")
FRONT_END = FrontEnd(bins=80, low_hz=20.0, high_hz=-400.0, snip_edges=False)
_BLANKS = ("<blk>", "<blank>", "<eps>", "<pad>")
_PROBES = (100, 1_380)
"""Rows of features that are run to measure the frame shift; their difference is a multiple of 1, 2, 4 .. 256."""


def find_graph(place: str) -> Path:
    """The graph of `zipa:place`; ConfigError where there is none, or more than one."""
    path = Path(place).expanduser()
    if path.is_file():
        return path
    folder = existing_folder(place, "zipa")
    named = [folder / name for name in GRAPHS if (folder / name).is_file()]
    found = named[:1] or sorted(folder.glob("*.onnx"))
    if len(found) != 1:
        raise ConfigError(
            f"{folder} has {len(found)} *.onnx files and no {GRAPHS[0]}; expected one, or its name: zipa:FILE"
        )
    return found[0]


def read_tokens(path: Path) -> list[str | None]:
    """The label of each column in `tokens.txt`; ConfigError where it is missing or damaged."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); expected lines of a label and its column") from error
    labels: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        label, _, column = line.rpartition(" ")
        if not column.isdecimal() or int(column) in labels or not label:
            raise ConfigError(f"{path}, line {number}: {line!r}; expected a label, a space, and a column of its own")
        labels[int(column)] = label
    return [labels.get(column) for column in range(max(labels, default=-1) + 1)]


class ZipaBackend:
    """Runs a graph of ZIPA's.

    Args:
        graph: the ONNX file, tokens.txt beside it.
        threads: threads of one inference; None leaves the choice to onnxruntime.

    Attributes:
        folding: how its labels become phones, with a report.
        frame_shift_s: seconds a row.
    """

    has_ratings = False

    def __init__(self, graph: Path, *, threads: int | None = None) -> None:
        labels = read_tokens(graph.parent / TOKENS)
        blank = next((name for name in _BLANKS if name in labels), None)
        if blank is None:
            raise ConfigError(f"{graph.parent / TOKENS} names no blank; expected one of {', '.join(_BLANKS)}")
        self._session = open_model(graph, threads=threads)
        inputs = sorted(one.name for one in self._session.get_inputs())
        if inputs != ["x", "x_lens"]:
            raise ConfigError(f"{graph} takes {', '.join(inputs)}; expected x and x_lens, as ZIPA's models do")
        self._output = self._session.get_outputs()[0].name
        self.name = f"zipa:{graph.parent.name}"
        self.version = fingerprint([graph, graph.parent / TOKENS])
        shapes = [self._run(np.zeros((rows, FRONT_END.bins), dtype=np.float32)).shape for rows in _PROBES]
        if shapes[0][1] < len(labels) or shapes[1][0] <= shapes[0][0]:
            raise ConfigError(
                f"{graph} gives outputs of shapes {shapes} for {list(_PROBES)} rows; expected {len(labels)} labels"
            )
        self.frame_shift_s = FRONT_END.shift_s * (_PROBES[1] - _PROBES[0]) / (shapes[1][0] - shapes[0][0])
        labels += [None] * (shapes[0][1] - len(labels))
        self.folding: Folding = phones_of(labels, labels.index(blank))

    @property
    def phone_set(self) -> PhoneSet:
        """The 39 phones in the folded columns."""
        return self.folding.phone_set

    def posteriors(self, audio: Audio) -> Posteriors:
        """Log-probabilities of one recording, folded into phones."""
        check_length(audio, self.name)
        return Posteriors(
            log_probs=self.folding.fold(self._run(FRONT_END(audio.samples))),
            frame_shift_s=self.frame_shift_s,
            phone_set=self.phone_set,
        )

    def _run(self, features: Float32) -> Float32:
        """Log-probabilities of the model's own labels, shape (T, V); rows brought to sum to 1 where they nearly do."""
        fed = {"x": features[None], "x_lens": np.array([len(features)], dtype=np.int64)}
        found: Any = self._session.run([self._output], fed)[0][0]
        total = np.logaddexp.reduce(found.astype(np.float64), axis=1, keepdims=True)
        if not np.abs(total).max() < 0.05:
            raise ConfigError(
                f"{self.name}: rows of the output sum to e^{np.abs(total).max():.2f}; expected log-probabilities"
            )
        return np.asarray(found - total, dtype=np.float32)


def identity(place: str) -> str:
    """What tells `zipa:place` from other models, without loading it."""
    graph = find_graph(place)
    return fingerprint([graph, graph.parent / TOKENS])


def load(place: str, *, threads: int | None = None) -> ZipaBackend:
    """Entry point `zipa`."""
    return ZipaBackend(find_graph(place), threads=threads)
