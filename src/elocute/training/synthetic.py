"""Speech with planted errors from synthesisers: whoever is given phones says those phones, likely or not.

In read speech nearly every phone is what its neighbours let expect, and an acoustic model that learns from it alone
hears "think" when a clear voice says "sink". Here common words and pieces of sentences are spoken with some of their
phones changed, and the labels are what was said.
Source: the idea of T2S in Zhang et al., arXiv 2207.00774. Deviates: no score is learned from it, only sounds.
"""

from __future__ import annotations

import concurrent.futures
import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elocute.assets import read_asset
from elocute.errors import ConfigError, PhoneError, TextError
from elocute.evaluation.stress_speech import Voice, installed, speak_stressed
from elocute.phones import PHONES, VOWELS, phonemize, split_stress
from elocute.phones.lexicon import default_lexicon
from elocute.training.planting import SAID_INSTEAD
from elocute.types import SAMPLE_RATE_HZ

LISTING = "phones.tsv"
CARD = "card.json"
UNHEARD = ("flite rms", "espeak en-us+f2", "espeak en-gb+m1")
"""Voices that are left out of the training, so that what it is worth can be measured on voices that it never heard."""
NARROW_BAND = Voice(engine="flite", name="kal")
"""flite's default voice: 8 kHz, like a telephone's, so that no other task here uses it."""
MOST_WORDS = 8
PIECES = 0.5
"""Share of the recordings that are pieces of sentences; the others are a few common words in a row."""
AS_WRITTEN = 0.35
"""Share of the recordings without any error."""
ERROR_RATE = 0.12
NEAR, DELETIONS = 0.55, 0.1
"""Shares of the errors that are likely ones, and that drop a consonant; the others are any phone of the same kind."""

Words = tuple[tuple[str, ...], ...]
"""ARPABET phones of each word, with stress digits on the vowels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What a voice is to say."""

    id: str
    voice: Voice
    words: Words

    @property
    def phones(self) -> tuple[str, ...]:
        """All phones without stress digits."""
        return tuple(split_stress(phone)[0] for word in self.words for phone in word)


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
    return tuple(voice for voice in here if str(voice) not in UNHEARD)


def plan(texts: Sequence[str], count: int, speakers: Sequence[Voice], seed: int) -> list[Sentence]:
    """Draw what is said: pieces of the texts and common words, with errors.

    Texts with words that the lexicon does not know are left out.

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
        if rng.random() < PIECES:
            whole = sentences[int(rng.integers(len(sentences)))]
            length = int(rng.integers(1, MOST_WORDS + 1))
            begin = int(rng.integers(max(1, len(whole) - length + 1)))
            words = whole[begin : begin + length]
        else:
            words = tuple(common[int(i)] for i in rng.integers(len(common), size=int(rng.integers(1, 5))))
        if rng.random() >= AS_WRITTEN:
            words = with_errors(words, rng)
        voice = speakers[int(rng.integers(len(speakers)))]
        planned.append(Sentence(id=f"{number:05d}", voice=voice, words=words))
    return planned


def with_errors(words: Words, rng: np.random.Generator) -> Words:
    """The words with about `ERROR_RATE` of their phones said wrong, and at least one of them."""
    places = [(w, p) for w, word in enumerate(words) for p in range(len(word))]
    wanted = max(1, int(rng.binomial(len(places), ERROR_RATE)))
    chosen = [places[i] for i in sorted(rng.choice(len(places), size=min(wanted, len(places)), replace=False))]
    changed = [list(word) for word in words]
    for w, p in reversed(chosen):
        phone, stress = split_stress(changed[w][p])
        if phone not in VOWELS and len(changed[w]) > 2 and rng.random() < DELETIONS:
            del changed[w][p]
            continue
        alike = [other for other in PHONES if (other in VOWELS) == (phone in VOWELS) and other != phone]
        near = [other for other in SAID_INSTEAD[phone].split() if other in alike]
        said = str(rng.choice(near if near and rng.random() < NEAR else alike))
        changed[w][p] = said if stress is None else f"{said}{stress}"
    return tuple(map(tuple, changed))


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
    rows = "".join(f"{s.id}.opus\t{s.voice}\t{' '.join(s.phones)}\n" for s in done)
    (out / CARD).write_text(json.dumps(card | {"recordings": len(done)}, indent=1) + "\n", encoding="utf-8")
    (out / LISTING).write_text(f"file\tvoice\tphones\n{rows}", encoding="utf-8")
    return len(done)


def read_synthetic(folder: Path) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Recording, voice and phones of each row of a folder that `speak` made.

    Raises:
        ConfigError: the listing is missing, or a row of it is not as expected.
    """
    path = folder / LISTING
    if not path.is_file():
        raise ConfigError(f"{path} is missing; make it with `elocute train synthetic --out {folder}`")
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            phones = tuple((row.get("phones") or "").split())
            if not phones or not set(phones) <= set(PHONES) or not row.get("file") or not row.get("voice"):
                raise ConfigError(f"{path}: got the row {row}; expected file, voice and ARPABET phones")
            yield folder / row["file"], row["voice"], phones


def _looked_up(text: str) -> Words | None:
    """Phones of a text; None where a word is not in the lexicon."""
    try:
        canonical = phonemize(text)
    except (PhoneError, TextError):
        return None
    if any(word.source == "g2p" for word in canonical):
        return None
    return tuple(
        tuple(p.symbol if p.stress is None else f"{p.symbol}{p.stress}" for p in word.phones) for word in canonical
    )


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
    audio = speak_stressed(sentence.words, sentence.voice)
    if audio is None:
        return False
    part = path.with_suffix(".part")
    soundfile.write(part, audio.samples, SAMPLE_RATE_HZ, format="OGG", subtype="OPUS")
    part.rename(path)
    return True
