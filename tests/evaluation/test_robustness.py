"""Hard cases: planned, built, judged and measured; on speech of tones, where what a case did can be heard."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from elocute.corpora.spoken import SpokenCorpus, SpokenUtterance, read_spoken
from elocute.errors import ConfigError
from elocute.evaluation.robustness import Answer, assess_cases
from elocute.evaluation.robustness_build import Recording, Truth
from elocute.evaluation.robustness_cases import BY_NAME, CASES, SUCCESS, chosen_cases
from elocute.evaluation.robustness_judge import Assessed, has_succeeded, kind_of
from elocute.evaluation.robustness_observe import Observation, observe
from elocute.evaluation.robustness_plan import (
    FAR,
    NEAR,
    Plan,
    make_plans,
    phone_distance,
    pronunciations,
    usable_words,
)
from elocute.evaluation.robustness_result import measure
from tiny_corpus import write_corpus
from tone_speech import VOCABULARY, Flatterer, PerfectAssessor, corpus, heard, make_perfect, spoken, write_folder

DATA = Path(__file__).parents[3] / "shared" / "data"
CUT = [case for case in CASES if case.group in ("text", "cut", "extra")]
CLIPS = ["rain", "saw"]
NO_TRUTH = Truth()


def observations(plan: Plan, assessor, cases=CUT, seed: int = 0) -> dict[str, dict]:
    """What an assessor says of the cases of one utterance."""
    texts = {utterance.id: utterance.text for utterance in corpus().utterances}
    rng = np.random.default_rng(5)
    row = observe(
        assessor,
        plan,
        spoken(plan.words),
        cases=cases,
        recording_of=lambda name: spoken(texts[name].split()),
        clip=lambda name: rng.standard_normal(80_000).astype(np.float32) * 0.1,
        seed=seed,
    )
    assert row["not_built"] == {}
    return {item["case"]: item for item in row["observations"]}


@pytest.fixture(scope="module")
def plans() -> tuple[Plan, ...]:
    return make_plans(corpus(), CLIPS, limit=4, seed=0).plans


# --- what is built ---------------------------------------------------------------------------------------------


def test_a_perfect_assessor_succeeds_at_every_case(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        found = observations(plan, PerfectAssessor())
        assert list(found) == ["clean", *(case.name for case in CUT)]
        assert [name for name, item in found.items() if not item["has_succeeded"]] == []
        assert not any(item["has_on_clean"] for item in found.values())
        assert not any(item["false_omissions"] for item in found.values())


def test_one_that_finds_everything_good_succeeds_at_none(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        found = observations(plan, Flatterer())
        assert [name for name, item in found.items() if item["has_succeeded"]] == ["clean"]


def built(plan: Plan, name: str, seed: int = 0) -> np.ndarray:
    """Samples of a case."""
    taken = []

    class Taking(PerfectAssessor):
        def assess(self, audio, text, **options):
            taken.append(audio)
            return super().assess(audio, text, **options)

    observations(plan, Taking(), [BY_NAME[name]], seed)
    return taken[-1]


def said(plan: Plan, name: str) -> list[str]:
    """The whole words of a case."""
    return [item.word for item in heard(built(plan, name)) if item.is_whole]


def test_words_are_cut_out_and_put_in_whole(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        words = list(plan.words)
        n = len(words)
        for share, name in ((0.25, "truncated-25"), (0.5, "truncated-50"), (0.75, "truncated-75")):
            assert said(plan, name) == words[: round(share * n)]
        assert said(plan, "begins-late-50") == words[round(n / 2) :]
        cut = said(plan, "cut-word")
        index = next(k for k in range(n) if words[k] != ([*cut, None])[k])
        assert 0 < index < n - 1
        assert cut == words[:index] + words[index + 1 :]
        twice = said(plan, "repeated-word")
        assert len(twice) == n + 1
        assert any(twice == words[: k + 1] + words[k:] for k in range(n))
        phrase = said(plan, "repeated-phrase")
        count = len(phrase) - n
        assert count in (2, 3)
        assert any(phrase == words[: k + count] + words[k:] for k in range(n))
        assert plan.other is not None
        assert said(plan, "joined") == words + plan.other.text.split()
        assert said(plan, "joined-before") == plan.other.text.split() + words
        lent = said(plan, "inserted-word")
        strange = set(lent) - set(words)
        assert len(strange) == 1
        assert strange <= set(plan.other.text.split())
        assert [word for word in lent if word not in strange] == words
        begun = [item for item in heard(built(plan, "false-start")) if not item.is_whole]
        assert len(begun) == 1
        assert 0.1 < begun[0].end_s - begun[0].start_s < 0.22
        assert said(plan, "false-start") == words


def test_what_is_no_speech_has_the_level_of_the_speech(plans: tuple[Plan, ...]) -> None:
    from elocute.evaluation.distort import active_level_db, rms_db

    level_db = active_level_db(spoken(plans[0].words))
    for name in ("noise-only", "white-only", "pink-only", "hum-only", "chords-only"):
        assert rms_db(built(plans[0], name)) == pytest.approx(level_db, abs=0.05)
    assert len(built(plans[0], "noise-only")) == 80_000
    assert rms_db(built(plans[0], "noise-floor")) == pytest.approx(-70, abs=0.05)
    assert not built(plans[0], "silence").any()
    assert np.array_equal(built(plans[0], "reversed")[::-1], spoken(plans[0].words))


def test_the_corpus_s_phones_hold_for_its_own_text_only(plans: tuple[Plan, ...]) -> None:
    given: dict[str, object] = {}

    class Taking(PerfectAssessor):
        def assess(self, audio, text, *, sample_rate=None, pronunciations=None):
            given[text] = pronunciations
            return super().assess(audio, text, sample_rate=sample_rate)

    phones = tuple(tuple(sorted(pronunciations(word))[0]) for word in plans[0].words)
    plan = replace(plans[0], phones=phones)
    observations(plan, Taking(), [BY_NAME[name] for name in ("wrong-text", "swapped-word", "cut-word")])
    assert given == {plan.text: phones, plan.wrong_text: None, plan.swapped.text: None}


def test_what_cannot_be_made_is_counted_with_its_reason(plans: tuple[Plan, ...]) -> None:
    plan = replace(plans[0], wrong_text=None, short_text=None, swapped=None, other=None)

    class Refusing(PerfectAssessor):
        def assess(self, audio, text, **options):
            report = super().assess(audio, text, **options)
            return replace(report, utterance=replace(report.utterance, total=None))

    def row(assessor, cases, samples=None):
        return observe(
            assessor,
            plan,
            spoken(plan.words) if samples is None else samples,
            cases=[BY_NAME[name] for name in cases],
            recording_of=spoken,
            clip=spoken,
            seed=0,
        )

    reasons = row(PerfectAssessor(), ["wrong-text", "swapped-word", "inserted-word", "joined", "cut-word"])["not_built"]
    assert set(reasons) == {"wrong-text", "swapped-word", "inserted-word", "joined"}
    assert reasons["joined"] == "the corpus has no other utterance with other words"
    unknown = row(Refusing(), ["cut-word", "false-start", "telephone"])
    assert "was not scored" in unknown["not_built"]["cut-word"]
    assert [item["case"] for item in unknown["observations"]] == ["clean", "telephone"]
    long = row(PerfectAssessor(), ["speed-80"], np.resize(spoken(plan.words), 16_000 * 55))
    assert long["not_built"] == {"speed-80": "the recording would be longer than 60 s"}


# --- what is planned -------------------------------------------------------------------------------------------


def test_plans_are_drawn_by_the_seed_alone() -> None:
    first, again, other = (make_plans(corpus(), CLIPS, limit=6, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    fewer = make_plans(corpus(), CLIPS, limit=3, seed=3)
    assert [replace(p, clips=()) for p in fewer.plans] == [replace(p, clips=()) for p in first.plans[:3]]


def test_a_case_is_the_same_whichever_others_are_asked_for(plans: tuple[Plan, ...]) -> None:
    alone = observations(plans[0], PerfectAssessor(), [BY_NAME["repeated-word"]])["repeated-word"]
    assert observations(plans[0], PerfectAssessor())["repeated-word"] == alone
    assert not np.array_equal(built(plans[0], "repeated-word", 1), built(plans[0], "repeated-word", 0))


def test_utterances_are_drawn_evenly_over_speakers() -> None:
    uneven = corpus(count=12, speakers=4)
    crowded = tuple(replace(u, speaker="s0" if k > 3 else u.speaker) for k, u in enumerate(uneven.utterances))
    selection = make_plans(replace(uneven, utterances=crowded), [], limit=5, seed=0)
    assert sorted(selection.speakers) == ["s0", "s0", "s1", "s2", "s3"]
    assert set(selection.speakers[:4]) == {"s0", "s1", "s2", "s3"}


def test_changed_texts_are_what_they_say(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        words = plan.text.split()
        for changed, (low, high) in ((plan.swapped, FAR), (plan.swapped_near, NEAR)):
            assert changed is not None
            other = changed.text.split()
            assert [k for k in range(len(words)) if words[k] != other[k]] == [changed.index]
            assert (other[changed.index], words[changed.index]) == (changed.word, changed.instead_of)
            distance = phone_distance(pronunciations(changed.word), pronunciations(changed.instead_of))
            assert low - 1e-9 <= distance <= high + 1e-9
        assert plan.added is not None
        longer = plan.added.text.split()
        assert longer.pop(plan.added.index) == plan.added.word
        assert longer == words
        assert plan.wrong_text is not None
        assert len(set(plan.wrong_text.split()) & set(words)) <= 0.25 * len(words)
        assert plan.short_text is not None
        assert 2 <= len(plan.short_text.split()) <= max(2, len(words) / 2)
        assert len(set(plan.short_text.split()) & set(words)) <= 0.25 * len(words)


def test_homophones_and_accepted_variants_are_no_other_words() -> None:
    assert phone_distance(pronunciations("their"), pronunciations("there")) == 0
    assert phone_distance(pronunciations("water"), pronunciations("water")) == 0
    assert phone_distance({("K", "AE", "T")}, {("D", "AO", "G", "Z")}) == 1
    assert pronunciations("42") == frozenset()
    assert pronunciations("слово") == frozenset()


def spoken_text(text: str, phones=None) -> SpokenUtterance:
    return SpokenUtterance(id="x", speaker=None, audio=Path("x.wav"), text=text, phones=phones)


def test_texts_are_read_word_by_word_or_left_out_with_a_reason() -> None:
    assert usable_words(spoken_text("Not at this, Tom; apologized!")) == ("not", "at", "this", "tom", "apologized")
    assert usable_words(spoken_text("too few words")) == "fewer than 4 words"
    assert "cannot be read" in usable_words(spoken_text("это не английский язык"))
    texts = ["well said by all of us", "short", "да да да да"]
    mixed = SpokenCorpus(
        name="mixed",
        split=None,
        utterances=tuple(replace(spoken_text(text), id=str(k)) for k, text in enumerate(texts)),
        scored=None,
    )
    selection = make_plans(mixed, [], limit=5, seed=0)
    assert len(selection.plans) == 1
    assert selection.plans[0].wrong_text is not None  # a text need not be long to be wrong
    assert sum(selection.left_out.values()) == 2
    with pytest.raises(ConfigError, match="none of the 1 utterances of mixed can be used"):
        make_plans(replace(mixed, utterances=mixed.utterances[1:2]), [], limit=5, seed=0)


def test_every_clip_of_noise_takes_a_recording_s_place() -> None:
    many = [f"clip{k}" for k in range(11)]
    plans = make_plans(corpus(), many, limit=4, seed=0).plans
    assert sorted(name for plan in plans for name in plan.clips) == sorted(many)
    few = make_plans(corpus(), CLIPS, limit=4, seed=0).plans
    assert all(len(plan.clips) == 1 for plan in few)
    assert {name for plan in few for name in plan.clips} == set(CLIPS)
    assert all(plan.noise is None for plan in make_plans(corpus(), [], limit=2, seed=0).plans)


@pytest.mark.skipif(not (DATA / "speechocean762" / "train").is_dir(), reason="no speechocean762 beside the checkout")
def test_plans_of_the_real_corpus() -> None:
    real = read_spoken(DATA / "speechocean762", "train")
    selection = make_plans(real, CLIPS, limit=30, seed=0)
    assert len(set(selection.speakers)) == 30
    for plan in selection.plans:
        assert plan.phones is not None
        assert len(plan.phones) == len(plan.words) >= 4
        assert plan.wrong_text and plan.swapped and plan.swapped_near and plan.added and plan.other  # noqa: PT018


# --- corpora ---------------------------------------------------------------------------------------------------


def test_layouts_are_told_apart(tmp_path: Path) -> None:
    plain = read_spoken(write_folder(tmp_path / "tones"))
    assert (plain.name, plain.split, plain.has_speakers, len(plain.utterances)) == ("tones", None, False, 6)
    scored = read_spoken(write_corpus(tmp_path / "so"))
    assert (scored.name, scored.split, scored.has_speakers, len(scored.utterances)) == (
        "speechocean762",
        "test",
        True,
        7,
    )
    assert all(len(u.phones) == len(u.text.split()) for u in scored.utterances)
    with pytest.raises(ConfigError, match="has no splits; leave out --split"):
        read_spoken(tmp_path / "tones", "test")
    with pytest.raises(ConfigError, match="holds no corpus that can be read; expected speechocean762"):
        read_spoken(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "audio").mkdir()
    (tmp_path / "empty" / "transcripts.tsv").write_text("")
    with pytest.raises(ConfigError, match="lists no recording"):
        read_spoken(tmp_path / "empty")


# --- what is judged --------------------------------------------------------------------------------------------


def assessed(samples: np.ndarray, text: str, truth: Truth = NO_TRUTH, **change: object) -> Assessed:
    report = PerfectAssessor().assess(samples, text, sample_rate=16_000)
    report = replace(report, utterance=replace(report.utterance, **change))
    return Assessed(recording=Recording(samples=samples, truth=truth), report=report, refusal=None)


WORDS = VOCABULARY[:6]
TEXT = " ".join(WORDS)


@pytest.mark.parametrize(("total", "is_right"), [(None, True), (20.0, True), (20.1, False), (90.0, False)])
def test_what_was_not_asked_for_is_to_be_refused_or_scored_low(total: float | None, is_right: bool) -> None:
    item = assessed(spoken(WORDS), TEXT, total=total)
    assert has_succeeded(BY_NAME["wrong-text"], item, item) is is_right
    error = Assessed(recording=item.recording, report=None, refusal="AudioError: recording is silent")
    assert has_succeeded(BY_NAME["silence"], error, item)
    assert not has_succeeded(BY_NAME["telephone"], error, item)


@pytest.mark.parametrize(
    ("completeness", "is_right"),
    [(50.0, True), (60.0, True), (40.0, True), (61.0, False), (39.0, False), (None, False)],
)
def test_completeness_is_held_against_the_words_that_are_there(completeness: float | None, is_right: bool) -> None:
    truth = Truth(absent=frozenset((3, 4, 5)))
    item = assessed(spoken(WORDS), TEXT, truth, completeness=completeness)
    assert has_succeeded(BY_NAME["truncated-50"], item, item) is is_right


def test_an_extra_entry_elsewhere_is_no_success() -> None:
    words = [*WORDS[:3], WORDS[2], *WORDS[3:]]
    clean = assessed(spoken(WORDS), TEXT)
    for span, is_right in (((0.9, 1.75), True), ((0.0, 0.5), False), ((2.6, 3.0), False)):
        item = assessed(spoken(words), TEXT, Truth(span_s=span))
        assert [word.error for word in item.extra] == ["repetition"]
        assert has_succeeded(BY_NAME["repeated-word"], item, clean) is is_right
        assert not has_succeeded(BY_NAME["joined"], item, clean)  # that takes an insertion
    without = [*words[:-2], words[-1]]
    item = assessed(spoken(without), TEXT, Truth(span_s=(0.9, 1.75)))
    assert not has_succeeded(BY_NAME["repeated-word"], item, clean)  # a word is omitted that was not before


@pytest.mark.parametrize(("moved", "is_right"), [(9.9, True), (-10.0, True), (10.1, False)])
def test_a_distortion_may_move_the_total_a_little(moved: float, is_right: bool) -> None:
    clean = assessed(spoken(WORDS), TEXT, total=80.0)
    item = assessed(spoken(WORDS), TEXT, total=80.0 + moved)
    assert has_succeeded(BY_NAME["reverb"], item, clean) is is_right


def test_kinds_of_warnings_have_no_figures() -> None:
    assert kind_of("audio is clipped (1.2% of samples); lower the microphone's level") == "audio is clipped"
    assert kind_of("the recording has 19 frames; the text needs 23, so speak") == "the recording has N frames"
    assert kind_of("pitch is not measured yet, so the report has none") == "pitch is not measured yet"


def test_every_group_says_what_success_is() -> None:
    assert {case.group for case in CASES} == set(SUCCESS)
    assert len(BY_NAME) == len(CASES)


def test_cases_are_chosen_by_name() -> None:
    assert chosen_cases(["joined", "cut-word"], has_noise=False) == ("clean", "cut-word", "joined")
    assert len(chosen_cases([], has_noise=True)) == len(CASES)
    assert not any(BY_NAME[name].needs_noise for name in chosen_cases([], has_noise=False))
    with pytest.raises(ConfigError, match="'joind' is no case; did you mean 'joined'"):
        chosen_cases(["joind"], has_noise=True)
    with pytest.raises(ConfigError, match="noise-10 needs clips of noise; name their folder with --noise"):
        chosen_cases(["noise-10"], has_noise=False)


# --- what is measured ------------------------------------------------------------------------------------------


def observation(case: str, total: float | None, **change: object) -> Observation:
    return replace(
        Observation(
            utterance="u",
            case=case,
            detail="",
            total=total,
            clean_total=80.0,
            completeness=1.0,
            words=6,
            errors=dict.fromkeys(
                ("omission", "mispronunciation", "truncation", "repetition", "restart", "insertion"), 0
            ),
            has_succeeded=True,
            has_on_clean=None,
            total_change=None,
            phone_change=None,
            phone_distance=None,
            false_omissions=None,
            reasons=(),
            warnings=("usual",),
        ),
        **change,
    )


def result_of(hard: list[Observation], clean: list[float | None], **change: object):
    answers = [
        Answer(
            id=f"u{k}",
            observations=(observation("clean", total), *([hard[k]] if k < len(hard) else [])),
            not_built={} if k < len(hard) else {"reverb": "why not"},
            unreadable=None,
        )
        for k, total in enumerate(clean)
    ]
    speakers = {answer.id: f"s{k % 3}" for k, answer in enumerate(answers)}
    return measure(answers, speakers, draws=50, data={}, provenance={}, settings={}, **change)


def test_refusals_are_lowest_and_count_as_nought() -> None:
    hard = [
        observation("reverb", total, reasons=("usual", "noisy") if total is None else ())
        for total in (None, 80.0, 70.0)
    ]
    result = result_of(hard, [75.0, 80.0, None, 0.0])
    case = result.cases[1]
    # By hand, over 3 hard and 4 clean totals: a refusal is below 0; two refusals tie.
    pairs = [(h, c) for h in (-1, 80, 70) for c in (75, 80, -1, 0)]
    expected = np.mean([1.0 if c > h else 0.5 if c == h else 0.0 for h, c in pairs])
    assert case.separation.value == pytest.approx(expected)
    assert case.separation.low <= expected <= case.separation.high
    assert (case.recordings, case.refused, case.not_built) == (3, 1, {"why not": 1})
    assert (case.total.median, case.total.highest) == (70.0, 80.0)
    assert case.total.p5 == pytest.approx(7.0)
    assert case.reasons == {"noisy": 1}  # "usual" stands in every clean report
    assert result.cases[0].separation is None
    assert result.totals["reverb"] == (None, 80.0, 70.0)


def test_shares_errors_and_changes_are_means() -> None:
    hard = [
        observation(
            "reverb",
            70.0 + k,
            has_succeeded=k > 0,
            total_change=-10.0 + k,
            clean_total=80.0 + k % 2,
            phone_change=-2.0,
            phone_distance=None if k == 0 else 3.0,
            false_omissions=k,
            errors={
                "omission": k,
                "mispronunciation": 1,
                "truncation": 0,
                "repetition": 0,
                "restart": 0,
                "insertion": 0,
            },
        )
        for k in range(4)
    ]
    case = result_of(hard, [80.0] * 4).cases[1]
    assert (case.succeeded, case.success.value) == (3, 0.75)
    assert case.errors["omission"] == 1.5
    assert case.change.pairs == 4
    assert case.change.total.value == pytest.approx(-8.5)
    assert case.change.phone_distance.value == 3.0
    assert case.change.false_omissions.value == pytest.approx(6 / 24)
    assert case.change.pcc.value == pytest.approx(np.corrcoef([80, 81, 80, 81], [70, 71, 72, 73])[0, 1])
    assert [item[2] for item in case.failures] == [70.0]


def test_a_case_of_which_nothing_could_be_made_is_noted() -> None:
    result = result_of([], [80.0, 81.0])
    assert [case.name for case in result.cases] == ["clean"]
    assert any("reverb could not be made of any utterance (why not)" in note for note in result.notes)
    lost = Answer(id="u", observations=(), not_built={}, unreadable="AudioError: recording is silent")
    with pytest.raises(ConfigError, match="none of 1 recordings can be used"):
        measure([lost], {"u": "s"}, draws=5, data={}, provenance={}, settings={})


# --- a run -----------------------------------------------------------------------------------------------------


def test_a_run_is_kept_goes_on_and_is_not_mistaken_for_another(tmp_path: Path) -> None:
    tones = read_spoken(write_folder(tmp_path / "tones", 4))
    selection = make_plans(tones, [], limit=4, seed=0)
    keep = tmp_path / "kept.jsonl"

    def run(names=("cut-word", "joined"), seed=0, identity="perfect", **options):
        return assess_cases(
            tones, selection, keep, cases=names, clips={}, make_assessor=make_perfect, identity=identity, seed=seed,
            workers=1, **options,
        )  # fmt: skip

    first = run()
    assert [answer.id for answer in first] == [plan.id for plan in selection.plans]
    assert all(item.has_succeeded for answer in first for item in answer.observations)
    before = keep.read_bytes()
    assert str(tmp_path).encode() not in before
    # A killed run: the last row torn, the identity still there.
    seen: list[int] = []
    lines = before.splitlines(keepends=True)
    run_file, partial = keep.with_name("kept.jsonl.partial.run"), keep.with_name("kept.jsonl.partial")

    class StoppedError(Exception):
        pass

    def stop_after_two(done: int, total: int) -> None:
        if done == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        run(progress=stop_after_two, fresh=True)
    assert partial.read_bytes() == b"".join(lines[:2])
    assert run_file.exists()
    keep.unlink()
    with pytest.raises(ConfigError, match="was begun with another configuration; go on with the same"):
        run(seed=1)
    assert run(progress=lambda done, total: seen.append(done)) == first
    assert seen[0] == 2
    assert keep.read_bytes() == before
    # A finished file of the same run is read; no worker starts.
    calls: list[int] = []
    assert run(progress=lambda done, total: calls.append(done)) == first
    assert calls == []
    for other in ({"seed": 1}, {"identity": "other models"}, {"names": ("joined",)}):
        with pytest.raises(ConfigError, match="holds a run with other utterances, cases, noise, seed or models"):
            run(**other)
    keep.write_text("not a row\n")
    with pytest.raises(ConfigError, match="is not what this command keeps"):
        run()


def test_a_recording_that_is_none_is_reported_and_does_not_stop_the_run(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tones", 3)
    (folder / "audio" / "u1.wav").write_bytes(b"no audio at all")
    tones = read_spoken(folder)
    selection = make_plans(tones, [], limit=3, seed=0)
    answers = assess_cases(
        tones, selection, tmp_path / "k.jsonl", cases=["cut-word"], clips={}, make_assessor=make_perfect, identity="",
        seed=0, workers=1,
    )  # fmt: skip
    result = measure(
        answers, {plan.id: plan.id for plan in selection.plans}, draws=5, data={}, provenance={}, settings={}
    )
    assert list(result.unreadable) == ["u1"]
    assert "not audio that can be read" in result.unreadable["u1"]
    assert str(tmp_path) not in str(asdict(result))
    assert result.cases[0].recordings == 2
