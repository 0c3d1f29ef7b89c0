"""Step 2/10 - text to canonical phones: every word looked up, or pronounced by the G2P model where nobody lists it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from elocute.errors import PhoneError
from elocute.phones.g2p import G2P, load_g2p
from elocute.phones.inflect import inflected
from elocute.phones.inventory import VOWELS, parse_arpabet, split_stress
from elocute.phones.kinds import USERS
from elocute.phones.lexicon import Pronunciation, UserLexicon, default_lexicon
from elocute.phones.linking import with_neighbours
from elocute.phones.normalize import Token, normalize
from elocute.phones.syllables import syllable_indices
from elocute.phones.variants import accepted
from elocute.phones.weak import is_spelled_out
from elocute.types import Canonical, Phone, PronunciationSource, Variant, Word

_WORDS_KEPT = 4096
"""The rules of so many words are applied once and remembered."""


def phonemize(
    text: str,
    *,
    lexicon: UserLexicon | None = None,
    pronunciations: Sequence[Sequence[str]] | None = None,
    g2p: str | G2P = "model",
) -> Canonical:
    """What should be said for a text: words, canonical phones with syllable and stress, accepted variants.

    A written token that is said as several words ("42" -> forty two) gives several Words; each carries the whole
    token as its `text`. Pronunciations come from, in this order: `pronunciations`, `lexicon`, the package's lexicon,
    a listed word of which this is a form (source "g2p", as it is derived), the G2P engine. Neighbours add variants to
    each other ("did you" with JH), but not to what `pronunciations` or `lexicon` gave.

    Args:
        text: what was read aloud.
        lexicon: the user's pronunciations.
        pronunciations: one list of ARPABET phones a word that fixes every word. As many as the text has spoken words,
            or as many as it has written ones; then "42" is one Word. A word without stress digits gets the lexicon's.
        g2p: engine for words that nobody lists, or its name; loaded only when such a word comes.

    Raises:
        TextError: the text has nothing to say in it, or letters that English does not have, or is too long.
        PhoneError: a given pronunciation is no ARPABET, or their number is not that of the words.
        ConfigError, MissingExtraError: the G2P engine is unknown or not installed.
    """
    known = default_lexicon()

    def is_known(word: str) -> bool:
        return word in known or (lexicon is not None and word in lexicon)

    tokens = normalize(text, is_known=is_known)
    if pronunciations is not None:
        return Canonical(text=text, words=_given(tokens, pronunciations))
    words: list[Word] = []
    for token in tokens:
        for spoken in token.spoken:
            variants, source = _look_up(spoken, lexicon, g2p)
            words.append(_word(len(words), token.text, spoken, variants, source))
    return Canonical(text=text, words=with_neighbours(words))


def with_pronunciation(word: Word, variant: Variant) -> Word:
    """The same word said as `variant`, one of its accepted pronunciations, which becomes the canonical one.

    The word's `variant` then tells its kind.
    """
    variants = (variant, *(other for other in word.variants if other != variant))
    return _word(word.phones[0].word_index, word.text, word.spoken, variants, word.source)


def _look_up(
    spoken: str, lexicon: UserLexicon | None, g2p: str | G2P
) -> tuple[tuple[Variant, ...], PronunciationSource]:
    """Accepted pronunciations of one spoken word, whatever its neighbours, and where they came from."""
    if lexicon is not None and spoken in lexicon:
        first, *others = lexicon.get(spoken)
        return (Variant(phones=first), *(Variant(phones=other, kind=USERS) for other in others)), "user"
    variants = _listed(spoken)
    if variants:
        return variants, "lexicon"
    return accepted(spoken, _derive(spoken, lexicon, g2p)), "g2p"


@lru_cache(maxsize=_WORDS_KEPT)
def _listed(spoken: str) -> tuple[Variant, ...]:
    """Accepted pronunciations of a word that the package's lexicon lists; empty if it does not."""
    listed = [phones for phones in default_lexicon().get(spoken) if not is_spelled_out(spoken, phones)]
    return accepted(spoken, listed) if listed else ()


def _derive(spoken: str, lexicon: UserLexicon | None, g2p: str | G2P) -> tuple[Pronunciation, ...]:
    """Pronunciations of an unlisted word: as a form of a listed one, else by the G2P engine."""

    def listed(word: str) -> tuple[Pronunciation, ...]:
        return (lexicon.get(word) if lexicon is not None else ()) or default_lexicon().get(word)

    found = inflected(spoken, listed)
    if found:
        return found
    engine = load_g2p(g2p) if isinstance(g2p, str) else g2p
    return (engine.pronounce(spoken),)


def _given(tokens: Sequence[Token], pronunciations: Sequence[Sequence[str]]) -> tuple[Word, ...]:
    """Words with the pronunciations that the caller fixed."""
    spoken = [(token.text, word) for token in tokens for word in token.spoken]
    if len(pronunciations) != len(spoken):
        if len(pronunciations) != len(tokens):
            raise PhoneError(
                f"{len(pronunciations)} pronunciations were given for {len(spoken)} words "
                f"({' '.join(word for _, word in spoken)}); give one list of phones for each"
            )
        spoken = [(token.text, " ".join(token.spoken)) for token in tokens]
    words = []
    for index, ((written, word), phones) in enumerate(zip(spoken, pronunciations, strict=True)):
        try:
            variant = Variant(phones=_with_stress(word, parse_arpabet(phones)))
        except PhoneError as error:
            raise PhoneError(f"pronunciation {index + 1}, of {word!r}: {error}") from error
        words.append(_word(index, written, word, (variant,), "given"))
    return tuple(words)


def _with_stress(word: str, phones: Pronunciation) -> Pronunciation:
    """A pronunciation that was given without any stress, with that of the lexicon.

    It is that of the listed pronunciation with the same phones, else of the first with as many vowels; without one it
    stays unknown.
    """
    vowels = [place for place, phone in enumerate(phones) if phone in VOWELS]
    if not vowels or any(split_stress(phone)[1] is not None for phone in phones):
        return phones
    listed = [variant.phones for variant in _listed(word)]
    alike = [other for other in listed if tuple(split_stress(phone)[0] for phone in other) == phones]
    stresses = (
        [split_stress(phone)[1] for phone in other if split_stress(phone)[0] in VOWELS] for other in [*alike, *listed]
    )
    found = next((one for one in stresses if len(one) == len(vowels) and None not in one), None)
    if found is None:
        return phones
    stressed = list(phones)
    for place, stress in zip(vowels, found, strict=True):
        stressed[place] = f"{phones[place]}{stress}"
    return tuple(stressed)


def _word(index: int, text: str, spoken: str, variants: tuple[Variant, ...], source: PronunciationSource) -> Word:
    """A Word whose canonical phones are its first variant."""
    canonical = variants[0].phones
    phones = []
    for symbol, syllable in zip(canonical, syllable_indices(canonical), strict=True):
        base, stress = split_stress(symbol)
        phones.append(
            Phone(symbol=base, stress=stress if base in VOWELS else None, word_index=index, syllable_index=syllable)
        )
    return Word(text=text, spoken=spoken, phones=tuple(phones), variants=variants, source=source)
