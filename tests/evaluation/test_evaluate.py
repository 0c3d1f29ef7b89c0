"""Whole evaluations of planted predictions: perfect, noisy, refused, shuffled; and what cannot be evaluated."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from elocute.corpora.experts import ExpertUtterance, ExpertWord
from elocute.corpora.speechocean762 import Annotated, speaker_folds
from elocute.errors import ConfigError
from elocute.evaluation.agreement import score_rows
from elocute.evaluation.baselines import deal_folds, guesses
from elocute.evaluation.evaluate import Protocol, evaluate, make_parts
from elocute.evaluation.predictions import Prediction, read_predictions, write_predictions
from elocute.evaluation.recognition import realised_of
from elocute.evaluation.result import CONSTANT, ECHO, MODEL, PHONE_PRIOR, SPEAKER_MEAN, Evaluation, to_json
from elocute.evaluation.table import build_table, shuffled
from scored_corpus import noisy, perfect, stored, utterances

QUICK = Protocol(draws=40)
CORPUS = utterances(annotated=True)
REFUSED = {"phone": None, "word": None, "utterance": None, "phone_error": None, "heard": None}


def only(rows: Iterable, **wanted):
    """The one row with these values."""
    found = [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]
    assert len(found) == 1, found
    return found[0]


def measured(predictions: list[Prediction], corpus=CORPUS, threshold: float | None = 0.5, **options) -> Evaluation:
    options.setdefault("protocol", QUICK)
    return evaluate(corpus, stored(predictions, threshold), **options)


@pytest.fixture(scope="module")
def flawless() -> Evaluation:
    return measured([perfect(utterance) for utterance in CORPUS])


def test_perfect_predictions_are_perfect_everywhere(flawless: Evaluation) -> None:
    rows = [row for row in flawless.scores if row.predictor == MODEL]
    assert {(row.level, row.score) for row in rows} == {
        ("phone", "accuracy"),
        *(("word", name) for name in ("accuracy", "stress", "total")),
        *(("utterance", name) for name in ("accuracy", "completeness", "fluency", "prosodic", "total")),
    }
    for row in rows:
        assert row.pcc.value == pytest.approx(1.0)
        assert row.scc.value == pytest.approx(1.0)
        assert row.mse.value == 0.0
    found = only(flawless.detection, part="all", predictor=MODEL)
    assert (found.roc_auc.value, found.pr_auc.value) == (1.0, 1.0)
    assert found.shipped is not None
    assert (found.shipped.f1.value, found.shipped.far.value, found.shipped.frr.value) == (1.0, 0.0, 0.0)
    assert flawless.diagnosis is not None
    assert (flawless.diagnosis.der.value, flawless.diagnosis.wrong) == (0.0, 0)
    assert flawless.diagnosis.right == flawless.data["wrong_phones"] > 30
    for hypothesis in ("free decoding", "diagnosis, which knows the text"):
        row = only(flawless.recognition, part="all", reference="phones that people heard", hypothesis=hypothesis)
        assert row.errors == 0
    assert only(flawless.recognition, part="all", unit="word", hypothesis="transcript").rate.value == 0.0


def test_every_table_holds_every_baseline(flawless: Evaluation) -> None:
    everybody = {MODEL, CONSTANT, PHONE_PRIOR, SPEAKER_MEAN, ECHO}
    for key in {(row.part, row.level, row.score) for row in flawless.scores}:
        assert {row.predictor for row in flawless.scores if (row.part, row.level, row.score) == key} == everybody
    for part in ("all", "children", "adults", "female", "male"):
        assert {row.predictor for row in flawless.detection if row.part == part} == everybody
    assert {item.predictor for item in flawless.calibration} == everybody
    assert {row.hypothesis for row in flawless.recognition if row.reference == "phones that people heard"} == {
        "free decoding", "diagnosis, which knows the text", "echo of the text",
    }  # fmt: skip


def test_figures_are_those_of_scipy_and_of_the_definitions() -> None:
    rng = np.random.default_rng(3)
    predictions = [noisy(utterance, rng) for utterance in CORPUS]
    found = measured(predictions)
    truth = np.array([score for utterance in CORPUS for score in utterance.phone_accuracy])
    guess = np.array([score for prediction in predictions for score in prediction.phone])
    row = only(found.scores, part="all", level="phone", score="accuracy", predictor=MODEL)
    assert row.n == len(truth)
    assert row.pcc.value == pytest.approx(stats.pearsonr(truth, guess).statistic)
    assert row.scc.value == pytest.approx(stats.spearmanr(truth, guess).statistic)
    assert row.mse.value == pytest.approx(float(np.square(truth - guess).mean()))
    assert row.rounded.pcc == pytest.approx(stats.pearsonr(truth, np.round(guess)).statistic)
    assert row.rounded.both_pcc == pytest.approx(stats.pearsonr(np.round(truth), np.round(guess)).statistic)
    assert row.rounded.both_mse == pytest.approx(float(np.square(np.round(truth) - np.round(guess)).mean()))
    child = np.array([utterance.is_child for utterance in CORPUS for _ in utterance.phones])
    row = only(found.scores, part="children", level="phone", score="accuracy", predictor=MODEL)
    assert row.pcc.value == pytest.approx(stats.pearsonr(truth[child], guess[child]).statistic)
    point = only(found.detection, part="all", predictor=MODEL).shipped
    flagged = np.array([p for prediction in predictions for p in prediction.phone_error]) >= 0.5
    wrong = truth < 0.5
    counts = [int(part.sum()) for part in (wrong & flagged, ~wrong & flagged, wrong & ~flagged, ~wrong & ~flagged)]
    assert counts == [
        point.true_rejections, point.false_rejections, point.false_acceptances, point.true_acceptances,
    ]  # fmt: skip
    hits, alarms, missed, passed = counts
    assert point.precision.value == pytest.approx(hits / (hits + alarms))
    assert point.recall.value == pytest.approx(hits / (hits + missed))
    assert point.far.value == pytest.approx(1 - point.recall.value)
    assert point.frr.value == pytest.approx(alarms / (alarms + passed))
    best = only(found.detection, part="all", predictor=MODEL).best
    assert best.is_best
    assert best.f1.value >= point.f1.value


def test_with_shuffled_labels_nothing_is_found() -> None:
    corpus = utterances(seed=1, speakers=30, each=10)
    found = measured([perfect(u) for u in corpus], corpus, protocol=Protocol(draws=200, shuffle_seed=1))
    rows = [row for row in found.scores if row.part == "all" and row.predictor == MODEL]
    assert len(rows) == 9
    assert all(row.pcc.low <= 0.0 <= row.pcc.high for row in rows)
    auc = only(found.detection, part="all", predictor=MODEL).roc_auc
    assert auc.low < 0.5 < auc.high
    prior = only(found.scores, part="all", level="phone", score="accuracy", predictor=PHONE_PRIOR)
    assert abs(prior.pcc.value) < 0.1
    assert (found.diagnosis, found.humans, found.recognition, found.confusions) == (None, (), (), ())
    assert any("dealt anew" in note for note in found.notes)
    assert len(found.shuffles) == 9
    for row in found.shuffles:
        assert row.low < 0.0 < row.high
        # The mean of 200 correlations of about 0 +- 1 / sqrt(n).
        assert abs(row.mean) < 4 * (row.high - row.low) / 4 / np.sqrt(row.shuffles)


def test_over_many_shuffles_the_interval_holds_0_about_as_often_as_it_says() -> None:
    corpus = utterances(seed=1, speakers=30, each=10)
    table = build_table(corpus, stored([perfect(u) for u in corpus]))
    part = make_parts(table, Protocol(draws=100))[0]
    held: dict[str, list[bool]] = {}
    for seed in range(60):
        dealt = shuffled(table, seed)
        assert sorted(dealt.phone.truth[:, 0]) == sorted(table.phone.truth[:, 0])
        for row in score_rows(dealt, {MODEL: guesses(dealt, None)[MODEL]}, part):
            held.setdefault(f"{row.level} {row.score}", []).append(row.pcc.low <= 0.0 <= row.pcc.high)
    assert len(held) == 9
    for score, each in held.items():
        assert 0.85 <= np.mean(each) <= 1.0, score
    assert 0.91 <= np.mean(list(held.values())) <= 0.98


def test_baselines_never_see_the_speaker_they_guess_for() -> None:
    corpus = utterances()
    table = build_table(corpus, stored([perfect(utterance) for utterance in corpus]))
    fold = deal_folds(table, 4, 1)
    assert fold is not None
    speakers_of = {k: {corpus[i].speaker for i in np.flatnonzero(fold == k)} for k in range(4)}
    assert sum(len(names) for names in speakers_of.values()) == len(table.speakers)
    before = guesses(table, fold)
    victim = corpus[0].speaker
    spoilt = [
        replace(
            utterance,
            total=0.0,
            words=tuple(
                replace(word, phone_accuracy=tuple(0.0 for _ in word.phones), total=0.0) for word in utterance.words
            ),
        )
        if utterance.speaker == victim
        else utterance
        for utterance in corpus
    ]
    after = guesses(build_table(spoilt, stored([perfect(utterance) for utterance in corpus])), fold)
    mine = np.array([utterance.speaker == victim for utterance in corpus])
    for name in (CONSTANT, PHONE_PRIOR):
        for level in table.levels:
            kept = mine[level.owner]
            assert after[name].scores[level.name][kept] == pytest.approx(before[name].scores[level.name][kept])
            assert not np.allclose(after[name].scores[level.name], before[name].scores[level.name])
        assert after[name].stated[mine[table.phone.owner]] == pytest.approx(
            before[name].stated[mine[table.phone.owner]]
        )
    assert not np.allclose(after[SPEAKER_MEAN].scores["phone"], before[SPEAKER_MEAN].scores["phone"])  # an oracle


def test_the_phone_prior_is_what_other_speakers_got_on_that_phone() -> None:
    corpus = utterances()
    table = build_table(corpus, stored([perfect(utterance) for utterance in corpus]))
    fold = deal_folds(table, 3, 1)
    guess = guesses(table, fold)[PHONE_PRIOR]
    owner, position = 40, sum(len(utterance.phones) for utterance in corpus[:40])
    others = [u for u, k in zip(corpus, fold, strict=True) if k != fold[owner]]

    def mean(phone: str, value) -> float:
        return float(
            np.mean([value(u, w, i) for u in others for w in u.words for i, p in enumerate(w.phones) if p == phone])
        )

    first = corpus[owner].words[0]
    expected = [mean(phone, lambda u, w, i: w.phone_accuracy[i]) for phone in first.phones]
    assert guess.scores["phone"][position : position + len(expected), 0] == pytest.approx(expected)
    word = sum(len(utterance.words) for utterance in corpus[:40])
    expected_word = np.mean([mean(phone, lambda u, w, i: w.total) for phone in first.phones])
    assert guess.scores["word"][word, 2] == pytest.approx(expected_word)
    expected_whole = np.mean([mean(phone, lambda u, w, i: u.fluency) for phone in corpus[owner].phones])
    assert guess.scores["utterance"][owner, 2] == pytest.approx(expected_whole)


def test_what_is_not_scored_counts_with_the_model_s_own_mean() -> None:
    predictions = [perfect(utterance) for utterance in CORPUS]
    predictions[0] = replace(predictions[0], **REFUSED, reason="too short")
    predictions[5] = replace(predictions[5], **REFUSED, reason="too short")
    predictions[6] = replace(predictions[6], word=[(4.0, None, 4.0) for _ in CORPUS[6].words], omitted=(0,))
    table = build_table(CORPUS, stored(predictions))
    assert (table.unscored.utterances, table.unscored.values) == (2, len(CORPUS[6].words))
    assert table.unscored.reasons == {"too short": 2}
    assert table.unscored.ids == (CORPUS[0].id, CORPUS[5].id)
    rest = [score for p in predictions if p.phone is not None for score in p.phone]
    refused = np.isin(table.phone.owner, [0, 5])
    assert table.phone.predicted[refused, 0] == pytest.approx(np.full(refused.sum(), np.mean(rest)))
    assert len(table.phone.truth) == sum(len(utterance.phones) for utterance in CORPUS)  # nothing is dropped
    assert table.flagged is not None
    assert not table.flagged[refused].any()
    omitted = (table.phone.owner == 6) & (table.word_of_phone == sum(len(u.words) for u in CORPUS[:6]))
    assert table.flagged[omitted].all()
    given = table.word.predicted[table.word.owner != 6]
    stress = [word[1] for p in predictions for word in p.word or () if word[1] is not None]
    assert table.word.predicted[table.word.owner == 6, 1] == pytest.approx(
        np.full(len(CORPUS[6].words), np.mean(stress))
    )
    assert np.isfinite(given).all()
    found = measured(predictions)
    assert only(found.scores, part="all", level="phone", score="accuracy", predictor=MODEL).pcc.value < 1.0


NOTATION = {
    "S": ("phone", "S"), "OW1": ("phone", "OW"), "L*": ("approximate", "L"), "ah0*": ("approximate", "AH"),
    "<DEL>": ("deleted", None), "<unk>": ("unknown", None), "*": ("unknown", None),
}  # fmt: skip


@pytest.mark.parametrize("pronounced", NOTATION)
def test_the_corpus_s_notation_is_read(pronounced: str) -> None:
    found = realised_of(pronounced)
    assert (found.kind, found.phone) == NOTATION[pronounced]


@pytest.mark.parametrize(
    ("pronounced", "heard", "right", "strictly_right"),
    [
        ("S", "S", True, True),
        ("S", "T", False, False),
        ("<DEL>", None, True, True),
        ("<DEL>", "S", False, False),
        ("S", None, False, False),
        ("L*", "L", True, True),  # the canonical phone, distorted
        ("L*", "S", False, False),
        ("S*", "S", True, False),  # close to S: names S, and that is not quite it
        ("<unk>", "S", None, None),
        ("", "S", None, None),  # no annotation of this phone
    ],
)
def test_diagnoses_are_judged_by_the_annotation(pronounced, heard, right, strictly_right) -> None:
    corpus = utterances(speakers=4, each=3, annotated=True)
    first = corpus[0]
    word = replace(
        first.words[0],
        phones=("K", "L"),
        phone_accuracy=(2.0, 0.2),
        mispronunciations=(Annotated(index=1, canonical="L", pronounced=pronounced),) if pronounced else (),
    )
    fine = tuple(
        replace(
            other,
            words=tuple(replace(w, phone_accuracy=(2.0,) * len(w.phones), mispronunciations=()) for w in other.words),
        )
        for other in corpus[1:]
    )
    corpus = [replace(first, words=(word,)), *fine]
    predictions = [perfect(utterance) for utterance in corpus]
    predictions[0] = replace(predictions[0], heard=("K", heard))
    found = measured(predictions, corpus).diagnosis
    assert found is not None
    if right is None:
        assert (found.right, found.wrong, found.der.value) == (0, 0, None)
        assert (found.unknown, found.unannotated) == ((1, 0) if pronounced else (0, 1))
    else:
        assert (found.right, found.wrong) == ((1, 0) if right else (0, 1))
        assert (found.der.value, found.der_strict.value) == (1 - right, 1 - strictly_right)
        assert found.approximate == pronounced.endswith("*")


def test_an_annotation_of_a_phone_that_is_not_there_is_counted_and_left_out() -> None:
    corpus = utterances(speakers=4, each=3, annotated=True)
    strange = (Annotated(index=9, canonical="K", pronounced="S"), Annotated(index=0, canonical="ZH", pronounced="S"))
    corpus[0] = replace(corpus[0], words=(replace(corpus[0].words[0], mispronunciations=strange),))
    found = measured([perfect(utterance) for utterance in corpus], corpus)
    assert found.diagnosis is not None
    assert found.diagnosis.contradictory == 2


def test_error_rates_count_edits() -> None:
    corpus = utterances(speakers=4, each=3, annotated=True)
    word = replace(
        corpus[0].words[0],
        phones=("K", "L", "S", "T"),
        phone_accuracy=(2.0, 0.2, 0.0, 0.4),
        mispronunciations=(
            Annotated(index=1, canonical="L", pronounced="<DEL>"),
            Annotated(index=2, canonical="S", pronounced="<unk>"),
            Annotated(index=3, canonical="T", pronounced="T*"),
        ),
    )
    corpus = [replace(corpus[0], words=(word,), text="A B")]
    (prediction,) = [
        replace(perfect(item), perceived=("K", "S", "T", "IY"), heard=("K", None, "S", "T"), transcript="a c")
        for item in corpus
    ]
    found = measured([prediction], corpus)
    said = {
        row.hypothesis: (row.errors, row.reference_length)
        for row in found.recognition
        if row.unit == "phone" and row.part == "all"
    }
    # People heard K <unk> T: nobody hits <unk>.
    assert said == {
        "free decoding": (2, 3),
        "diagnosis, which knows the text": (1, 3),
        "echo of the text": (2, 3),
    }
    assert only(found.recognition, part="all", unit="word", hypothesis="transcript").rate.value == 0.5
    assert {(row.canonical, row.heard): row.n for row in found.annotated_confusions} == {
        ("L", None): 1, ("S", "<unk>"): 1, ("T", "T*"): 1,
    }  # fmt: skip


def test_free_decoding_is_held_against_the_text_only_where_it_was_said_well() -> None:
    corpus = utterances(speakers=4, each=3)
    for i in (0, 1):
        corpus[i] = replace(
            corpus[i], words=tuple(replace(w, phone_accuracy=(1.8,) * len(w.phones)) for w in corpus[i].words)
        )
    predictions = [perfect(utterance) for utterance in corpus]
    predictions[1] = replace(predictions[1], perceived=())
    found = measured(predictions, corpus)
    row = only(found.recognition, part="all", unit="phone", hypothesis="free decoding")
    well = [u for u in corpus if min(u.phone_accuracy) >= 1.8]
    assert row.utterances == len(well)
    assert (row.errors, row.reference_length) == (len(corpus[1].phones), sum(len(u.phones) for u in well))
    assert any("lack `mispronunciations`" in note for note in found.notes)
    assert found.diagnosis is None


def test_a_recording_of_which_nothing_was_made_is_an_empty_string_and_its_text_is_not_flagged() -> None:
    predictions = [perfect(utterance) for utterance in CORPUS]
    predictions[2] = replace(predictions[2], **REFUSED, reason="silent", perceived=None, transcript=None)
    found = measured(predictions)
    said = {"part": "all", "reference": "phones that people heard"}
    free = only(found.recognition, hypothesis="free decoding", **said)
    told = only(found.recognition, hypothesis="diagnosis, which knows the text", **said)
    lost = [p for p in perfect(CORPUS[2]).heard if p is not None]
    assert free.errors == len(lost)
    assert told.errors == sum(score < 0.5 for score in CORPUS[2].phone_accuracy)
    assert free.utterances == told.utterances == len(CORPUS)
    words = only(found.recognition, part="all", unit="word", hypothesis="transcript")
    assert words.errors == len(CORPUS[2].words)


def experts_of(corpus, opinions) -> list[ExpertUtterance]:
    """Experts whose every score is a function of the expert's number and the corpus's score."""

    def each(score: float) -> tuple[float, ...]:
        return tuple(opinions(k, score) for k in range(5))

    return [
        ExpertUtterance(
            id=u.id,
            **{name: each(getattr(u, name)) for name in ("accuracy", "completeness", "fluency", "prosodic", "total")},
            words=tuple(
                ExpertWord(
                    accuracy=each(w.accuracy),
                    stress=each(w.stress),
                    total=each(w.total),
                    phones=tuple(tuple(opinions(k, score) for score in w.phone_accuracy) for k in range(5)),
                )
                for w in u.words
            ),
        )
        for u in corpus
    ]


def test_experts_who_agree_are_a_ceiling_of_1_whatever_their_severity() -> None:
    corpus = utterances()
    found = measured(
        [perfect(u) for u in corpus], corpus, experts=experts_of(corpus, lambda k, score: 0.5 * score + 0.1 * k)
    )
    assert len({(row.level, row.score) for row in found.humans}) == 9
    for row in found.humans:
        assert row.pcc.value == pytest.approx(1.0)
        assert row.pcc_of_each == pytest.approx([1.0] * 5)
        assert row.coverage == 1.0
    assert only(found.humans, part="all", level="phone", score="accuracy", against="mean").mse.value > 0


def test_the_human_ceiling_is_each_expert_against_the_others() -> None:
    corpus = utterances()
    rng = np.random.default_rng(0)
    experts = experts_of(corpus, lambda k, score: float(np.clip(round(score + rng.normal(scale=0.7)), 0, 2)))
    # One expert wrote the first word otherwise, and the last utterance lacks an expert.
    experts[0] = replace(experts[0], words=(replace(experts[0].words[0], phones=None), *experts[0].words[1:]))
    experts[-1] = replace(experts[-1], total=experts[-1].total[:4])
    found = measured([perfect(u) for u in corpus], corpus, experts=experts)
    marks = np.array([m for e in experts for w in e.words if w.phones is not None for m in zip(*w.phones, strict=True)])
    others = np.stack([np.delete(marks, k, axis=1).mean(axis=1) for k in range(5)], axis=1)
    row = only(found.humans, part="all", level="phone", score="accuracy", against="mean")
    each = [stats.pearsonr(marks[:, k], others[:, k]).statistic for k in range(5)]
    assert row.pcc.value == pytest.approx(np.mean(each))
    assert row.pcc_of_each == pytest.approx(each)
    assert (row.items, row.experts) == (len(marks), 5)
    assert row.coverage == pytest.approx(len(marks) / found.data["phones"])
    flagged, wrong = marks == 0, others < 0.5
    ceiling = only(found.human_detection, part="all")
    assert ceiling.f1.value == pytest.approx(2 * (flagged & wrong).sum() / (flagged.sum() + wrong.sum()))
    totals = only(found.humans, part="all", level="utterance", score="total", against="median")
    assert totals.items == len(corpus) - 1


def test_folds_are_reported_one_by_one_with_mean_and_spread() -> None:
    corpus = utterances()
    rng = np.random.default_rng(1)
    found = measured([noisy(u, rng) for u in corpus], corpus, protocol=Protocol(draws=20, folds=3))
    fold_of = speaker_folds(corpus, 3, 1)
    each = []
    for k in range(3):
        row = only(found.scores, part=f"fold {k + 1}", level="phone", score="accuracy", predictor=MODEL)
        assert row.n == sum(len(u.phones) for u in corpus if fold_of[u.speaker] == k)
        each.append(row.pcc.value)
    summary = only(found.folds, level="phone", score="accuracy", metric="pcc")
    assert (summary.mean, summary.sd) == pytest.approx((np.mean(each), np.std(each, ddof=1)))
    with pytest.raises(ConfigError, match="folds is 13; expected 2 to 12, the number of speakers"):
        measured([perfect(u) for u in corpus], corpus, protocol=Protocol(folds=13))


def test_the_same_predictions_give_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    predictions = [noisy(u, rng) for u in CORPUS]
    pages = []
    for name, order in (("a.gz", 1), ("b.gz", -1)):
        write_predictions(tmp_path / name, {"threshold": 0.5}, predictions[::order])
        pages.append(to_json(evaluate(CORPUS, read_predictions(tmp_path / name), protocol=QUICK)))
    assert pages[0] == pages[1]
    plain = json.loads(pages[0])
    assert plain["format"] == "elocute evaluation 1"
    assert {row["predictor"] for row in plain["scores"]} >= {"model", "constant"}
    assert "NaN" not in pages[0]


def test_calibration_bins_hold_every_phone(flawless: Evaluation) -> None:
    for item in flawless.calibration:
        assert sum(row.n for row in item.bins) == flawless.data["phones"]
        assert all(row.low <= row.stated <= row.high + 1e-12 for row in item.bins)
    assert only(flawless.calibration, predictor=MODEL).ece.value == 0.0
    base = flawless.data["wrong_phones"] / flawless.data["phones"]
    assert only(flawless.calibration, predictor=ECHO).ece.value == pytest.approx(base)


def test_histograms_and_confusions_hold_every_item(flawless: Evaluation) -> None:
    phones = [row for row in flawless.histograms if row.level == "phone"]
    assert sum(row.n for row in phones) == flawless.data["phones"]
    assert all(row.low <= row.label <= row.high + 1e-9 for row in phones)
    assert sum(row.n for row in flawless.confusions) == flawless.data["phones"]
    assert sum(row.wrong for row in flawless.confusions) == flawless.data["wrong_phones"]
    assert sum(row.n for row in flawless.phones) == flawless.data["phones"]


def test_a_model_without_detector_is_ranked_by_its_scores() -> None:
    found = measured(
        [replace(perfect(u), phone_error=None, heard=None, perceived=None, transcript=None) for u in CORPUS]
    )
    row = only(found.detection, part="all", predictor=MODEL)
    assert (row.roc_auc.value, row.shipped) == (1.0, None)
    assert found.settings["detector"] == "1 - phone score / 2"
    assert (found.calibration, found.diagnosis) == ((), None)
    for reason in ("no probability of an error", "no DER", "no PER of free decoding", "no WER", "no human ceiling"):
        assert any(note.startswith(reason) for note in found.notes), reason


def test_a_model_without_threshold_has_no_shipped_point() -> None:
    found = measured([perfect(u) for u in CORPUS], threshold=None)
    assert only(found.detection, part="all", predictor=MODEL).shipped is None
    assert only(found.detection, part="all", predictor=MODEL).roc_auc.value == 1.0
    assert any("no threshold" in note for note in found.notes)


def test_a_score_that_is_never_given_is_not_evaluated() -> None:
    predictions = [
        replace(p, utterance={k: v for k, v in p.utterance.items() if k != "completeness"})
        for p in map(perfect, CORPUS)
    ]
    found = measured(predictions)
    assert not [row for row in found.scores if row.score == "completeness"]
    assert found.notes[0] == "not predicted and so not evaluated: utterance completeness"


def test_one_speaker_is_enough_for_figures_but_not_for_intervals_and_priors() -> None:
    corpus = utterances(speakers=1)
    found = measured([perfect(u) for u in corpus], corpus)
    row = only(found.scores, part="all", level="phone", score="accuracy", predictor=MODEL)
    assert (row.pcc.value, row.pcc.low) == (pytest.approx(1.0), None)
    assert {row.predictor for row in found.scores} == {MODEL, SPEAKER_MEAN, ECHO}
    assert any("no constant and no phone prior" in note for note in found.notes)


def test_predictions_that_do_not_fit_are_refused() -> None:
    predictions = [perfect(u) for u in CORPUS]
    with pytest.raises(ConfigError, match=rf"lack 2 of {len(CORPUS)} utterances, first {CORPUS[0].id}"):
        measured(predictions[2:])
    short = replace(predictions[3], phone=predictions[3].phone[:-1])
    with pytest.raises(ConfigError, match=rf"{CORPUS[3].id} has \d+ phones, its prediction \d+; .* canonical phones"):
        measured([*predictions[:3], short, *predictions[4:]])
    wordless = replace(predictions[3], word=[])
    with pytest.raises(ConfigError, match=rf"{CORPUS[3].id} has \d+ words, its prediction 0"):
        measured([*predictions[:3], wordless, *predictions[4:]])
    with pytest.raises(ConfigError, match=f"none of the {len(CORPUS)} utterances is scored"):
        measured([replace(p, **REFUSED, reason="silent") for p in predictions])
