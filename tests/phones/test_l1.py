"""First-language profiles: every line of the asset, and how places in a word choose among them."""

from __future__ import annotations

import pytest

from elocute.errors import ConfigError
from elocute.phones import PHONES, VOWELS
from elocute.phones.l1 import GRADES, MOST, l1_codes, l1_profile, places_of

WANTED = (
    "zh yue ja ko vi th hi ur bn ar es pt fr de it ru pl tr id fa tl el nl sv".split()
)  # first languages that most learners of English have


def test_the_languages_are_there() -> None:
    assert set(WANTED) <= set(l1_codes())


@pytest.mark.parametrize("code", l1_codes())
def test_a_profile_is_complete(code: str) -> None:
    profile = l1_profile(code)
    assert profile.code == code
    assert len(profile.phones) >= 10
    assert profile.lacks
    assert len(profile.sources) >= 2 or code in ("sv",)
    assert all(len(source) > 40 and source[-4:].isdigit() for source in profile.sources)
    for note in (profile.finals.note, profile.clusters.note, profile.stress_note, profile.rhythm_note):
        assert note[0].isupper()
        assert note.endswith(".")
    assert profile.stress_misplaced in GRADES.values()
    for phone, hard in profile.phones.items():
        assert phone == hard.phone
        assert phone in PHONES
        assert hard.reason[0].isupper()
        assert hard.reason.endswith(".")
        assert len(hard.reason) <= 120
        assert hard.is_lacking == (phone in profile.lacks)
        # A phone that is called hard has at least one usual error, and is never its own substitute.
        assert hard.substitutes
        for one in hard.substitutes:
            assert one.said != phone
            assert one.said is None or one.said in PHONES
            assert one.likelihood in GRADES.values()
        pairs = [(one.said, one.place) for one in hard.substitutes]
        assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("code", l1_codes())
def test_a_vowel_is_named_exactly_where_one_is_added(code: str) -> None:
    profile = l1_profile(code)
    assert (profile.finals.vowel in VOWELS) == (profile.finals.vowel_added > 0)
    assert (profile.clusters.vowel in VOWELS) == (profile.clusters.vowel_inside + profile.clusters.vowel_before_s > 0)


@pytest.mark.parametrize("code", l1_codes())
def test_errors_of_any_phone_anywhere_leave_room_for_getting_it_right(code: str) -> None:
    profile = l1_profile(code)
    for phone in PHONES:
        for word in (
            [phone],
            [phone, "IY"],
            ["IY", phone],
            ["S", phone, "UW"],
            ["AA", "S", phone],
            ["IY", phone, "AA"],
        ):
            found = profile.said_instead(word, word.index(phone))
            assert sum(found.values()) <= MOST + 1e-9
            assert phone not in found
            assert list(found.values()) == sorted(found.values(), reverse=True)


def test_no_two_languages_share_a_name() -> None:
    names = [
        name for code in l1_codes() for name in (l1_profile(code).name.casefold(), code, *l1_profile(code).aliases)
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["zh", "ZH", " cmn ", "Mandarin", "chinese", "zh-CN", "zh_TW", "putonghua"])
def test_codes_and_names_in_any_case(name: str) -> None:
    assert l1_profile(name).code == "zh"


def test_typos_get_a_hint_and_strangers_a_list() -> None:
    with pytest.raises(ConfigError, match=r"'mandrin'; did you mean 'mandarin'\?"):
        l1_profile("mandrin")
    with pytest.raises(ConfigError, match="'xx'; expected one of zh, yue, ja"):
        l1_profile("xx")
    with pytest.raises(ConfigError, match="no profile of the first language ''"):
        l1_profile("")


def test_places() -> None:
    stop = ["S", "T", "AA", "P"]
    assert places_of(stop, 0) == {"anywhere", "initial", "cluster"}
    assert places_of(stop, 3) == {"anywhere", "final"}
    assert places_of(["S", "IY"], 0) == {"anywhere", "initial", "before_i"}
    assert places_of(["IY", "Z", "UW"], 1) == {"anywhere", "medial", "before_u"}
    assert places_of(["AY"], 0) == {"anywhere", "initial", "final"}


def test_the_place_chooses() -> None:
    zh, th, ja = l1_profile("zh"), l1_profile("th"), l1_profile("ja")
    assert next(iter(zh.said_instead(["TH", "IH", "NG", "K"], 0))) == "S"
    assert "NG" in zh.said_instead(["TH", "IH", "N"], 2)
    assert "NG" not in zh.said_instead(["N", "AY", "T"], 0)
    assert next(iter(th.said_instead(["B", "AE", "S"], 2))) == "T"  # bass: no s at the end of a Thai word
    assert not th.said_instead(["S", "AE", "D"], 0)
    assert "SH" in ja.said_instead(["S", "IY"], 0)
    assert "SH" not in ja.said_instead(["S", "OW"], 0)


def test_final_consonants_lose_their_voice_or_are_lost() -> None:
    german, cantonese = l1_profile("de"), l1_profile("yue")
    assert german.said_instead(["B", "EH", "D"], 2) == {"T": GRADES["often"]}
    assert german.said_instead(["D", "EH", "B", "T"], 0) == {}
    assert None in cantonese.said_instead(["K", "AE", "T"], 2)
    assert None not in cantonese.said_instead(["K", "AE", "T"], 0)


def test_vowels_are_added_where_the_language_needs_them() -> None:
    spanish, japanese, german = l1_profile("es"), l1_profile("ja"), l1_profile("de")
    school, desk = ["S", "K", "UW", "L"], ["D", "EH", "S", "K"]
    assert spanish.vowel_added(school, 0) == GRADES["often"]
    assert spanish.vowel_added(desk, 0) == 0
    assert japanese.vowel_added(school, 1) == GRADES["often"]
    assert japanese.vowel_added(school, 0) == 0
    assert japanese.vowel_added(desk, 4) == GRADES["often"]
    assert japanese.vowel_added(school, 2) == 0
    assert japanese.vowel_added(["M", "AA", "M"], 3) == 0
    assert not any(german.vowel_added(school, gap) for gap in range(5))
