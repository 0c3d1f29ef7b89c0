"""Speech with planted errors from synthesisers: whoever is given phones says those phones, likely or not.

In read speech nearly every phone is what its neighbours let expect, and an acoustic model that learns from it alone
hears "think" when a clear voice says "sink". Here common words and pieces of sentences are spoken with some of their
phones changed, and the labels are what was said.
Source: the idea of T2S in Zhang et al., arXiv 2207.00774. Deviates: no score is learned from it, only sounds.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elocute.assets import read_asset
from elocute.corpora.speechocean762 import read_speechocean762
from elocute.corpora.transcribed import read_transcribed
from elocute.errors import ConfigError, PhoneError, TextError
from elocute.evaluation.stress_speech import Voice, installed, speak_stressed
from elocute.phones import PHONES, VOWELS, parse_arpabet, phonemize, split_stress, with_stress
from elocute.phones.lexicon import default_lexicon
from elocute.training.planting import SAID_INSTEAD
from elocute.types import SAMPLE_RATE_HZ

LISTING = "phones.tsv"
_HEADER = "id\tvoice\tcanonical\tsaid"
CARD = "card.json"
UNHEARD = ("flite rms", "espeak en-us+f2", "espeak en-gb+m1")
"""Voices that are left out of the training, so that what it is worth can be measured on voices that it never heard."""
MORE_ESPEAK = ("en-us+f1", "en-us+m7", "en-us+klatt4", "en-us+Michael", "en-us+Annie")
"""Voices of espeak-ng beside those of `evaluation/stress_speech.py`."""
NARROW_BAND = Voice(engine="flite", name="kal")
"""flite's default voice: 8 kHz, like a telephone's, so that no other task here uses it."""
MOST_WORDS = 8
AS_WRITTEN = 0.35
"""Share of the recordings without any error."""
ERROR_RATE = 0.12
DELETIONS = 0.1
"""Share of the errors that drop a consonant."""

Words = tuple[tuple[str, ...], ...]
"""ARPABET phones of each word, with stress digits on the vowels."""
LEFT_OUT = "-"
"""Stands for a phone that is not said."""
_WORD_BORDER = " | "


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What a voice is to say.

    Attributes:
        id: name of the recording.
        voice: who says it.
        canonical: phones of the words as they should be said.
        said: phone by phone what is said instead, the same where it is said right, or `LEFT_OUT`.
    """

    id: str
    voice: Voice
    canonical: Words
    said: Words

    @property
    def spoken(self) -> Words:
        """What is said, without what is left out."""
        return tuple(tuple(phone for phone in word if phone != LEFT_OUT) for word in self.said)


def voices() -> tuple[Voice, ...]:
    """The voices installed here that may be trained on.

    Raises:
        ConfigError: there is none.
    """
    here = installed()
    if not here:
        raise ConfigError("no speech synthesiser was found; install flite (and espeak-ng, for more voices)")
    if any(voice.engine == "flite" for voice in here):
        here = (*here, NARROW_BAND)
    if any(voice.engine == "espeak" for voice in here):
        here = (*here, *(Voice(engine="espeak", name=name) for name in MORE_ESPEAK))
    return tuple(voice for voice in here if str(voice) not in UNHEARD)


def sentences_of(
    native: Sequence[Path] = (), speechocean: Sequence[Path] = (), files: Sequence[Path] = ()
) -> list[str]:
    """Texts to draw from: what is read in folders of recordings, and the lines of text files.

    The texts of the learners' corpus are worth most: an acoustic model that has heard a phrase from many learners, and
    never otherwise than right, knows the phrase by heart.

    Raises:
        ConfigError: a folder or file is missing or not as expected, or there is no text at all.
    """
    texts = [utterance.text for folder in native for utterance in read_transcribed(folder)]
    texts += [utterance.text for folder in speechocean for utterance in read_speechocean762(folder)]
    for path in files:
        try:
            texts += [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}; expected a text file (UTF-8) with a sentence a line") from error
    if not texts:
        raise ConfigError("no texts to speak; give folders of recordings or files with a sentence a line")
    return texts


def plan(
    texts: Sequence[str], count: int, speakers: Sequence[Voice], seed: int, *, pieces: float = 0.5, near: float = 0.55
) -> list[Sentence]:
    """Draw what is said: pieces of the texts and common words, with errors.

    Texts with words that the lexicon does not know are left out.

    Args:
        texts: to take pieces from.
        count: of recordings.
        speakers: who may say them.
        seed: of all draws.
        pieces: share of the recordings that are pieces of the texts; the others are a few common words in a row.
        near: see `with_errors`.

    Raises:
        ConfigError: no text is left.
    """
    rng = np.random.default_rng(seed)
    sentences = [words for text in texts if (words := _looked_up(text)) is not None]
    if not sentences:
        raise ConfigError(f"none of {len(texts)} texts has only words of the lexicon; give others")
    common = _common_words()
    planned = []
    for number in range(count):
        if rng.random() < pieces:
            whole = sentences[int(rng.integers(len(sentences)))]
            length = int(rng.integers(1, MOST_WORDS + 1))
            begin = int(rng.integers(max(1, len(whole) - length + 1)))
            words = whole[begin : begin + length]
        else:
            words = tuple(common[int(i)] for i in rng.integers(len(common), size=int(rng.integers(1, 5))))
        said = with_errors(words, rng, near) if rng.random() >= AS_WRITTEN else words
        voice = speakers[int(rng.integers(len(speakers)))]
        planned.append(Sentence(id=f"{number:05d}", voice=voice, canonical=words, said=said))
    return planned


def with_errors(words: Words, rng: np.random.Generator, near: float = 0.55) -> Words:
    """What is said of the words when about `ERROR_RATE` of their phones, and at least one of them, are said wrong.

    A share `near` of the wrong phones are likely errors, the others any phone of the same kind.
    """
    places = [(w, p) for w, word in enumerate(words) for p in range(len(word))]
    wanted = max(1, int(rng.binomial(len(places), ERROR_RATE)))
    chosen = [places[i] for i in sorted(rng.choice(len(places), size=min(wanted, len(places)), replace=False))]
    said = [list(word) for word in words]
    for w, p in reversed(chosen):
        phone, stress = split_stress(said[w][p])
        left = sum(one != LEFT_OUT for one in said[w])
        if phone not in VOWELS and left > 2 and rng.random() < DELETIONS:
            said[w][p] = LEFT_OUT
            continue
        alike = [other for other in PHONES if (other in VOWELS) == (phone in VOWELS) and other != phone]
        likely = [other for other in SAID_INSTEAD[phone].split() if other in alike]
        other = str(rng.choice(likely if likely and rng.random() < near else alike))
        said[w][p] = other if stress is None else f"{other}{stress}"
    return tuple(map(tuple, said))


def speak(
    sentences: Sequence[Sentence], out: Path, card: dict[str, Any], progress: Callable[[int, int], None] | None = None
) -> int:
    """Let the sentences be spoken into a folder: ID.opus, `phones.tsv` and `card.json`.

    What flite did not say as asked is left out. Recordings that are there already stay, so that a run can go on; the
    listing comes last.

    Returns: the number of recordings.

    Raises:
        ConfigError: a synthesiser does not run.
    """
    out.mkdir(parents=True, exist_ok=True)
    done = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, spoken in enumerate(pool.map(lambda sentence: _speak_one(sentence, out), sentences), start=1):
            if spoken:
                done.append(sentences[number - 1])
            if progress is not None:
                progress(number, len(sentences))
    rows = "".join(f"{s.id}\t{s.voice}\t{_written(s.canonical)}\t{_written(s.said)}\n" for s in done)
    (out / CARD).write_text(json.dumps(card | {"recordings": len(done)}, indent=1) + "\n", encoding="utf-8")
    (out / LISTING).write_text(f"{_HEADER}\n{rows}", encoding="utf-8")
    return len(done)


def read_synthetic(folder: Path) -> Iterator[tuple[Path, Sentence]]:
    """Recording, and what was to be said and was said in it, of each row of a folder that `speak` made.

    Raises:
        ConfigError: the listing is missing, or a row of it is not as expected.
    """
    path = folder / LISTING
    if not path.is_file():
        raise ConfigError(f"{path} is missing; make it with `elocute train synthetic --out {folder}`")
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    if header != _HEADER:
        raise ConfigError(f"{path} begins with {header!r}; expected {_HEADER!r}: make the folder again")
    for number, row in enumerate(rows, start=2):
        try:
            id_, voice, *phones = row.split("\t")
            engine, name = voice.split(" ")
            canonical, said = map(_read, phones)
            if [len(word) for word in canonical] != [len(word) for word in said]:
                raise ValueError("as many phones in both")
            found = Sentence(id=id_, voice=Voice(engine=engine, name=name), canonical=canonical, said=said)
        except (ValueError, PhoneError) as error:
            raise ConfigError(f"{path}:{number}: got {row!r}; expected {_HEADER!r} with ARPABET phones") from error
        yield folder / f"{id_}.opus", found


def _written(words: Words) -> str:
    """Phones of words on one line."""
    return _WORD_BORDER.join(map(" ".join, words))


def _read(line: str) -> Words:
    """Words from such a line; raises PhoneError for what is no ARPABET."""
    words = tuple(tuple(word.split()) for word in line.split(_WORD_BORDER))
    for word in words:
        parse_arpabet([phone for phone in word if phone != LEFT_OUT])
    return words


def _looked_up(text: str) -> Words | None:
    """Phones of a text; None where a word is not in the lexicon."""
    try:
        canonical = phonemize(text)
    except (PhoneError, TextError):
        return None
    if any(word.source == "g2p" for word in canonical):
        return None
    return tuple(tuple(map(with_stress, word.phones)) for word in canonical)


def _common_words() -> list[tuple[str, ...]]:
    """First pronunciation of every word that the practice list pairs with another one."""
    lexicon = default_lexicon()
    pairs = json.loads(read_asset("practice.json"))["pairs"]
    words = sorted({word for rows in pairs.values() for row in rows for word in row.split()[:2]})
    return [tuple(lexicon.get(word)[0]) for word in words if word in lexicon]


def _speak_one(sentence: Sentence, out: Path) -> bool:
    """Whether the recording of a sentence is there now."""
    import soundfile

    path = out / f"{sentence.id}.opus"
    if path.exists():
        return True
    audio = speak_stressed(sentence.spoken, sentence.voice)
    if audio is None:
        return False
    part = path.with_suffix(".part")
    soundfile.write(part, audio.samples, SAMPLE_RATE_HZ, format="OGG", subtype="OPUS")
    part.rename(path)
    return True
