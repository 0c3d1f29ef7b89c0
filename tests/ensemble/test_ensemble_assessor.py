"""Several backends behind one name: every surface's report, from real models and from planted members."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from elocute import Assessor, Report
from elocute.assessors import ReportMaker, load_assessor
from elocute.assets import asset_path
from elocute.cli import app
from elocute.cli.evaluate_run import identity_of, prediction_facts
from elocute.config import AssessorConfig
from elocute.ensemble import Blend, Combination, Member, write_combination
from elocute.ensemble.assessor import EnsembleAssessor, combination_of
from elocute.ensemble.combination import plain_average
from elocute.ensemble.merge import canonical_phones
from elocute.errors import AlignmentError, ConfigError
from elocute.installed import model_versions
from elocute.report import Heard, PhoneReport
from elocute.report_parts import mispronunciations_of

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
ROWS = [json.loads(line) for line in (EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[:4]]
EQUAL = Blend(center=0.0, calibration=((0.0, 1.0), (0.0, 1.0)), weights=(0.5, 0.5))
ONE_SIDED = Blend(center=0.0, calibration=((0.0, 1.0), (0.0, 1.0)), weights=(0.2, 0.8))


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    assessor = Assessor(AssessorConfig(threads=1, advice="off"))
    return {row["text"]: assessor.assess(EXAMPLES / row["audio"], row["text"]) for row in ROWS}


@pytest.fixture(scope="module")
def unrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped scorer for backends without ratings as a folder of the user's."""
    folder = tmp_path_factory.mktemp("unrated")
    for suffix in ("onnx", "json"):
        (folder / f"scorer.{suffix}").write_bytes(asset_path(f"scorer_unrated.{suffix}").read_bytes())
    return folder


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A member that always gives the same report, or refuses."""

    report: Report | Exception
    config: AssessorConfig = AssessorConfig()
    follower: Assessor | None = None

    def with_config(self, config: AssessorConfig) -> Planted:
        return replace(self, config=config)

    def assess(self, audio: object, text: str, **more: object) -> Report:
        if isinstance(self.report, Exception):
            raise self.report
        return self.report


def both(
    first: Report | Exception,
    second: Report | Exception,
    combination: Combination | None = None,
    config: AssessorConfig | None = None,
) -> Report:
    """What an ensemble of two planted members says."""
    members = Member(backend="one"), Member(backend="two")
    makers: tuple[ReportMaker, ReportMaker] = Planted(report=first), Planted(report=second)
    found = EnsembleAssessor(config or AssessorConfig(), combination or plain_average(members), makers)
    row = ROWS[0]
    return found.assess(EXAMPLES / row["audio"], row["text"])


def fitted(**blends: Blend) -> Combination:
    """A fitted combination of two members."""
    members = Member(backend="one"), Member(backend="two")
    thresholds = (0.8, 0.6, 0.4, 0.2) if "error" in blends else None
    return Combination(members=members, blends=blends, thresholds=thresholds, card={"version": "today"})


def changed(report: Report, change: Callable[[PhoneReport], PhoneReport], **scores: float | None) -> Report:
    """The same report with other phones and scores of the utterance."""
    words = tuple(replace(word, phonemes=tuple(map(change, word.phonemes))) for word in report.words)
    return replace(
        report,
        words=words,
        mispronunciations=mispronunciations_of(words),
        utterance=replace(report.utterance, **scores),  # type: ignore[arg-type]
    )


def phones_of(report: Report) -> list[PhoneReport]:
    return [phone for word in report.text_words for phone in word.phonemes if phone.expected is not None]


def test_twice_the_same_is_the_same(reports: dict[str, Report]) -> None:
    for text, report in reports.items():
        once = both(report, report, config=AssessorConfig(advice="off"))
        assert once.words == report.words, text
        assert once.utterance == report.utterance
        assert (once.mispronunciations, once.fluency, once.prosody) == (
            report.mispronunciations,
            report.fluency,
            report.prosody,
        )
        assert once.warnings[: len(report.warnings)] == report.warnings
        assert "count alike" in once.warnings[-1]
        errors = fitted(error=EQUAL)
        again = both(report, report, replace(errors, thresholds=(0.9, 0.578, 0.3, 0.1)), AssessorConfig(advice="off"))
        assert [phone.error for phone in phones_of(again)] == [phone.error for phone in phones_of(report)]
        assert [phone.actual for phone in phones_of(again)] == [phone.actual for phone in phones_of(report)]
        assert all(
            abs(one.probability - other.probability) <= 1e-4
            for one, other in zip(phones_of(again), phones_of(report), strict=True)
        )


def test_scores_meet_in_the_middle(reports: dict[str, Report]) -> None:
    report = next(iter(reports.values()))
    other = changed(report, lambda phone: replace(phone, score=50.0), fluency=40.0, total=20.0, completeness=1.0)
    found = both(report, other)
    assert found.utterance.fluency == pytest.approx((report.utterance.fluency + 40) / 2, abs=0.06)
    assert found.utterance.total == pytest.approx((report.utterance.total + 20) / 2, abs=0.06)
    assert found.utterance.completeness == report.utterance.completeness
    for mean, one in zip(phones_of(found), phones_of(report), strict=True):
        assert mean.score == pytest.approx((one.score + 50) / 2, abs=0.06)
    for word in found.text_words:
        first = 0
        scores = [phone.score for phone in word.phonemes if phone.expected is not None]
        for syllable in word.syllables:
            own = scores[first : first + len(syllable.phones)]
            first += len(own)
            assert syllable.score == pytest.approx(sum(own) / len(own), abs=0.21)
    weighed = both(report, other, fitted(**{"utterance total": ONE_SIDED}))
    assert weighed.utterance.total == pytest.approx(0.2 * report.utterance.total + 0.8 * 20, abs=0.06)
    assert weighed.utterance.fluency == report.utterance.fluency  # no blend for it
    assert weighed.warnings == report.warnings
    assert weighed.model.scorer.startswith("combination today of ")


def test_who_is_left_out_is_told_and_the_others_count(reports: dict[str, Report]) -> None:
    report = next(iter(reports.values()))
    silent = replace(report.utterance, total=None, fluency=None, accuracy=None, prosody=None)
    nothing = replace(report, utterance=silent, warnings=("nothing is scored",))
    for second, told in (
        (AlignmentError("too short"), "two is left out of the ensemble, because it refused the recording: too short"),
        (nothing, "two is left out of the ensemble, because it scored nothing: nothing is scored"),
    ):
        found = both(report, second, fitted(phone=EQUAL, **{"utterance total": ONE_SIDED}))
        assert found.utterance == report.utterance
        assert found.words == report.words
        assert found.warnings == (*report.warnings, told)
    half = replace(report, utterance=replace(silent, fluency=0.0))
    some = both(report, half, fitted(**{"utterance total": ONE_SIDED, "utterance fluency": EQUAL}))
    assert some.utterance.total == report.utterance.total
    assert some.utterance.fluency == pytest.approx((report.utterance.fluency or 0) / 2, abs=0.06)
    assert some.warnings == report.warnings
    with pytest.raises(AlignmentError, match="too short"):
        both(AlignmentError("too short"), report)
    led = both(nothing, report)
    assert (led.utterance, led.words, led.warnings) == (nothing.utterance, nothing.words, nothing.warnings)


def test_phones_of_another_reading_are_not_combined(reports: dict[str, Report]) -> None:
    report = next(iter(reports.values()))
    first = report.text_words[0].phonemes[0]

    def otherwise(phone: PhoneReport) -> PhoneReport:
        return replace(phone, score=0.0, expected="ZH" if phone == first else phone.expected)

    other = changed(report, otherwise, fluency=0.0)
    assert canonical_phones(other) != canonical_phones(report)
    found = both(report, other)
    same = len(report.text_words[0].phonemes)
    assert [phone.score for phone in phones_of(found)[:same]] == [phone.score for phone in phones_of(report)[:same]]
    assert phones_of(found)[same].score == pytest.approx((phones_of(report)[same].score or 0) / 2, abs=0.06)
    shorter = both(report, replace(other, words=other.words[1:]))
    assert [phone.score for phone in phones_of(shorter)] == [phone.score for phone in phones_of(report)]
    assert shorter.utterance.fluency == pytest.approx((report.utterance.fluency or 0) / 2, abs=0.06)


def test_an_error_is_what_its_weightiest_finder_calls_it(reports: dict[str, Report]) -> None:
    report = changed(
        next(iter(reports.values())),
        lambda phone: replace(phone, error=None, actual=phone.expected, probability=0.01, is_unsure=False),
    )
    place = phones_of(report)[2]

    def wrong(**facts: object) -> Report:
        def change(phone: PhoneReport) -> PhoneReport:
            return replace(phone, **facts) if phone == place else phone  # type: ignore[arg-type]

        return changed(report, change)

    light = wrong(error="deletion", actual=None, probability=0.7)
    heavy = wrong(error="substitution", actual="ZH", probability=0.9)
    for first, second in ((light, heavy), (heavy, light)):
        found = both(first, second, fitted(error=ONE_SIDED), AssessorConfig(l1="zh"))
        (error,) = found.mispronunciations
        assert (error.type, error.actual) == (("substitution", "ZH") if second is heavy else ("deletion", None))
        assert error.suggestion
        assert found.feedback
        named = phones_of(found)[2]
        assert named.probability == error.probability
        assert 0.7 < named.probability < 0.9
        assert sum(word.error == "mispronunciation" for word in found.text_words) == 1
    # One is sure, the other is not, and counts more: nothing is flagged, and the word is as good as new.
    quiet = both(light, report, fitted(error=ONE_SIDED))
    assert not quiet.mispronunciations
    assert {word.error for word in quiet.text_words} == {None}
    # Both have doubts that neither would utter alone; what was said is the leader's next guess.
    guesses = (Heard(phone=place.expected, probability=0.5), Heard(phone="V", probability=0.3))
    doubtful = wrong(probability=0.5, nbest=guesses)
    for sensitivity, flagged, unsure in (("high", True, False), ("normal", False, True), ("low", False, False)):
        config = AssessorConfig(sensitivity=sensitivity)  # type: ignore[arg-type]
        found = both(doubtful, doubtful, fitted(error=EQUAL), config)
        assert (phones_of(found)[2].error, phones_of(found)[2].actual) == (
            ("substitution", "V") if flagged else (None, place.expected)
        )
        assert phones_of(found)[2].is_unsure is unsure
        assert sum(one.probability for one in phones_of(found)[2].nbest) == pytest.approx(0.8, abs=0.01)


def test_real_members_make_one_report(unrated: Path, tmp_path: Path) -> None:
    path = tmp_path / "both.json"
    members = Member(backend="embedded"), Member(backend="embedded", scorer=str(unrated))
    blends = {"phone": EQUAL, "utterance total": EQUAL, "error": EQUAL}
    write_combination(path, replace(fitted(**blends), members=members))
    name = f"ensemble:{path}"
    row = ROWS[0]
    done = CliRunner().invoke(
        app, ["assess", str(EXAMPLES / row["audio"]), row["text"], "--backend", name, "--format", "json"]
    )
    assert done.exit_code == 0, done.output
    found = Report.from_json(done.stdout)
    alone = [
        Assessor(AssessorConfig(scorer=scorer)).assess(EXAMPLES / row["audio"], row["text"])
        for scorer in (None, str(unrated))
    ]
    assert found.utterance.total == pytest.approx(sum(one.utterance.total or 0 for one in alone) / 2, abs=0.11)
    for phone, *others in zip(phones_of(found), *map(phones_of, alone), strict=True):
        assert phone.score == pytest.approx(sum(other.score or 0 for other in others) / 2, abs=0.11)
    assert found.model.backend.count(alone[0].model.backend) == 2
    maker = load_assessor(AssessorConfig(backend=name, threads=1))
    assert maker.follower is not None
    assert maker.with_config(replace(maker.config, scale=1)).assess(EXAMPLES / row["audio"], row["text"]).scale == 1
    assert prediction_facts(identity_of(name, 10))["threshold"] == 0.6


def test_a_place_names_members_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "both.json"
    write_combination(path, fitted(phone=EQUAL))
    assert [str(one) for one in combination_of(str(path)).members] == ["one", "two"]
    renamed = combination_of(f"{path}, embedded, hf:models/x@mine")
    assert renamed.members == (Member(backend="embedded"), Member(backend="hf:models/x", scorer="mine"))
    assert renamed.blends == {"phone": EQUAL}
    assert Member.of("phi4:tuned@base") == Member(backend="phi4:tuned@base")  # it has no scorer
    average = combination_of("embedded,zipa:here,onnx:there")
    assert average.blends["word total"].weights == pytest.approx((1 / 3,) * 3)
    assert average.thresholds is None
    for place, complaint in (
        ("embedded", "expected two members or more"),
        ("embedded,", "member is ''; expected a backend"),
        (f"{path},embedded", r"combines 2 members \(one, two\), and 1 are named"),
        ("embedded,ensemble:x.json", "expected no ensemble in an ensemble"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            combination_of(place)
    with pytest.raises(ConfigError, match="backend is 'ensemble'; expected something after it"):
        load_assessor(AssessorConfig(backend="ensemble"))
    with pytest.raises(
        ConfigError, match="an ensemble has none of its own; give a member its scorer, as 'ensemble:emb"
    ):
        load_assessor(AssessorConfig(backend="ensemble:embedded,embedded", scorer="mine"))
    with pytest.raises(ConfigError, match="backend is 'embeded'"):
        load_assessor(AssessorConfig(backend="ensemble:embeded,embedded"))


def test_a_batch_tells_other_weights_from_these(tmp_path: Path) -> None:
    path = tmp_path / "both.json"
    told: list[str] = []
    for blend in (EQUAL, ONE_SIDED, EQUAL):
        members = Member(backend="embedded"), Member(backend="embedded")
        write_combination(path, replace(fitted(phone=blend), members=members))
        told.append(model_versions(f"ensemble:{path}")["backend"])
    assert told[0] == told[2] != told[1]
    assert told[0].count(model_versions("embedded")["backend"]) == 2
