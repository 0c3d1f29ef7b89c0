"""Labels of other people's models as the 39 phones: what is summed, what is chained, what is refused."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acoustic.label_lists import ESPEAK, ZIPA
from elocute.acoustic.notation import ARPABET, CHAINS, IPA, LOOSE, PAIRS
from elocute.acoustic.vocabulary import Folding, phones_of
from elocute.errors import ConfigError
from elocute.phones import PHONES
from elocute.phones.inventory import parse_ipa, split_stress
from elocute.types import PhoneSet


def spelled(folding: Folding, phone: str) -> list[set[str]]:
    return [set(part) for part in folding.report.spelled[phone]]


def folded(folding: Folding, labels: tuple[str, ...], frames: list[dict[str, float]]) -> np.ndarray:
    """Probabilities after folding of frames in which some labels have some mass and the others share nothing."""
    probs = np.full((len(frames), len(labels)), 1e-12)
    for row, masses in zip(probs, frames, strict=True):
        for label, mass in masses.items():
            row[labels.index(label)] = mass
    return np.exp(folding.fold(np.log(probs / probs.sum(axis=1, keepdims=True))).astype(np.float64))


def column(folding: Folding, phone: str, part: int = 0) -> int:
    return folding.phone_set.tokens[PHONES.index(phone)][part]


def test_the_phones_are_those_of_step_2_in_its_order() -> None:
    assert ARPABET == PHONES
    assert set(IPA) == set(PHONES)
    named = [name for names in IPA.values() for name in names]
    assert len(named) == len(set(named))
    assert not set(named) & {*LOOSE, *PAIRS}
    assert {phone for both in PAIRS.values() for phone in both} | {p for ps in LOOSE.values() for p in ps} <= set(
        PHONES
    )


def test_names_agree_with_how_step_2_reads_pronunciations() -> None:
    """What a user writes in IPA and what a model hears in IPA must be the same phones."""
    known = {name: (phone,) for phone, names in IPA.items() for name in names}
    known |= {"".join(chain): (phone,) for phone, chains in CHAINS.items() for chain in chains}
    known |= {name: both for name, both in PAIRS.items() if name not in ("ja", "iɹ")}
    told = {name: tuple(split_stress(phone)[0] for phone in parse_ipa(name)) for name in known}
    differ = {name: (told[name], known[name]) for name in known if told[name] != known[name]}
    # Step 2 takes these two for a word's separate vowels; as one label they are these.
    assert differ == {"oɹ": (("OW", "R"), ("AO", "R")), "æʊ": (("AE", "UH"), ("AW",))}


@pytest.mark.parametrize("blank", ["<blk>", "<pad>", "[PAD]"])
@pytest.mark.parametrize("spell", [str.upper, str.lower])
def test_a_head_of_our_phones_comes_out_as_ours(blank: str, spell: object) -> None:
    labels = [blank, *(phone.lower() if spell is str.lower else phone for phone in PHONES)]
    folding = phones_of(labels, 0)
    assert folding.phone_set == PhoneSet.one_label_each(PHONES)
    np.testing.assert_array_equal(folding.columns, np.arange(40))
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(40), 20)).astype(np.float32)
    np.testing.assert_array_equal(folding.fold(log_probs), log_probs)


def test_stress_digits_are_summed_and_marks_of_the_model_are_blank() -> None:
    vowels = [f"{phone}{digit}" for phone in PHONES if phone in ("AA", "AH", "ER", "OY") for digit in "012"]
    labels = (
        "<unk>",
        *vowels,
        *(p for p in PHONES if p not in ("AA", "AH", "ER", "OY")),
        "SIL",
        "<pad>",
        "<s>",
        "|",
        "AX",
    )
    folding = phones_of(labels, labels.index("<pad>"))
    probs = folded(
        folding, labels, [{"AH0": 0.2, "AH1": 0.3, "AX": 0.1, "<pad>": 0.1, "SIL": 0.1, "|": 0.1, "<unk>": 0.1}]
    )
    assert probs[0, column(folding, "AH")] == pytest.approx(0.6)
    assert probs[0, 0] == pytest.approx(0.3)
    assert probs[0, -1] == pytest.approx(0.1)
    assert folding.phone_set.size == 41
    assert folding.report.unmapped == ("<unk>",)


def test_timit_closures_and_syllabic_consonants() -> None:
    labels = ("<pad>", *PHONES, "bcl", "h#", "el", "dx", "axr")
    folding = phones_of([label.lower() for label in labels], 0)
    assert folding.report.pairs == {"el": ("AH", "L")}
    assert spelled(folding, "T") == [{"t", "dx"}]
    assert spelled(folding, "ER") == [{"er", "axr"}]
    assert set(folding.report.silent) == {"<pad>", "bcl", "h#"}


ESPEAK_ENGLISH = {
    "AA": "ɑː ɑ", "AE": "æ", "AH": "ʌ ə ɐ", "AO": "ɔː ɔ oː", "AW": "aʊ", "AY": "aɪ", "CH": "tʃ", "JH": "dʒ",
    "ER": "ɚ ɜː", "EY": "eɪ", "G": "ɡ", "IH": "ɪ ᵻ", "IY": "iː i", "OW": "oʊ əʊ", "OY": "ɔɪ", "R": "ɹ", "T": "t ɾ ʔ",
    "TH": "θ", "DH": "ð", "UH": "ʊ", "UW": "uː u", "HH": "h", "NG": "ŋ", "Y": "j", "ZH": "ʒ", "SH": "ʃ",
}  # fmt: skip
"""What espeak writes for American and British English."""


@pytest.mark.parametrize("phone", ESPEAK_ENGLISH)
def test_every_label_that_espeak_uses_for_english_speaks_for_its_phone(phone: str) -> None:
    folding = phones_of(ESPEAK, 0)
    assert set(ESPEAK_ENGLISH[phone].split()) <= spelled(folding, phone)[0]


def test_espeak_is_one_label_each_and_pairs_are_told() -> None:
    folding = phones_of(ESPEAK, 0)
    assert all(len(tokens) == 1 for tokens in folding.phone_set.tokens)
    assert folding.phone_set.size == 41
    pairs = {"ɑːɹ", "ɔːɹ", "oːɹ", "ɛɹ", "ɪɹ", "ʊɹ", "əl", "n̩", "l̩", "iə", "aɪɚ", "aɪə", "ju", "ts"}
    assert pairs <= set(folding.report.pairs)
    assert set(folding.report.silent) == {"<pad>", "<s>", "</s>", "ʲ"}
    assert {"<unk>", "i5", "onɡ5", "ɣ", "y", "??", "1"} <= set(folding.report.unmapped)
    heard = [label for parts in folding.report.spelled.values() for part in parts for label in part]
    everything = [*heard, *folding.report.pairs, *folding.report.silent, *folding.report.unmapped]
    assert sorted(everything) == sorted(ESPEAK)
    assert any(line.startswith("AH: ʌ + ə") for line in folding.report.lines())


@pytest.mark.parametrize(("phone", "parts"), [
    ("CH", ["t", "ʃ"]), ("JH", ["d", "ʒ"]), ("AY", ["a", "ɪ"]), ("AW", ["a", "ʊ"]), ("EY", ["e", "ɪ"]),
    ("OW", ["o", "ʊ"]), ("OY", ["ɔ", "ɪ"]), ("ER", ["ə", "˞"]),
])  # fmt: skip
def test_single_letters_are_chained(phone: str, parts: list[str]) -> None:
    folding = phones_of(ZIPA, 0)
    found = spelled(folding, phone)
    assert len(found) == len(parts)
    assert all(part in labels for part, labels in zip(parts, found, strict=True))


def test_zipa_needs_chains_for_eight_phones_and_no_more() -> None:
    folding = phones_of(ZIPA, 0)
    chains = {phone for phone, tokens in zip(PHONES, folding.phone_set.tokens, strict=True) if len(tokens) > 1}
    assert chains == set(CHAINS)
    assert column(folding, "CH", 0) == column(folding, "T")
    assert column(folding, "CH", 1) == column(folding, "SH")
    assert column(folding, "ER", 0) == column(folding, "AH")
    # What is only a part of chains is no phone by itself.
    parts = {ZIPA.index(label): label for label in ("a", "e", "o", "˞")}
    single = {tokens[0] for tokens in folding.phone_set.tokens if len(tokens) == 1}
    assert not {int(folding.columns[place]) for place in parts} & single
    assert {"<blk>", "<sos/eos>", "▁", "ː", "ʰ", "\u0303", "\u0329"} <= set(folding.report.silent)
    assert {"<unk>", "q", "y", "ǃ", "ø"} <= set(folding.report.unmapped)


def test_length_and_other_marks_of_their_own_part_labels_as_blanks_do() -> None:
    folding = phones_of(ZIPA, 0)
    probs = folded(folding, ZIPA, [{"ː": 0.5, "<blk>": 0.3, "ʰ": 0.2}])
    assert probs[0, 0] == pytest.approx(1.0)


def test_a_label_of_two_phones_is_heard_as_one_after_the_other() -> None:
    folding = phones_of(ESPEAK, 0)
    both = [{"k": 1.0}, {"ɑːɹ": 1.0}, {"<pad>": 1.0}, {"<pad>": 1.0}]
    probs = folded(folding, ESPEAK, both)
    assert [int(row.argmax()) for row in probs] == [
        column(folding, "K"),
        column(folding, "AA"),
        column(folding, "R"),
        0,
    ]
    longer = folded(folding, ESPEAK, [{"ɑːɹ": 1.0}, {"ɑːɹ": 1.0}, {"ɑːɹ": 1.0}, {"t": 1.0}])
    assert [int(row.argmax()) for row in longer] == [
        column(folding, "AA"), column(folding, "R"), column(folding, "R"), column(folding, "T"),
    ]  # fmt: skip
    halves = folded(folding, ESPEAK, [{"ɑːɹ": 0.6, "ɑː": 0.4}, {"<pad>": 0.5, "t": 0.5}])
    assert halves[0, column(folding, "AA")] == pytest.approx(1.0)
    assert halves[1, column(folding, "R")] == pytest.approx(0.3)
    assert halves[1, 0] == pytest.approx(0.2)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), sharpness=st.sampled_from([0.1, 1.0, 20.0]), frames=st.integers(0, 12))
def test_rows_still_sum_to_one_and_what_is_impossible_is_no_nan(seed: int, sharpness: float, frames: int) -> None:
    rng = np.random.default_rng(seed)
    for labels in (ESPEAK, ZIPA):
        logits = sharpness * rng.normal(size=(frames, len(labels)))
        log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        found = phones_of(labels, 0).fold(log_probs)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        np.testing.assert_allclose(np.exp(found.astype(np.float64)).sum(axis=1), 1.0, atol=1e-5)


def test_sums_are_those_of_the_matrix_where_no_label_is_two_phones() -> None:
    labels = tuple(label for label in ZIPA if label != "ʍ")
    folding = phones_of(labels, 0)
    probs = np.random.default_rng(1).dirichlet(np.ones(len(labels)), 30)
    np.testing.assert_allclose(np.exp(folding.fold(np.log(probs))), probs @ folding.matrix(), rtol=1e-5)


@pytest.mark.parametrize(
    ("label", "phone"),
    [
        ("t͡ʃ", "CH"), ("d͜ʒ", "JH"), ("g", "G"), ("ɡ", "G"), ("iː", "IY"), ("i:", "IY"), ("t̪", "T"), ("tʰ", "T"),
        ("ɹ̩", "ER"), ("ˈæ", "AE"), ("ɝː", "ER"), ("a͡ɪ", "AY"), ("ɫ", "L"),
        (unicodedata.normalize("NFC", "ẽ"), "EH"), (unicodedata.normalize("NFD", "ẽ"), "EH"),
    ],
)  # fmt: skip
def test_however_a_label_is_written_it_is_its_phone(label: str, phone: str) -> None:
    labels = ["<pad>", *(names[0] for name, names in IPA.items() if name != phone), label]
    assert spelled(phones_of(labels, 0), phone)[0] == {label}


def test_letters_are_refused_with_the_phones_that_are_missing() -> None:
    letters = ("<pad>", "|", *"abcdefghijklmnopqrstuvwxyz'")
    with pytest.raises(ConfigError, match=r"29 labels cannot spell English: \d+ of the 39 phones do not res") as raised:
        phones_of(letters, 0)
    missing = str(raised.value).partition("resolve: ")[2].partition(";")[0].split()
    assert {"TH", "DH", "SH", "CH", "NG", "AH", "ER"} <= set(missing)
    assert not {"B", "D", "K", "T", "S", "M"} & set(missing)
    with pytest.raises(ConfigError, match=r"39 of the 39 phones .* writes words"):
        phones_of(("<pad>", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 0)


def test_a_vocabulary_of_many_scripts_is_refused_even_if_it_could_spell_english() -> None:
    """Characters of 1,600 languages hold nearly all letters of the IPA, each for the spelling of some of them."""
    scripts = [chr(code) for code in (*range(0x410, 0x450), *range(0x4E00, 0x5200), *range(0x1200, 0x1300))]
    everything = ["<s>", "<pad>", "</s>", "<unk>", *ZIPA[4:], *scripts]
    with pytest.raises(ConfigError, match=r"no phone is missing; .* no letters of the IPA, so this model writes words"):
        phones_of(everything, 1)
    few = [label for label in everything if label not in "ʒʐʑðɹrɻɽɺʀʁ"]
    with pytest.raises(ConfigError, match=r"do not resolve: DH JH R ZH; .* writes words"):
        phones_of(few, 1)


def test_word_pieces_are_refused() -> None:
    pieces = [f"▁{word}" for word in "the of and to in is you that it he was for on are".split()]
    with pytest.raises(ConfigError, match=r"39 of the 39 phones do not resolve"):
        phones_of([*pieces, "ing", "ed", "<pad>"], len(pieces) + 2)


@pytest.mark.parametrize(("blank", "message"), [(1, "whose label is 'AA'"), (40, "column 40 of 40"), (-1, "column -1")])
def test_a_blank_that_is_a_phone_or_no_column_is_refused(blank: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        phones_of(["<pad>", *PHONES], blank)
