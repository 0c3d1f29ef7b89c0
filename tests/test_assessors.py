"""One name finds whatever makes a report: acoustic backends, and what other packages bring."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from elocute import Assessor, Report
from elocute.assessors import ReportMaker, check_report_maker, find_named, load_assessor
from elocute.audio import AudioSource, audio_from_array, load_audio
from elocute.batch.manifest import ManifestRow
from elocute.cli import app
from elocute.cli.batch import AssessorFactory
from elocute.cli.doctor import checks, examine
from elocute.config import AssessorConfig
from elocute.corpora.spoken import read_spoken
from elocute.errors import AlignmentError, ConfigError
from elocute.evaluation.assessing import CorpusFactory
from elocute.evaluation.localisation_corpus import read_recordings
from elocute.evaluation.localisation_trials import TrialFactory
from elocute.evaluation.robustness_cases import BY_NAME
from elocute.evaluation.robustness_observe import NamedFactory, observe
from elocute.evaluation.robustness_plan import make_plans
from elocute.installed import model_versions
from elocute.phones import UserLexicon
from elocute.report import WordReport
from elocute.server.provisional import Progress
from elocute.server.wanted import Wanted
from elocute.server.work import Assess, Desk, Follow, Recording
from elocute.types import SAMPLE_RATE_HZ, Audio
from tiny_corpus import write_corpus

EXAMPLES = Path(__file__).parent.parent / "examples"
ROW = json.loads((EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[0])


@cache
def embedded(config: AssessorConfig) -> Assessor:
    """Of the embedded models, loaded once."""
    return Assessor(config)


@dataclass(frozen=True, kw_only=True)
class Borrowed:
    """Makes the reports of the embedded models, and signs them; cannot follow a reader."""

    config: AssessorConfig
    place: str
    follower: Assessor | None = None
    off_by: float = 0.0

    def with_config(self, config: AssessorConfig) -> Borrowed:
        return replace(self, config=config)

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
        own = embedded(replace(self.config, backend="embedded"))
        report = own.assess(audio, text, sample_rate=sample_rate, lexicon=lexicon, pronunciations=pronunciations)
        total = None if report.utterance.total is None else report.utterance.total + self.off_by
        if self.place == "untimed":
            report = replace(report, words=tuple(map(untimed, report.words)))
        return replace(
            report,
            model=replace(report.model, backend=f"borrowed {self.place}"),
            utterance=replace(report.utterance, total=total),
        )


def untimed(word: WordReport) -> WordReport:
    """Without times and scores, as a language model that hears leaves a word."""
    phones = tuple(replace(phone, start_s=None, end_s=None, score=None) for phone in word.phonemes)
    return replace(word, start_s=None, end_s=None, accuracy=None, stress=None, total=None, phonemes=phones)


def load(place: str, *, config: AssessorConfig) -> Borrowed:
    """The factory of the planted package."""
    return Borrowed(config=config, place=place)


@pytest.fixture
def lender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package that makes reports in its own way."""
    info = tmp_path / "lender-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lender\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text("[elocute.assessors]\nlent = lender:load\nlonely = lender:lonely\n")
    (tmp_path / "lender.py").write_text(
        f"from {__name__} import load\n"
        "def lonely(*, config):\n    return load('alone', config=config)\n"
        "def identity(place):\n    return f'files of {place}'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_an_acoustic_backend_goes_to_our_own_assessor() -> None:
    assert isinstance(load_assessor(), Assessor)
    assert isinstance(load_assessor(), ReportMaker)
    assert find_named("hf:some/place").place == "some/place"
    assert find_named("hf:some/place").is_acoustic
    assert find_named("embedded").place is None
    with pytest.raises(
        ConfigError, match=r"backend is 'embeded'; expected one of .*embedded, .*zipa; did you mean 'emb"
    ):
        load_assessor(AssessorConfig(backend="embeded"))
    with pytest.raises(ConfigError, match="scale is 7; expected one of 1, 10, 100"):
        load_assessor(AssessorConfig(scale=7))


def test_the_same_models_under_other_settings() -> None:
    first = load_assessor(AssessorConfig(threads=1))
    assert isinstance(first, Assessor)
    other = first.with_config(replace(first.config, scale=10, l1="zh"))
    assert other.follower is other
    assert (other.backend, other.scorer, other.detector) == (first.backend, first.scorer, first.detector)
    assert other.config.scale == 10
    assert first.config.scale == 100


@pytest.mark.usefixtures("lender")
def test_what_another_package_brings_is_found_with_its_place() -> None:
    named = find_named("lent:some:where")
    assert (named.point.name, named.place, named.is_acoustic) == ("lent", "some:where", False)
    found = load_assessor(AssessorConfig(backend="lent:here", scale=10))
    assert (found.config.scale, found) == (10, load("here", config=found.config))
    assert load_assessor(AssessorConfig(backend="lonely")) == load("alone", config=AssessorConfig(backend="lonely"))
    with pytest.raises(ConfigError, match="backend is 'lent'; expected something after it, 'lent:PLACE'"):
        load_assessor(AssessorConfig(backend="lent"))
    with pytest.raises(ConfigError, match="expected 'lonely' alone, which takes no place"):
        load_assessor(AssessorConfig(backend="lonely:here"))
    with pytest.raises(ConfigError, match=r"backend is 'lemt'; expected one of .*; did you mean 'lent'"):
        load_assessor(AssessorConfig(backend="lemt:here"))
    assert model_versions("lent:here")["backend"] == "lent:here files of here"


@pytest.mark.usefixtures("lender")
def test_every_surface_takes_it() -> None:
    recording, text, name = EXAMPLES / ROW["audio"], ROW["text"], "borrowed here"
    done = CliRunner().invoke(app, ["assess", str(recording), text, "--backend", "lent:here", "--format", "json"])
    assert done.exit_code == 0, done.output
    report = Report.from_json(done.stdout)
    assert report.model.backend == name
    config = AssessorConfig(backend="lent:here", threads=1)
    row = ManifestRow(id="one", audio=recording, text=text, phones=None)
    assert AssessorFactory(config=config, lexicon=None)()(row) == report.to_dict()
    stored = CorpusFactory(backend="lent:here")()(row)
    assert stored["utterance"] is not None
    assert "perceived" not in stored

    desk = Desk(config)
    wanted = Wanted(
        audio=b"", text=text, detail="full", l1=None, scale=100, shape="native", sensitivity="normal", advice="learner"
    )
    sent = Recording(data=recording.read_bytes(), sample_rate=None, max_duration_s=60)
    answer = Assess(wanted=wanted, recording=sent)(desk)
    assert answer.body.decode() == report.to_json(indent=2) + "\n"
    # It cannot follow a reader, so the embedded model does, which is loaded once.
    followed = Follow(wanted=wanted, recording=sent, progress=Progress())(desk)
    assert followed.words
    assert desk.follower(wanted).backend is desk.follower(replace(wanted, scale=10)).backend
    assert desk.follower(replace(wanted, scale=10)).config.scale == 10


@pytest.mark.usefixtures("lender")
def test_hard_cases_are_made_for_what_does_not_hear_in_time(tmp_path: Path) -> None:
    """Words are cut where an acoustic model finds them, whoever is put to the test."""
    spoken = read_spoken(write_corpus(tmp_path / "so"))
    (plan,) = make_plans(spoken, [], limit=1, seed=0).plans
    samples = {one.id: load_audio(one.audio).samples for one in spoken.utterances}
    cases = [BY_NAME[name] for name in ("cut-word", "joined", "telephone")]
    found = {}
    for backend in ("embedded", "lent:untimed"):
        row = observe(
            NamedFactory(backend=backend)(), plan, samples[plan.id], cases=cases, recording_of=samples.__getitem__,
            clip=samples.__getitem__, seed=0,
        )  # fmt: skip
        assert row["not_built"] == {}
        found[backend] = {one["case"]: one for one in row["observations"]}
    own, lent = found.values()
    assert [one["total"] for one in lent.values()] == [one["total"] for one in own.values()]
    assert lent["cut-word"]["has_succeeded"] == own["cut-word"]["has_succeeded"]
    assert own["telephone"]["phone_change"] is not None
    assert lent["telephone"]["phone_change"] is lent["telephone"]["phone_distance"] is None
    assert lent["telephone"]["total_change"] == own["telephone"]["total_change"]


@pytest.mark.usefixtures("lender")
def test_planted_errors_are_for_what_scores_phones(tmp_path: Path) -> None:
    recordings = read_recordings(write_corpus(tmp_path / "so"), "test", tmp_path).spoken

    def factory(backend: str) -> TrialFactory:
        return TrialFactory(recordings=recordings, sources=("text", "splice"), voices=(), seed=3, backend=backend)

    row = ManifestRow(id=recordings[1].id, audio=recordings[1].audio, text=recordings[1].text, phones=None)
    answer = factory("lent:here")()(row)
    assert answer["outcomes"]
    assert answer == factory("embedded")()(row)
    with pytest.raises(ConfigError, match="backend lent:untimed gives phones no scores, and planted errors are looked"):
        factory("lent:untimed")()


@pytest.mark.usefixtures("lender")
def test_the_doctor_runs_its_contract() -> None:
    found = {check.name: examine(check) for check in checks("lent:here") if check.name == "backend lent:here"}
    state, detail = found["backend lent:here"]
    assert state == "ok", detail
    assert detail.endswith("passes 7 checks")


def test_the_contract_finds_what_breaks_it() -> None:
    maker = load("here", config=AssessorConfig(threads=1))
    assert check_report_maker(maker) == [
        "members", "noise", "near silence", "a tone", "0.2 seconds", "deterministic", "other settings",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="str lacks a member of ReportMaker"):
        check_report_maker("nothing")  # type: ignore[arg-type]

    class Wrong(Borrowed):
        """Says something else about the noise each time."""

        def assess(self, audio: AudioSource | Audio, text: str, **more: object) -> Report:
            return answers.pop(0) if answers else good

    class Text(str):
        """Is written as a text and is none."""

        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = str.__hash__

    speech = Assessor(AssessorConfig(threads=1))
    good = speech.assess(EXAMPLES / ROW["audio"], "we call it bear")
    maker = Wrong(config=AssessorConfig(threads=1), place="here")
    for wrong, complaint in (
        (replace(good, scale=10), "noise: the report is of 10; expected a scale of 100"),
        (replace(good, words=good.words[:-1]), "noise: the report has the words .*; expected"),
        (replace(good, text=Text("we")), "noise: the report changes on its way through JSON"),
        (replace(good, utterance=replace(good.utterance, total=101.0)), "noise: a score is 101.0; expected 0 to 100"),
        (replace(good, utterance=replace(good.utterance, total=float("nan"))), "noise: the report does not go through"),
        (replace(good, utterance=replace(good.utterance, total=None), warnings=()), "noise: no total score and no war"),
    ):
        answers = [wrong]
        with pytest.raises(ConfigError, match=complaint):
            check_report_maker(maker)
    answers = [good, good, good, good, good, replace(good, warnings=("another time",))]
    with pytest.raises(ConfigError, match="is not deterministic"):
        check_report_maker(maker)
    answers = []
    with pytest.raises(ConfigError, match="other settings: the report is of 100; expected a scale of 10"):
        check_report_maker(maker)


def test_a_refusal_is_an_answer() -> None:
    class Refusing(Borrowed):
        def assess(self, audio: AudioSource | Audio, text: str, **more: object) -> Report:
            raise AlignmentError("too short")

    assert len(check_report_maker(Refusing(config=AssessorConfig(), place="here"))) == 7
    tone = np.sin(np.arange(SAMPLE_RATE_HZ, dtype=np.float32))
    with pytest.raises(AlignmentError):
        Refusing(config=AssessorConfig(), place="here").assess(audio_from_array(tone, SAMPLE_RATE_HZ), "so")
