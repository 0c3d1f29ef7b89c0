"""What to practise next: Leitner's boxes against a simulation by the definition; sentences that hold the sound."""

import random

import pytest

from elocute.feedback.schedule import HIGHEST_BOX, Outcome, cards, next_practice
from elocute.feedback.sentences import SENTENCES, all_sentences, phones_in
from elocute.phones import PHONES, phonemize


def test_every_sound_has_sentences_that_hold_it_often():
    assert set(SENTENCES) == set(PHONES)
    for phone, sentences in SENTENCES.items():
        assert len(set(sentences)) >= 2
        for sentence in sentences:
            assert phones_in(sentence)[phone] >= 3, (phone, sentence, dict(phones_in(sentence)))
            assert len(sentence.split()) <= 11
            assert all(word.source == "lexicon" for word in phonemize(sentence).words), sentence


def test_all_sounds_of_english_come_up():
    assert {phone for sentence in all_sentences() for phone in phones_in(sentence)} == set(PHONES)


def leitner(history: list[Outcome], phone: str) -> tuple[int, int] | None:
    """Box and due attempt by the definition: pass a physical card from box to box, one attempt after the other."""
    boxes: list[set[str]] = [set() for _ in range(HIGHEST_BOX + 1)]
    due = None
    for now, attempt in enumerate(history):
        at = next((box for box in range(1, HIGHEST_BOX + 1) if phone in boxes[box]), None)
        wrong, unsure, right = (kind.get(phone, 0) > 0 for kind in (attempt.wrong, attempt.unsure, attempt.right))
        if not (wrong or unsure or right):
            continue
        if wrong:
            goal = 1
        elif at is None:
            continue
        elif unsure:
            goal = at
        else:
            goal = at if at == HIGHEST_BOX else at + 1
        if at is not None:
            boxes[at].remove(phone)
        boxes[goal].add(phone)
        due = now + [1, 2, 4, 8, 16, 32][goal - 1]
    found = next((box for box in range(1, HIGHEST_BOX + 1) if phone in boxes[box]), None)
    return None if found is None or due is None else (found, due)


@pytest.mark.parametrize("seed", range(20))
def test_boxes_and_dates_are_those_of_the_definition(seed: int):
    rng = random.Random(seed)

    def some(share: float) -> dict[str, int]:
        return {phone: rng.randint(1, 3) for phone in PHONES[:8] if rng.random() < share}

    history = [Outcome(text=str(n), right=some(0.6), wrong=some(0.15), unsure=some(0.1)) for n in range(40)]
    found = {card.phone: (card.box, card.due) for card in cards(history)}
    expected = {phone: leitner(history, phone) for phone in PHONES}
    assert found == {phone: place for phone, place in expected.items() if place is not None}
    mistakes = {card.phone: card.mistakes for card in cards(history)}
    assert mistakes == {phone: sum(item.wrong.get(phone, 0) for item in history) for phone in found}
    dates = [card.due for card in cards(history)]
    assert dates == sorted(dates)


def test_what_was_wrong_comes_next():
    practice = next_practice([Outcome(text="I think so", right={"S": 1}, wrong={"TH": 1})])
    assert practice.phones == ("TH",)
    assert phones_in(practice.sentence)["TH"] >= 3


def test_sentences_change_from_attempt_to_attempt():
    history: list[Outcome] = []
    read = []
    for _ in range(4):
        practice = next_practice(history)
        read.append(practice.sentence)
        history.append(Outcome(text=practice.sentence.upper(), wrong={"TH": 1}))
    assert len(set(read)) == 4
    assert all(phones_in(sentence)["TH"] for sentence in read[1:])


def test_what_is_learned_comes_back_later_and_later():
    """A learner who errs once on TH and is right ever after meets it less and less often."""
    history = [Outcome(text="start", wrong={"TH": 1, "V": 1})]
    met = []
    for number in range(1, 40):
        practice = next_practice(history)
        if "TH" in practice.phones:
            met.append(number)
        said = phones_in(practice.sentence)
        wrong = {"V": said["V"]} if said["V"] else {}
        history.append(Outcome(text=practice.sentence, right={p: n for p, n in said.items() if p != "V"}, wrong=wrong))
    assert len(met) >= 2
    gaps = [b - a for a, b in zip(met, met[1:], strict=False)]
    assert gaps == sorted(gaps)
    assert sum("V" in next_practice(history[:n]).phones for n in range(1, 40)) > 15


def test_without_mistakes_new_sounds_come_up():
    assert next_practice([]).phones == ()
    history = [Outcome(text="a", right={phone: 1 for phone in PHONES if phone != "ZH"})]
    assert phones_in(next_practice(history).sentence)["ZH"]


def test_the_same_history_gives_the_same_sentence():
    history = [Outcome(text="a", wrong={"R": 2, "L": 1}), Outcome(text="b", right={"R": 1}, unsure={"L": 1})]
    assert next_practice(history) == next_practice(list(history))
    assert [card.phone for card in cards(history)] == ["L", "R"]
