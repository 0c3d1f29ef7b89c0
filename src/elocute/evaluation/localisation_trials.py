"""Plant one error of each kind of source in a recording, have it assessed, and judge the reports; runs in a worker."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from elocute.audio import audio_from_array, load_audio
from elocute.batch.local import AssessRow
from elocute.batch.manifest import ManifestRow
from elocute.config import AssessorConfig
from elocute.errors import ElocuteError, TextError
from elocute.evaluation.flite import speak_phones
from elocute.evaluation.localisation_corpus import Spoken, accepted_variants, dictionary_phones, good_places
from elocute.evaluation.localisation_measures import Outcome, Source, Trial, measure
from elocute.evaluation.localisation_planting import (
    Phones,
    Place,
    Planted,
    applied,
    bare,
    draw_kind,
    draw_said_error,
    draw_text_error,
    neighbours,
)
from elocute.evaluation.splice import LONGEST, cut, gain_between, spliced
from elocute.evaluation.splice_edges import phone_edges
from elocute.gop import align_phones
from elocute.phones import VOWELS, phonemize
from elocute.types import SAMPLE_RATE_HZ, Audio, Float64, Posteriors

if TYPE_CHECKING:
    from elocute.assessor import Assessor
    from elocute.report import Report

SCALE = 100
"""Scale of the reports: drops are points of 100."""
TRIES = 12
"""So many errors are drawn before a recording without a donor for any of them is given up."""
DONORS = 24
"""Of so many donors, drawn at random, the one whose neighbours are most like the new ones is taken."""
_SHORTEST_DONOR_S = 0.03
_LONGEST_INSERTION_S = 0.15
_AT_PLACE_S = 0.02  # the acoustic model's spike may lie so far outside the piece


class Skipped(Exception):  # noqa: N818 - it is an answer, not an error
    """A recording that takes no error of a source; the message says why, in words that are counted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """A recording with its reference: what counts as right, how it is assessed, where its phones are.

    Attributes:
        audio: the recording.
        given: pronunciations, with stress digits where known.
        start_s: begin of each phone.
        end_s: end of each phone.
        posteriors: what the acoustic model hears.
    """

    audio: Audio
    given: tuple[Phones, ...]
    start_s: Float64
    end_s: Float64
    posteriors: Posteriors

    @property
    def phones(self) -> tuple[Phones, ...]:
        """Canonical phones without stress."""
        return tuple(bare(word) for word in self.given)

    def index(self, place: Place) -> int:
        """Number of a phone in the recording."""
        return sum(len(word) for word in self.given[: place.word]) + place.phone


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFactory:
    """Makes what each worker process answers recordings with.

    Attributes:
        recordings: all of the corpus; those not assessed may give donors.
        sources: how to plant errors.
        voices: of flite.
        seed: of all draws.
        backend: acoustic model.
    """

    recordings: tuple[Spoken, ...]
    sources: tuple[Source, ...]
    voices: tuple[str, ...]
    seed: int
    backend: str

    def __call__(self) -> AssessRow:
        """Load the models once."""
        from elocute.assessor import Assessor

        assessor = Assessor(AssessorConfig(backend=self.backend, scale=SCALE, threads=1))
        return _Laboratory(self, assessor).answer


class _Laboratory:
    """Plants errors in recordings and judges the reports."""

    def __init__(self, settings: TrialFactory, assessor: Assessor) -> None:
        self._settings = settings
        self._assessor = assessor
        self._spoken = {one.id: one for one in settings.recordings}
        self._order = {one.id: number for number, one in enumerate(settings.recordings)}
        self._donors = _donor_index(settings.recordings)
        self._heard: Callable[[str], Heard] = lru_cache(maxsize=64)(self._hear)

    def answer(self, row: ManifestRow) -> Mapping[str, object]:
        """Outcomes for one recording, and why some are missing."""
        spoken = self._spoken[row.id]
        outcomes: list[Outcome] = []
        skipped: Counter[str] = Counter()
        plant = {"splice": self._splice, "flite": self._flite, "text": self._text}
        for source in self._settings.sources:
            key = zlib.crc32(f"{source} {row.id}".encode())
            try:
                outcomes.append(plant[source](spoken, np.random.default_rng([self._settings.seed, key])))
            except Skipped as reason:
                skipped[f"{source}: {reason}"] += 1
            except ElocuteError as error:
                skipped[f"{source}: {type(error).__name__}: {error}"] += 1
        return {"outcomes": [asdict(outcome) for outcome in outcomes], "skipped": dict(skipped)}

    def _assess(self, audio: Audio, text: str, phones: Sequence[Phones]) -> Report:
        return self._assessor.assess(audio, text, pronunciations=phones)

    def _hear(self, utterance_id: str) -> Heard:
        """A recording of the corpus; where nothing is fixed, with the accepted variant that its report found."""
        spoken = self._spoken[utterance_id]
        audio = load_audio(spoken.audio)
        given = spoken.phones
        if not spoken.is_fixed:
            words = self._assessor.assess(audio, spoken.text).text_words
            given = tuple(tuple(phone.phone for phone in word.phonemes if phone.expected is not None) for word in words)
        return self._aligned(audio, given)

    def _aligned(self, audio: Audio, given: tuple[Phones, ...]) -> Heard:
        """A recording with the edges of its phones."""
        posteriors = self._assessor.backend.posteriors(audio)
        ids = [posteriors.phone_set.id_of(phone) for word in given for phone in bare(word)]
        spans = align_phones(posteriors.log_probs, ids, posteriors.phone_set).spans
        edges = phone_edges(audio, spans, posteriors.frame_shift_s)
        return Heard(audio=audio, given=given, start_s=edges.start_s, end_s=edges.end_s, posteriors=posteriors)

    def _splice(self, spoken: Spoken, rng: np.random.Generator) -> Outcome:
        """Put a phone of another recording of the speaker into this one, or take one out."""
        heard = self._heard(spoken.id)
        places = good_places(spoken, heard.phones)
        if not places:
            raise Skipped("no word is well said together with its neighbours")
        variants = accepted_variants(spoken.text, heard.phones)
        kind = draw_kind(rng)
        for _ in range(TRIES):
            planted = draw_said_error(heard.phones, variants, places, kind, rng)
            if planted is None:
                raise Skipped(f"no place takes a {kind}")
            donor = None if planted.said is None else self._donor(spoken, heard, planted, rng)
            if planted.said is None or donor is not None:
                break
        else:
            raise Skipped("no donor: the speaker says none of the drawn phones well elsewhere")
        done = splice_error(heard, planted, donor)
        listened = self._assessor.backend.posteriors(done.audio)
        trial = _trial_of(spoken, spoken.speaker, "splice", planted, heard.phones)
        trial = replace(
            trial,
            said_was_heard=None if donor is None else donor.was_heard,
            heard_at_place=heard_between(listened, done.start_s - _AT_PLACE_S, done.end_s + _AT_PLACE_S),
        )
        clean = self._assess(heard.audio, spoken.text, heard.given)
        return measure(trial, clean, self._assess(done.audio, spoken.text, heard.given))

    def _donor(self, spoken: Spoken, heard: Heard, planted: Planted, rng: np.random.Generator) -> Donor | None:
        """A well-said phone of another recording of the speaker, its neighbours as alike as can be had."""
        known = self._donors.get((spoken.speaker, str(planted.said)), ())
        others = [(one, place) for one, place in known if one != spoken.id]
        if not others:
            return None
        around = _around(heard.phones, planted)
        few = [others[i] for i in rng.permutation(len(others))[:DONORS].tolist()]
        few.sort(key=lambda item: -_likeness(neighbours(self._spoken[item[0]].phones, item[1]), around))
        for one, place in few[:4]:
            donor = self._heard(one)
            if donor.phones[place.word] != self._spoken[one].phones[place.word]:
                continue  # another variant was said: the phone may be elsewhere in the word, or not at all
            at = donor.index(place)
            start_s, end_s = float(donor.start_s[at]), float(donor.end_s[at])
            if end_s - start_s >= _SHORTEST_DONOR_S:
                was_heard = planted.said in heard_between(donor.posteriors, start_s - _AT_PLACE_S, end_s + _AT_PLACE_S)
                return Donor(audio=donor.audio, start_s=start_s, end_s=end_s, was_heard=was_heard)
        return None

    def _text(self, spoken: Spoken, rng: np.random.Generator) -> Outcome:
        """Ask for another phone than the one that was said."""
        heard = self._heard(spoken.id)
        places = good_places(spoken, heard.phones)
        if not places:
            raise Skipped("no word is well said together with its neighbours")
        kind = draw_kind(rng)
        found = draw_text_error(heard.phones, accepted_variants(spoken.text, heard.phones), places, kind, rng)
        if found is None:
            raise Skipped(f"no place takes a {kind}")
        clean = self._assess(heard.audio, spoken.text, heard.given)
        changed = tuple(
            given if bare(given) == word else word for given, word in zip(heard.given, found.phones, strict=True)
        )
        planted = self._assess(heard.audio, spoken.text, changed)
        at = sum(len(word) for word in found.phones[: found.planted.place.word]) + found.planted.place.phone
        count = sum(map(len, found.phones))
        index: list[int | None] = list(range(count))
        if kind == "deletion":
            index = [i if i < at else None if i == at else i - 1 for i in range(count)]
        elif kind == "insertion":
            index = [i if i <= at else i + 1 for i in range(count)]
        good = [is_good for word in spoken.is_good for is_good in word] if spoken.is_fixed else None
        trial = Trial(
            id=spoken.id,
            speaker=spoken.speaker,
            source="text",
            planted=found.planted,
            text=spoken.text,
            phones=found.phones,
            clean_index=tuple(index),
            is_good=tuple(True if good is None or i is None else good[i] for i in index),
        )
        return measure(trial, clean, planted)

    def _flite(self, spoken: Spoken, rng: np.random.Generator) -> Outcome:
        """Let flite say the sentence, without the error and with it."""
        voices = self._settings.voices
        voice = voices[self._order[spoken.id] % len(voices)]
        try:
            canonical = phonemize(spoken.text)
        except TextError as error:
            raise Skipped("the text cannot be pronounced") from error
        phones = dictionary_phones(canonical)
        given = tuple(
            tuple(phone.symbol if phone.stress is None else f"{phone.symbol}{phone.stress}" for phone in word.phones)
            for word in canonical
        )
        places = [Place(word=w, phone=p) for w, word in enumerate(phones) if len(word) > 1 for p in range(len(word))]
        kind = draw_kind(rng)
        planted = draw_said_error(phones, accepted_variants(spoken.text, phones), places, kind, rng)
        if planted is None:
            raise Skipped(f"no place takes a {kind}")
        w = planted.place.word
        stressed = replace(planted, said=_with_stress(planted, given[w]))
        said = (*given[:w], applied(given[w], stressed), *given[w + 1 :])
        clean, wrong = speak_phones(given, voice), speak_phones(said, voice)
        if clean is None or wrong is None:
            raise Skipped("flite did not speak exactly these phones")
        trial = _trial_of(spoken, f"flite {voice}", "flite", planted, phones)
        trial = replace(trial, is_good=(True,) * len(trial.is_good))
        at = sum(map(len, phones[:w])) + planted.place.phone + (kind == "insertion")
        end_s = (
            wrong.start_s[at]
            if planted.said is None and at < len(wrong.start_s)
            else wrong.end_s[min(at, len(wrong.end_s) - 1)]
        )
        start_s = wrong.end_s[at - 1] if planted.said is None and at else wrong.start_s[min(at, len(wrong.start_s) - 1)]
        listened = self._assessor.backend.posteriors(wrong.audio)
        trial = replace(trial, heard_at_place=heard_between(listened, start_s - _AT_PLACE_S, end_s + _AT_PLACE_S))
        report = self._assess(wrong.audio, spoken.text, given)
        return measure(trial, self._assess(clean.audio, spoken.text, given), report)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Donor:
    """A phone of another recording: where it is, and whether the acoustic model hears it there as what it is."""

    audio: Audio
    start_s: float
    end_s: float
    was_heard: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplicedError:
    """A recording with an error, and where in it the error is."""

    audio: Audio
    start_s: float
    end_s: float


def splice_error(heard: Heard, planted: Planted, donor: Donor | None) -> SplicedError:
    """Make a recording with the error, of a clean one and of a donor for what is said instead."""
    at = heard.index(planted.place)
    samples = heard.audio.samples
    begin, end = (round(float(edge[at]) * SAMPLE_RATE_HZ) for edge in (heard.start_s, heard.end_s))
    if planted.kind == "insertion":
        begin = end
    piece, length = None, 0
    if donor is not None:
        first, last = round(donor.start_s * SAMPLE_RATE_HZ), round(donor.end_s * SAMPLE_RATE_HZ)
        room_s = _LONGEST_INSERTION_S if begin == end else LONGEST * (end - begin) / SAMPLE_RATE_HZ
        longest = round(max(room_s, _SHORTEST_DONOR_S) * SAMPLE_RATE_HZ)
        gain = gain_between(samples, begin, end, donor.audio.samples, first, last)
        piece = cut(donor.audio.samples, first, last, gain, longest)
        length = min(last - first, longest)
    made = np.clip(spliced(samples, begin, end, piece), -1.0, 1.0)
    return SplicedError(
        audio=audio_from_array(made, SAMPLE_RATE_HZ),
        start_s=begin / SAMPLE_RATE_HZ,
        end_s=(begin + length) / SAMPLE_RATE_HZ,
    )


def heard_between(posteriors: Posteriors, start_s: float, end_s: float) -> tuple[str, ...]:
    """Phones that the acoustic model, left to itself, hears in a stretch of time: its best path without blanks."""
    tokens, symbols = posteriors.phone_set.tokens, posteriors.phone_set.symbols
    symbol = {own[0]: name for own, name in zip(tokens, symbols, strict=True)}
    best = posteriors.log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], len(best))
    middle_s = (starts + ends) / 2 * posteriors.frame_shift_s
    inside = (start_s <= middle_s) & (middle_s <= end_s)
    return tuple(symbol[label] for label in best[starts[inside]].tolist() if label in symbol)


def _trial_of(spoken: Spoken, speaker: str, source: Source, planted: Planted, phones: tuple[Phones, ...]) -> Trial:
    """A trial whose text is that of the clean recording."""
    count = sum(map(len, phones))
    good = [is_good for word in spoken.is_good for is_good in word]
    return Trial(
        id=spoken.id,
        speaker=speaker,
        source=source,
        planted=planted,
        text=spoken.text,
        phones=phones,
        clean_index=tuple(range(count)),
        is_good=tuple(good) if spoken.is_fixed and len(good) == count else (True,) * count,
    )


def _with_stress(planted: Planted, word: Phones) -> str | None:
    """The phone said instead with the stress digit that a synthesiser needs."""
    if planted.said not in VOWELS:
        return planted.said
    own = word[planted.place.phone]
    return f"{planted.said}{own[-1] if planted.kind == 'substitution' and own[-1].isdigit() else '0'}"


def _donor_index(recordings: Sequence[Spoken]) -> dict[tuple[str, str], list[tuple[str, Place]]]:
    """Where each speaker says each phone well."""
    index: dict[tuple[str, str], list[tuple[str, Place]]] = {}
    for one in recordings:
        for w, word in enumerate(one.phones):
            for p, phone in enumerate(word):
                if one.is_good[w][p]:
                    index.setdefault((one.speaker, phone), []).append((one.id, Place(word=w, phone=p)))
    return index


def _around(phones: Sequence[Phones], planted: Planted) -> tuple[str | None, str | None]:
    """The phones before and behind what is said instead."""
    before, after = neighbours(phones, planted.place)
    is_insertion = planted.kind == "insertion"
    return phones[planted.place.word][planted.place.phone] if is_insertion else before, after


def _likeness(one: tuple[str | None, str | None], other: tuple[str | None, str | None]) -> int:
    """How many neighbours are alike: 2 for the same phone, 1 where both are vowels or both are consonants."""
    pairs = zip(one, other, strict=True)
    return sum(2 if a == b else int((a in VOWELS) == (b in VOWELS) and None not in (a, b)) for a, b in pairs)
