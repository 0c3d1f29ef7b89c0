"""Plant one error of each kind of source in a recording, have it assessed, and judge the reports; runs in a worker."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from elocute.audio import load_audio
from elocute.batch.local import AssessRow
from elocute.batch.manifest import ManifestRow
from elocute.config import AssessorConfig
from elocute.errors import ConfigError, ElocuteError, TextError
from elocute.evaluation.flite import Utterance, speak_phones
from elocute.evaluation.localisation_corpus import Spoken, accepted_variants, dictionary_phones, good_places
from elocute.evaluation.localisation_measures import Outcome, Source, Trial, View, measure, with_control
from elocute.evaluation.localisation_planting import (
    Phones,
    Place,
    Planted,
    applied,
    bare,
    draw_kind,
    draw_said_error,
    draw_text_error,
    flat_index,
)
from elocute.evaluation.localisation_splicing import (
    SHORTEST_DONOR_S,
    Donor,
    Heard,
    heard_at,
    likeness,
    splice_error,
)
from elocute.evaluation.splice_edges import phone_edges
from elocute.gop import align_phones
from elocute.phones import VOWELS, phonemize, with_stress
from elocute.types import Audio

if TYPE_CHECKING:
    from elocute.assessors import ReportMaker
    from elocute.report import Report

SCALE = 100
"""Of the reports: drops are points of 100."""
TRIES = 12
"""So many errors are drawn before a recording without a donor for any of them is given up."""
DONORS = 24
"""Of so many donors, drawn at random, the one whose neighbours are most like the new ones is taken."""
_CLOSEST = 4


class Skipped(Exception):  # noqa: N818 - it is an answer, not an error
    """A recording that takes no error of a source; the message says why, in words that are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFactory:
    """Makes what each worker process answers recordings with.

    Attributes:
        recordings: all of the corpus; those not assessed may give donors.
        sources: how to plant errors.
        voices: of flite.
        seed: of all draws.
        backend: name of what makes the reports.
    """

    recordings: tuple[Spoken, ...]
    sources: tuple[Source, ...]
    voices: tuple[str, ...]
    seed: int
    backend: str

    def __call__(self) -> AssessRow:
        """Load the models once.

        Raises:
            ConfigError: phones get no scores from them.
        """
        from elocute.assessors import load_assessor

        maker = load_assessor(AssessorConfig(backend=self.backend, scale=SCALE, threads=1))
        _check_scores_phones(maker, self.recordings)
        return _Laboratory(self, maker).answer


class _Laboratory:
    """Plants errors in recordings and judges the reports."""

    def __init__(self, settings: TrialFactory, maker: ReportMaker) -> None:
        from elocute.assessors import listener_of

        self._settings = settings
        self._maker = maker
        self._listener = listener_of(maker)
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
        return self._maker.assess(audio, text, pronunciations=phones)

    def _hear(self, utterance_id: str) -> Heard:
        """A recording of the corpus; where nothing is fixed, with the accepted variant that its report found."""
        spoken = self._spoken[utterance_id]
        audio = load_audio(spoken.audio)
        given = spoken.phones
        if not spoken.is_fixed:
            words = self._listener.assess(audio, spoken.text).text_words
            given = tuple(tuple(phone.phone for phone in word.phonemes if phone.expected is not None) for word in words)
        return self._aligned(audio, given)

    def _aligned(self, audio: Audio, given: tuple[Phones, ...]) -> Heard:
        """A recording with the edges of its phones."""
        posteriors = self._listener.backend.posteriors(audio)
        ids = [posteriors.phone_set.id_of(phone) for word in given for phone in bare(word)]
        spans = align_phones(posteriors.log_probs, ids, posteriors.phone_set).spans
        edges = phone_edges(audio, spans, posteriors.frame_shift_s)
        return Heard(audio=audio, given=given, start_s=edges.start_s, end_s=edges.end_s, posteriors=posteriors)

    def _splice(self, spoken: Spoken, rng: np.random.Generator) -> Outcome:
        """Put a phone of another recording of the speaker into this one, or take one out."""
        heard = self._heard(spoken.id)
        places = _places(spoken, heard.phones)
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
        listened = self._listener.backend.posteriors(done.audio)
        trial = replace(
            _trial_of(spoken, "splice", planted, heard.phones),
            said_was_heard=None if donor is None else donor.was_heard,
            heard_at_place=heard_at(listened, done.start_s, done.end_s),
        )
        clean = self._assess(heard.audio, spoken.text, heard.given)
        outcome = measure(trial, clean, self._assess(done.audio, spoken.text, heard.given))
        # The same splice with the phone that belongs there shows what splicing alone does.
        same = replace(planted, kind="substitution", said=planted.canonical)
        own = None if planted.canonical is None else self._donor(spoken, heard, same, rng)
        if own is None:
            return outcome
        control = self._assess(splice_error(heard, same, own).audio, spoken.text, heard.given)
        return with_control(outcome, heard.index(planted.place), clean, control)

    def _donor(self, spoken: Spoken, heard: Heard, planted: Planted, rng: np.random.Generator) -> Donor | None:
        """A well-said phone of another recording of the speaker, its neighbours as alike as can be had."""
        known = self._donors.get((spoken.speaker, str(planted.said)), ())
        others = [(one, place) for one, place in known if one != spoken.id]
        few = [others[index] for index in rng.permutation(len(others))[:DONORS].tolist()]
        few.sort(key=lambda item: -likeness(self._spoken[item[0]].phones, item[1], heard.phones, planted))
        for one, place in few[:_CLOSEST]:
            donor = self._heard(one)
            if donor.phones[place.word] != self._spoken[one].phones[place.word]:
                continue  # another variant was said: the phone may be elsewhere in the word, or not at all
            at = donor.index(place)
            start_s, end_s = float(donor.start_s[at]), float(donor.end_s[at])
            if end_s - start_s >= SHORTEST_DONOR_S:
                was_heard = planted.said in heard_at(donor.posteriors, start_s, end_s)
                return Donor(audio=donor.audio, start_s=start_s, end_s=end_s, was_heard=was_heard)
        return None

    def _text(self, spoken: Spoken, rng: np.random.Generator) -> Outcome:
        """Ask for another phone than the one that was said."""
        heard = self._heard(spoken.id)
        places = _places(spoken, heard.phones)
        kind = draw_kind(rng)
        found = draw_text_error(heard.phones, accepted_variants(spoken.text, heard.phones), places, kind, rng)
        if found is None:
            raise Skipped(f"no place takes a {kind}")
        asked = tuple(
            given if bare(given) == word else word for given, word in zip(heard.given, found.phones, strict=True)
        )
        said = _trial_of(spoken, "text", found.planted, heard.phones)
        index = found.said_index()
        trial = replace(
            said,
            phones=found.phones,
            clean_index=index,
            is_good=tuple(True if i is None else said.is_good[i] for i in index),
        )
        clean = self._assess(heard.audio, spoken.text, heard.given)
        return measure(trial, clean, self._assess(heard.audio, spoken.text, asked))

    def _flite(self, spoken: Spoken, rng: np.random.Generator) -> Outcome:
        """Let flite say the sentence, without the error and with it."""
        voices = self._settings.voices
        voice = voices[self._order[spoken.id] % len(voices)]
        try:
            canonical = phonemize(spoken.text)
        except TextError as error:
            raise Skipped("the text cannot be pronounced") from error
        phones = dictionary_phones(canonical)
        given = tuple(tuple(map(with_stress, word.phones)) for word in canonical)
        fluent = replace(
            spoken,
            speaker=f"flite {voice}",
            phones=phones,
            is_fixed=True,
            is_good=tuple((True,) * len(word) for word in phones),
        )
        kind = draw_kind(rng)
        variants = accepted_variants(spoken.text, phones)
        planted = draw_said_error(phones, variants, _places(fluent, phones), kind, rng)
        if planted is None:
            raise Skipped(f"no place takes a {kind}")
        w = planted.place.word
        stressed = replace(planted, said=_with_stress(planted, given[w]))
        clean = speak_phones(given, voice)
        wrong = speak_phones((*given[:w], applied(given[w], stressed), *given[w + 1 :]), voice)
        if clean is None or wrong is None:
            raise Skipped("flite did not speak exactly these phones")
        listened = self._listener.backend.posteriors(wrong.audio)
        begin_s, end_s = _spoken_at(wrong, phones, planted)
        trial = replace(_trial_of(fluent, "flite", planted, phones), heard_at_place=heard_at(listened, begin_s, end_s))
        report = self._assess(wrong.audio, spoken.text, given)
        return measure(trial, self._assess(clean.audio, spoken.text, given), report)


def _check_scores_phones(maker: ReportMaker, recordings: Sequence[Spoken]) -> None:
    """ConfigError where the first recording that gets a total gets no score of a phone: no drop could be measured."""
    for spoken in recordings if maker.follower is not maker else ():
        try:
            report = maker.assess(load_audio(spoken.audio), spoken.text)
        except ElocuteError:
            continue  # refused; its trials say so
        if any(phone.score is not None for phone in View.of(report).phones):
            return
        if report.utterance.total is not None:
            raise ConfigError(
                f"backend {maker.config.backend} gives phones no scores, and planted errors are looked for in these; "
                "name an acoustic backend or an ensemble with one, or evaluate robustness, which takes any"
            )


def _places(spoken: Spoken, phones: Sequence[Phones]) -> list[Place]:
    """Where errors may be planted.

    Raises:
        Skipped: nowhere.
    """
    places = good_places(spoken, phones)
    if not places:
        raise Skipped("no word of two phones is well said together with its neighbours")
    return places


def _spoken_at(said: Utterance, phones: Sequence[Phones], planted: Planted) -> tuple[float, float]:
    """Begin and end of what flite said at the error, seconds; of a deletion the same, where its neighbours meet."""
    at = flat_index(phones, planted.place) + (planted.kind == "insertion")
    if planted.kind != "deletion":
        return float(said.start_s[at]), float(said.end_s[at])
    meet_s = float(said.start_s[at] if at < len(said.start_s) else said.end_s[-1])
    return meet_s, meet_s


def _trial_of(spoken: Spoken, source: Source, planted: Planted, phones: tuple[Phones, ...]) -> Trial:
    """A trial whose text is that of the clean recording."""
    count = sum(map(len, phones))
    good = tuple(is_good for word in spoken.is_good for is_good in word)
    return Trial(
        id=spoken.id,
        speaker=spoken.speaker,
        source=source,
        planted=planted,
        phones=phones,
        clean_index=tuple(range(count)),
        is_good=good if spoken.is_fixed else (True,) * count,
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
