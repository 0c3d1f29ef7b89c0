"""Measures of localisation: what made-up assessors get, from the one that knows everything to the one that is deaf."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from cli_reports import phone, report, word

from elocute.evaluation.localisation import is_heard, pair_rows, part_row, parts_of, summarise, to_json
from elocute.evaluation.localisation_measures import Outcome, Trial, lowest, measure, with_control
from elocute.evaluation.localisation_planting import KINDS, Place, Planted, flat_index
from elocute.evaluation.localisation_run import Trials, outcome_of
from elocute.report import Heard, PhoneReport, Report, UtteranceScores, WordReport
from elocute.training.planting import SAID_INSTEAD

WORDS = (("TH", "IH", "NG", "K"), ("Y", "UW"), ("S", "T", "AA", "P"))
PLACES = tuple(Place(word=w, phone=p) for w, phones in enumerate(WORDS) for p in range(len(phones)))


def error(kind: str, place: Place, said: str | None = None) -> Planted:
    own = WORDS[place.word][place.phone]
    canonical = None if kind == "insertion" else own
    instead = said or {"substitution": SAID_INSTEAD[own].split()[1], "deletion": None, "insertion": "OY"}[kind]
    return Planted(kind=kind, place=place, canonical=canonical, said=instead)  # type: ignore[arg-type]


def trial(planted: Planted, speaker: str = "1", **changes: object) -> Trial:
    facts: dict[str, object] = {
        "id": "utterance",
        "speaker": speaker,
        "source": "splice",
        "planted": planted,
        "phones": WORDS,
        "clean_index": tuple(range(10)),
        "is_good": (True,) * 10,
    }
    return Trial(**(facts | changes))  # type: ignore[arg-type]


def wrong(symbol: str, said: str | None, score: float = 10.0, **changes: object) -> PhoneReport:
    kind = "deletion" if said is None else "substitution"
    candidates = (
        Heard(phone=said, probability=0.8),
        Heard(phone=symbol, probability=0.1),
        Heard(phone="ZH", probability=0.1),
    )
    return phone(symbol, score, **({"actual": said, "error": kind, "probability": 0.9, "nbest": candidates} | changes))


def inserted(said: str) -> PhoneReport:
    return phone(said, None, expected=None, actual=said, error="insertion", probability=0.8)


def said_report(
    changed: dict[int, PhoneReport] | None = None, extra: dict[tuple[int, int], PhoneReport] | None = None
) -> Report:
    """All phones right, but for those changed (by number), with extra ones before a phone (word, position)."""
    words, number = [], 0
    for w, phones in enumerate(WORDS):
        entries = []
        for p, symbol in enumerate(phones):
            entries += [(extra or {})[w, p]] if (w, p) in (extra or {}) else []
            entries.append((changed or {}).get(number, phone(symbol)))
            number += 1
        entries += [(extra or {})[w, len(phones)]] if (w, len(phones)) in (extra or {}) else []
        words.append(word("word", entries, text_index=w))
    return report(words)


def perfect(planted: Planted) -> Report:
    if planted.kind == "insertion":
        return said_report(extra={(planted.place.word, planted.place.phone + 1): inserted(str(planted.said))})
    at = flat_index(WORDS, planted.place)
    return said_report({at: wrong(str(planted.canonical), planted.said)})


def test_a_perfect_assessor_gets_everything() -> None:
    outcomes = [
        measure(trial(error(kind, place), speaker=str(n % 3)), said_report(), perfect(error(kind, place)))
        for kind in KINDS
        for n, place in enumerate(PLACES)
    ]
    row = part_row("all", outcomes, 50)
    assert (row.n, row.replaced, row.inserted, row.speakers) == (30, 20, 10, 3)
    for share in (
        row.lowest_in_word, row.lowest_in_utterance, row.place_reported, row.found_either, row.actual_named, row.top1,
        row.top3, row.top1_of_flagged, row.recall, row.recall_or_unsure, row.precision,
    ):  # fmt: skip
        assert share.value == 1.0
    for share in (row.beside_share, row.others_share, row.alarms_before, row.alarms_after, row.omitted):
        assert share.value == 0.0
    assert row.own_drop.value == 86.0
    assert row.own_drop_quantiles == (86.0,) * 5
    assert (row.inserted_before, row.inserted_after) == (0.0, 0.0)
    assert row.top1_naive == 0.0
    assert row.top3_naive == pytest.approx(10 / 30)  # the substitutions name the second commonest error
    # 4, 2 and 4 phones in the words of 4, 2 and 4 places: three words' worth of places.
    assert row.lowest_in_word_naive == pytest.approx(3 / 10)
    assert row.lowest_in_utterance_naive == pytest.approx(1 / 10)


def test_where_the_whole_word_sinks_the_neighbours_sink_as_far() -> None:
    outcomes = []
    for place in PLACES:
        planted = error("substitution", place)
        begin = flat_index(WORDS, Place(word=place.word, phone=0))
        sunk = {begin + p: wrong(symbol, "ZH") for p, symbol in enumerate(WORDS[place.word])}
        outcomes.append(measure(trial(planted), said_report(), said_report(sunk)))
    row = part_row("all", outcomes, 10)
    assert row.others_share.value == pytest.approx(1.0)
    inside = [one for one in outcomes if 0 < one.phone_index < one.phones_in_word - 1]
    assert part_row("inner", inside, 10).beside_share.value == pytest.approx(1.0)
    assert row.lowest_in_word.value == pytest.approx(0.3)  # all share the lowest score: no better than chance
    assert row.alarms_after.value == pytest.approx(sum(one.phones_in_word - 1 for one in outcomes) / 90)
    assert row.precision.value == pytest.approx(10 / sum(one.phones_in_word for one in outcomes))


def test_a_deaf_assessor_finds_nothing() -> None:
    outcomes = [measure(trial(error(kind, place)), said_report(), said_report()) for kind in KINDS for place in PLACES]
    row = part_row("all", outcomes, 10)
    assert row.lowest_in_word.value == pytest.approx(row.lowest_in_word_naive)
    assert row.lowest_in_utterance.value == pytest.approx(row.lowest_in_utterance_naive)
    for share in (row.recall, row.actual_named, row.top1, row.top3, row.place_reported, row.own_drop):
        assert share.value == 0.0
    assert row.precision.value is None
    assert row.beside_share.value is None
    assert row.top1_of_flagged.value is None
    assert row.neighbour_lowest.value == pytest.approx(
        np.mean([1 / 2] * 3 + [1 / 4] + [1] + [1 / 2] + [1 / 2] * 3 + [1 / 4])
    )


def test_drops_are_against_the_clean_recording() -> None:
    clean = said_report({0: phone("TH", 60.0), 1: phone("IH", 80.0), 2: phone("NG", 70.0)})
    planted = said_report({0: phone("TH", 50.0), 1: wrong("IH", "IY", 30.0), 2: phone("NG", 70.0), 3: phone("K", 90.0)})
    found = measure(trial(error("substitution", Place(word=0, phone=1))), clean, planted)
    assert found.own_drop == pytest.approx(50.0)
    assert found.beside_drop == pytest.approx(5.0)
    assert found.others_drop == pytest.approx(16.0 / 3)
    row = part_row("all", [found], 10)
    assert row.beside_share.value == pytest.approx(0.1)
    assert row.beside_share.low is None  # one speaker has no interval


def test_neighbours_are_beside_it_in_the_sentence() -> None:
    clean, place = said_report(), Place(word=0, phone=3)
    planted = said_report({3: wrong("K", "G"), 4: phone("Y", 46.0)})
    found = measure(trial(error("substitution", place, "G")), clean, planted)
    assert found.beside_drop == pytest.approx(25.0)
    assert found.others_drop == 0.0
    first = measure(
        trial(error("substitution", PLACES[0])), clean, said_report({0: wrong("TH", "F"), 1: phone("IH", 90.0)})
    )
    assert first.beside_drop == pytest.approx(6.0)


def test_a_phone_that_only_the_changed_text_has_is_compared_with_those_beside_it() -> None:
    """Clean: TH NG K ...; the text then asks for TH IH NG K."""
    index = (0, None, *range(1, 9))
    before = report([
        word("a", [phone("TH", 80.0), phone("NG", 60.0), phone("K")], text_index=0),
        word("b", [phone("Y"), phone("UW")], text_index=1),
        word("c", [phone(symbol) for symbol in WORDS[2]], text_index=2),
    ])  # fmt: skip
    planted = said_report({0: phone("TH", 75.0), 1: wrong("IH", None, 20.0), 2: phone("NG", 58.0)})
    found = measure(trial(error("deletion", Place(word=0, phone=1)), clean_index=index, source="text"), before, planted)
    assert found.own_drop == pytest.approx(50.0)
    assert found.beside_drop == pytest.approx(3.5)
    assert found.alarms_before == 0
    assert found.top1
    assert found.actual_named


def test_a_deletion_is_named_by_nothing_and_only_when_flagged() -> None:
    planted = error("deletion", Place(word=2, phone=1))
    silent = wrong("T", None, 70.0, error=None, actual="T")
    found = measure(trial(planted), said_report(), said_report({7: silent}))
    assert (found.actual_named, found.flagged, found.top1) == (False, False, True)
    third = phone("T", nbest=tuple(Heard(phone=x, probability=0.2) for x in ("T", "D", "K", None)))
    found = measure(trial(planted), said_report(), said_report({7: third}))
    assert (found.top1, found.top3) == (False, True)  # the canonical phone is no candidate for what was said instead
    fourth = phone("T", nbest=tuple(Heard(phone=x, probability=0.2) for x in ("T", "D", "K", "P", None)))
    assert not measure(trial(planted), said_report(), said_report({7: fourth})).top3


def test_insertions_are_found_in_their_place_only() -> None:
    planted = error("insertion", Place(word=0, phone=3))
    for place, hit in (((0, 4), True), ((1, 0), True), ((0, 3), False), ((1, 1), False)):
        found = measure(trial(planted), said_report(), said_report(extra={place: inserted("OY")}))
        assert found.place_reported is hit
        assert found.flagged is hit
        assert found.top1 is hit
        assert found.inserted_after == (not hit)
    inner = error("insertion", Place(word=0, phone=1))
    found = measure(trial(inner), said_report(), said_report({2: phone("NG", 40.0)}, {(0, 2): inserted("S")}))
    assert (found.place_reported, found.top1, found.neighbour_lowest) == (True, False, 1.0)
    assert found.beside_drop == pytest.approx(28.0)
    assert (found.own_drop, found.lowest_in_word, found.score) == (None, None, None)


def test_an_insertion_between_words_may_be_a_word_of_its_own() -> None:
    def extra(*entries: PhoneReport, **changes: object) -> WordReport:
        return word("/ɔɪ/", entries, None, text_index=None, **({"error": "insertion"} | changes))

    planted = error("insertion", Place(word=0, phone=3))
    words = said_report().words
    found = measure(trial(planted), said_report(), report([words[0], extra(inserted("OY")), *words[1:]]))
    assert (found.place_reported, found.flagged, found.top1, found.extra_after) == (True, True, True, 0)
    nameless = measure(trial(planted), said_report(), report([words[0], extra(), *words[1:]]))
    assert (nameless.place_reported, nameless.flagged, nameless.top1) == (True, True, False)
    elsewhere = measure(trial(planted), said_report(), report([extra(inserted("OY")), *words]))
    assert (elsewhere.place_reported, elsewhere.flagged, elsewhere.extra_after) == (False, False, 1)
    inner = error("insertion", Place(word=0, phone=2))
    assert not measure(trial(inner), said_report(), report([words[0], extra(inserted("OY")), *words[1:]])).flagged
    again = report([words[0], extra(inserted("OY"), error="repetition"), *words[1:]])
    assert not measure(trial(planted), again, again).flagged
    assert measure(trial(planted), again, again).extra_before == 1


def test_only_phones_known_to_be_good_can_be_false_alarms() -> None:
    changed = {0: wrong("TH", "S"), 5: wrong("UW", "OW"), 9: wrong("P", "B")}
    good = (True,) * 9 + (False,)
    clean = said_report({5: wrong("UW", "OW"), 9: wrong("P", "B")})
    extra = {(2, 2): inserted("IH")}
    found = measure(trial(error("substitution", PLACES[0], "S"), is_good=good), clean, said_report(changed, extra))
    assert (found.untouched, found.alarms_before, found.alarms_after) == (8, 1, 1)
    assert (found.beside, found.alarms_beside) == (1, 0)
    assert found.inserted_after == 0  # its word has a phone that may well be wrong
    assert not found.flagged_before
    assert part_row("all", [found], 10).precision.value == 0.5


def test_unsure_is_no_flag() -> None:
    doubtful = phone("TH", 60.0, is_unsure=True, probability=0.4)
    found = measure(
        trial(error("substitution", PLACES[0])),
        said_report(),
        said_report({0: doubtful, 8: phone("AA", is_unsure=True)}),
    )
    assert (found.flagged, found.flagged_or_unsure, found.unsure_after) == (False, True, 1)
    assert found.probability == 0.4


def test_a_report_without_scores_has_found_nothing() -> None:
    nothing = UtteranceScores(accuracy=None, fluency=None, prosody=None, completeness=None, total=None)
    bare = [
        word("w", [phone(symbol, None, actual=None) for symbol in phones], None, text_index=w)
        for w, phones in enumerate(WORDS)
    ]
    outcomes = [
        measure(trial(error(kind, PLACES[1])), said_report(), report(bare, utterance=nothing)) for kind in KINDS
    ]
    row = part_row("all", outcomes, 10)
    assert row.unscored == 3
    assert row.lowest_in_word.value == row.recall.value == row.top1.value == row.actual_named.value == 0.0
    assert row.own_drop.value is None
    assert row.own_drop_quantiles is None


def test_an_omitted_word_is_told_apart() -> None:
    words = list(said_report().words)
    words[1] = word("you", [wrong("Y", None, 0.0), wrong("UW", None, 0.0)], 0.0, text_index=1, error="omission")
    found = measure(trial(error("deletion", Place(word=1, phone=0))), said_report(), report(words))
    assert found.omitted
    assert found.lowest_in_word == 0.5
    assert found.alarms_after == 1


def test_the_control_is_a_splice_that_changes_nothing() -> None:
    found = measure(trial(error("substitution", PLACES[2])), said_report(), perfect(error("substitution", PLACES[2])))
    assert found.control_drop is None
    silent = with_control(found, 2, said_report(), said_report({2: phone("NG", 95.0)}))
    loud = with_control(found, 2, said_report(), said_report({2: wrong("NG", "N", 56.0)}))
    assert (silent.control_drop, silent.control_flagged) == (1.0, False)
    assert (loud.control_drop, loud.control_flagged) == (40.0, True)
    row = part_row("all", [found, silent, loud], 10)
    assert (row.control_drop.value, row.control_flagged.value) == (20.5, 0.5)


def test_a_report_of_other_phones_is_refused() -> None:
    with pytest.raises(ValueError, match="other canonical phones"):
        measure(
            trial(error("substitution", PLACES[0]), phones=(("TH", "IH"), *WORDS[1:])), said_report(), said_report()
        )


def test_lowest_shares_ties() -> None:
    assert lowest([3.0, 1.0, 1.0], 1, range(3)) == 0.5
    assert lowest([3.0, 1.0, 2.0], 2, range(3)) == 0.0
    assert lowest([3.0, 1.0, 2.0], 2, [0, 2]) == 1.0
    assert lowest(None, 0, range(3)) == 0.0


def some_outcomes() -> list[Outcome]:
    found = []
    for n, (kind, place) in enumerate((kind, place) for kind in KINDS for place in PLACES):
        planted = error(kind, place)
        heard = ("S",) if n % 2 else (str(planted.said),)
        one = trial(
            planted, str(n % 4), source=("splice", "flite", "text")[n % 3], heard_at_place=None if n % 3 == 2 else heard
        )
        found.append(measure(one, said_report(), perfect(planted) if n % 4 else said_report()))
    return found


def test_parts_are_of_all_sources_kinds_and_classes() -> None:
    outcomes = some_outcomes()
    parts = dict(parts_of(outcomes))
    assert set(parts) >= {"all", "splice", "text deletion", "insertion", "vowels", "stops", "approximants"}
    assert "affricates" not in parts
    assert len(parts["splice"]) + len(parts["flite"]) + len(parts["text"]) == len(parts["all"]) == 30
    assert {one.canonical for one in parts["nasals"]} == {"NG"}


def test_intervals_are_over_speakers() -> None:
    row = part_row("all", some_outcomes(), 200)  # speaker 0's errors are all missed, nobody else's is
    assert row.speakers == 4
    assert row.recall.value == pytest.approx(22 / 30)
    assert row.recall.low is not None
    assert row.recall.low < 0.5
    assert row.recall.high == 1.0


def test_pairs_come_worst_first() -> None:
    outcomes = some_outcomes()
    rows = pair_rows(outcomes)
    assert sum(row.n for row in rows) == 30
    assert [row.missed for row in rows] == sorted((row.missed for row in rows), reverse=True)
    assert all(row.error_heard is None for row in rows if row.source == "text")
    assert all(row.error_heard is not None for row in rows if row.source != "text")
    assert sum(row.flagged for row in rows) == 22


def test_an_error_is_heard_if_what_was_said_is_and_what_should_be_is_not() -> None:
    def heard(kind: str, *phones: str) -> bool:
        one = trial(error(kind, PLACES[0], "S" if kind == "substitution" else None), heard_at_place=phones)
        return is_heard(measure(one, said_report(), said_report()))

    assert heard("substitution", "S", "IH")
    assert not heard("substitution", "S", "TH")
    assert not heard("substitution", "F")
    assert heard("deletion", "IH")
    assert not heard("deletion", "TH", "IH")
    assert heard("insertion", "TH", "OY")
    assert not heard("insertion", "TH")


def test_everything_becomes_json_and_outcomes_come_back() -> None:
    outcomes = some_outcomes()
    assert [outcome_of(json.loads(json.dumps(asdict(one)))) for one in outcomes] == outcomes
    result = summarise(
        Trials(outcomes=tuple(outcomes), skipped={"splice: no donor": 2}),
        data={"corpus": "x"}, provenance={}, settings={"seed": 0}, draws=20,
    )  # fmt: skip
    plain = json.loads(to_json(result))
    assert plain["format"] == "elocute localisation 1"
    assert plain["parts"][0]["part"] == "all"
    assert len(plain["outcomes"]) == 30
    assert plain["settings"] == {"seed": 0, "draws": 20}
    assert plain["skipped"] == {"splice: no donor": 2}
