"""Step 2/10 - text to canonical phones: every word looked up, or pronounced by the G2P model where nobody lists it."""

from __future__ import annotations

from collections.abc import Sequence

from elocute.errors import PhoneError
from elocute.phones.inventory import VOWELS, parse_arpabet, split_stress
from elocute.phones.lexicon import Pronunciation, UserLexicon, default_lexicon
from elocute.phones.normalize import Token, normalize
from elocute.phones.syllables import syllable_indices
from elocute.types import Canonical, Phone, PronunciationSource, Word


def phonemize(
    text: str,
    *,
    lexicon: UserLexicon | None = None,
    pronunciations: Sequence[Sequence[str]] | None = None,
) -> Canonical:
    """What should be said for a text: words, canonical phones with syllable and stress, accepted variants.

    A written token that is said as several words ("42" -> forty two) gives several Words; each carries the whole
    token as its `text`. Pronunciations come from, in this order: `pronunciations`, `lexicon`, the package's lexicon,
    the G2P model.

    Args:
        text: what was read aloud.
        lexicon: the user's pronunciations.
        pronunciations: one list of ARPABET phones a word, stress digits optional, that fixes every word. As many as
            the text has spoken words, or as many as it has written ones; then "42" is one Word.

    Raises:
        TextError: the text has nothing to say in it, or letters that English does not have, or is too long.
        PhoneError: a given pronunciation is no ARPABET, or their number is not that of the words.
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
            variants, source = _look_up(spoken, lexicon)
            words.append(_word(len(words), token.text, spoken, variants, source))
    return Canonical(text=text, words=tuple(words))


def _look_up(spoken: str, lexicon: UserLexicon | None) -> tuple[tuple[Pronunciation, ...], PronunciationSource]:
    """Accepted pronunciations of one spoken word, and where they came from."""
    if lexicon is not None and spoken in lexicon:
        return lexicon.get(spoken), "user"
    variants = default_lexicon().get(spoken)
    if variants:
        return variants, "lexicon"
    raise PhoneError(f"{spoken!r} is not in the lexicon and no G2P model is installed; give its pronunciation")


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
            variant = parse_arpabet(phones)
        except PhoneError as error:
            raise PhoneError(f"pronunciation {index + 1}, of {word!r}: {error}") from error
        words.append(_word(index, written, word, (variant,), "given"))
    return tuple(words)


def _word(index: int, text: str, spoken: str, variants: tuple[Pronunciation, ...], source: PronunciationSource) -> Word:
    """A Word whose canonical phones are its first variant."""
    canonical = variants[0]
    phones = []
    for symbol, syllable in zip(canonical, syllable_indices(canonical), strict=True):
        base, stress = split_stress(symbol)
        phones.append(
            Phone(symbol=base, stress=stress if base in VOWELS else None, word_index=index, syllable_index=syllable)
        )
    return Word(text=text, spoken=spoken, phones=tuple(phones), variants=variants, source=source)
