"""`phi4:DIR`: the reports of a tuned Phi-4-multimodal. Needs the extra `phi4`, and for the full size a GPU.

DIR is what `elocute train phi4` left (the run folder, or the model in it), a model that was trained whole, or the
released model itself, with its speech adapter merged. The model is asked for scores and for a transcript, in the words
in which it was trained (`run.json` of the run tells them). Scores are means under the probabilities that the model gave
to 0 ... 10 where it wrote a score, which is finer than the whole number that it writes.

An adapter remembers where the model beneath it was; `phi4:DIR@BASE` says where it is now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elocute.acoustic.place import existing_folder, fingerprint
from elocute.assets import read_object
from elocute.audio import AudioSource, load_audio
from elocute.config import AssessorConfig
from elocute.errors import ConfigError, MissingExtraError
from elocute.mllm.answers import SCORE_KEYS, Answer, parse_answer
from elocute.mllm.examples import Example
from elocute.mllm.prompts import PROMPTS_VERSION, TASKS, Style, Task, user_turn
from elocute.phones import UserLexicon, phonemize
from elocute.report import ModelFacts, Report
from elocute.types import Audio

if TYPE_CHECKING:
    from elocute.assessor import Assessor
    from elocute.mllm.generation import Generated
    from elocute.mllm.report import Said

SCALES = (1, 10, 100)
RUN_FILE, MODEL_FOLDER, TUNED_FILE = "run.json", "model", "tuned.json"
NO_REFERENCE = "a language model does not compare melodies, so the reference recording was not used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a model was trained to be asked, and in which words; defaults are those of `user_turn`."""

    tasks: tuple[Task, ...] = TASKS
    style: Style = "rubric"
    control_token: bool = True
    word_delimiter: bool = False

    @property
    def never(self) -> tuple[Task, ...]:
        """What it was not trained to be asked."""
        return () if "combined" in self.tasks else tuple(task for task in TASKS if task not in self.tasks)

    def turn(self, task: Task) -> str:
        """The question."""
        return user_turn(task, style=self.style, control_token=self.control_token, word_delimiter=self.word_delimiter)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """A model that is ready to be asked.

    Attributes:
        model: of torch, on its device.
        processor: its processor.
        asked: how it was trained to be asked.
        version: tells its weights from others.
    """

    model: Any
    processor: Any
    asked: Asked
    version: str


class Phi4Assessor:
    """Makes reports with a language model; a `ReportMaker`.

    Args:
        loaded: the model.
        config: settings. Those of the steps of an acoustic backend (confusions, nbest, pitch) mean nothing here; a
            first language only words the advice.

    Raises:
        ConfigError: a scale or advice that there is not, or a scorer, for which there is nothing to score.
    """

    follower: Assessor | None = None

    def __init__(self, loaded: Loaded, config: AssessorConfig) -> None:
        if config.scale not in SCALES:
            raise ConfigError(f"scale is {config.scale}; expected one of {', '.join(map(str, SCALES))}")
        if config.scorer is not None:
            raise ConfigError(
                f"scorer is {config.scorer}, and {config.backend} gives scores itself; leave the scorer out"
            )
        self.loaded, self.config = loaded, config

    def with_config(self, config: AssessorConfig) -> Phi4Assessor:
        """The same model under other settings.

        Raises:
            ConfigError: the settings are contradictory.
        """
        return Phi4Assessor(self.loaded, config)

    def assess(
        self,
        audio: AudioSource | Audio,
        text: str,
        *,
        sample_rate: int | None = None,
        lexicon: UserLexicon | None = None,
        pronunciations: Sequence[Sequence[str]] | None = None,
        reference: AudioSource | Audio | None = None,
    ) -> Report:
        """Say how well a recording speaks a text; arguments as of `Assessor.assess`, `reference` is not used.

        Raises:
            AudioError, TextError, PhoneError: the recording or the text cannot be used.
        """
        from elocute.mllm.report import write_spoken_report
        from elocute.report_parts import own_version

        canonical = phonemize(text, lexicon=lexicon, pronunciations=pronunciations)
        recording = audio if isinstance(audio, Audio) else load_audio(audio, sample_rate=sample_rate)
        said = self.listen(recording)
        if reference is not None:
            said = replace(said, remarks=(*said.remarks, NO_REFERENCE))
        model = ModelFacts(
            backend=f"phi4 {self.loaded.version}", scorer=f"prompts {PROMPTS_VERSION}", version=own_version()
        )
        return write_spoken_report(canonical, recording, said, model=model, config=self.config)

    def listen(self, recording: Audio) -> Said:
        """Ask the model what it was trained to be asked."""
        from elocute.mllm.collate import Recordings
        from elocute.mllm.evaluation import answer_examples, expected_scores
        from elocute.mllm.report import Said
        from elocute.mllm.transcript import heard_phones

        questions = [_question(task, self.loaded.asked.turn(task)) for task in self.loaded.asked.tasks]
        samples = np.round(np.clip(recording.samples, -1.0, 1.0) * 32767).astype(np.int16)
        with _threads(self.config.threads):
            made = answer_examples(
                self.loaded.model,
                self.loaded.processor,
                questions,
                # All at once takes as long as the longest answer; no other recording is with them, so that the same
                # recording gets the same answers whoever asks.
                batch_size=len(questions),
                recordings=Recordings(samples={questions[0].audio: samples}),
            )
        never = self.loaded.asked.never
        said = Said(scores=dict.fromkeys(SCORE_KEYS), phones=None, is_transcribed="mdd" not in never)
        remarks: list[str] = []
        for question, written in zip(questions, made.answers, strict=True):
            answer = parse_answer(question.task, written.text)
            remarks += _remarks(_WHAT[question.task], written, answer)
            if question.task != "mdd":
                said = replace(said, scores=expected_scores(written, answer))
            if question.task != "apa":
                said = replace(said, phones=heard_phones(written, answer))
        remarks += ["the model was not trained to give scores"] if "apa" in never else []
        return replace(said, remarks=tuple(remarks))


_WHAT: dict[Task, str] = {"apa": "scores", "mdd": "transcript", "combined": "scores and transcript"}


def _question(task: Task, user: str) -> Example:
    """A question about the one recording that is in memory."""
    return Example(
        id="recording",
        speaker="",
        audio=Path("recording"),
        task=task,
        user=user,
        answer="",
        text="",
        canonical=(),
        realised=(),
    )


def _remarks(what: str, generated: Generated, answer: Answer) -> list[str]:
    """What a user should know about an answer."""
    if answer.status == "valid":
        return []
    why = "; ".join(note for note in answer.notes if note not in {f"no {key}" for key in answer.missing})
    cut = "" if generated.is_complete else ", cut off for its length"
    if answer.status == "repaired":
        return [f"the model's {what} came in another form than asked for ({why}){cut}, and were read with patience"]
    missing = ", ".join(answer.missing)
    return [
        f"the model's {what} could not be read ({why or 'incomplete'}){cut}: no {missing}; it may not be trained for "
        "this question, or have heard no speech"
    ]


def load(place: str, *, config: AssessorConfig) -> Phi4Assessor:
    """The assessor behind `--backend phi4:PLACE`.

    Raises:
        ConfigError: no such folder, or it holds no such model.
        MissingExtraError: without the extra `phi4`.
    """
    folder, base = folders_of(place)
    return Phi4Assessor(load_folder(folder, base=base), config)


def folders_of(place: str) -> tuple[Path, Path | None]:
    """The folder of a model, and that of its base where the place names one: DIR, or DIR@BASE."""
    folder, at, base = place.partition("@")
    if not at or Path(place).expanduser().is_dir():
        return existing_folder(place, "phi4"), None
    return existing_folder(folder, "phi4"), existing_folder(base, "phi4")


def load_folder(folder: Path, *, device: str | None = None, base: Path | None = None) -> Loaded:
    """A model that is ready to be asked.

    Args:
        folder: a run of `elocute train phi4`, the model in it, or the released model.
        device: where it shall be; None takes the GPU where there is one. There it is in bfloat16, else in float32.
        base: the model that an adapter was trained on, if it is not where it was.

    Raises:
        ConfigError: the folder holds no such model, or its base is not where it was.
        MissingExtraError: without the extra `phi4`.
    """
    missing = [package for package in ("torch", "transformers", "safetensors") if find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"backend 'phi4' needs {', '.join(missing)}, not installed; pip install 'elocute[phi4]'"
        )
    import torch

    from elocute.mllm.model import WHOLE, load_model, load_tuned
    from elocute.mllm.processing import load_processor
    from elocute.mllm.tuned import read_tuning

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = "bfloat16" if device.startswith("cuda") else "float32"
    home = model_folder(folder)
    asked = read_asked(folder)
    if (home / TUNED_FILE).is_file():
        tuning = read_tuning(home)
        if base is None and tuning.regime not in WHOLE and not Path(tuning.base).is_dir():
            raise ConfigError(
                f"{folder} was trained on {tuning.base}, which is not there any more; say where that model is, "
                f"'phi4:{folder}@BASE' or --base"
            )
        model = load_tuned(home, base, dtype=dtype, device=device)
        beside = home if (home / "tokenizer.json").is_file() else base or Path(model.elocute_tuning.base)
    else:
        model, beside = load_model(home, regime="full", dtype=dtype, device=device), home
    return Loaded(
        model=model.requires_grad_(False).eval(),
        processor=load_processor(beside),
        asked=asked,
        version=fingerprint(_files(home)),
    )


def identity(place: str) -> str:
    """What tells the model of a place from others, without loading it."""
    folder, _ = folders_of(place)
    return f"{fingerprint(_files(model_folder(folder)))} {read_asked(folder)} prompts {PROMPTS_VERSION}"


def model_folder(folder: Path) -> Path:
    """Where in a folder the model is: in a run of `elocute train phi4` one level down."""
    return folder / MODEL_FOLDER if (folder / MODEL_FOLDER / TUNED_FILE).is_file() else folder


def run_file(folder: Path) -> Path | None:
    """The record of the training that made a model; None without one."""
    places = [folder / RUN_FILE] if not (folder / TUNED_FILE).is_file() else [folder.parent / RUN_FILE]
    return next((path for path in places if path.is_file()), None)


def read_asked(folder: Path) -> Asked:
    """How a model was trained to be asked: from the run that it lies in; the defaults without one.

    Raises:
        ConfigError: the run says it in another way than this version does, or was asked in other words.
    """
    found = run_file(folder)
    if found is None:
        return Asked()
    record = read_object(found)
    if record.get("prompts", PROMPTS_VERSION) != PROMPTS_VERSION:
        raise ConfigError(
            f"{found}: the model was asked in version {record['prompts']} of the prompts; this version of elocute asks "
            f"in version {PROMPTS_VERSION}: train it again, or use the version that trained it"
        )
    try:
        data = record["recipe"]["data"]
        return Asked(style=data["style"], control_token=data["control_token"], word_delimiter=data["word_delimiter"])
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"{found} lacks what tells how the model was asked ({error}); expected the record of `elocute train phi4`"
        ) from error


def _files(folder: Path) -> list[Path]:
    """Facts and weights."""
    found = [path for path in folder.iterdir() if path.suffix in (".json", ".safetensors") and path.is_file()]
    if not found:
        raise ConfigError(f"{folder} holds no model; expected the folder of Phi-4-multimodal or of a training")
    return found


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    """So many threads of torch's while it lasts."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
