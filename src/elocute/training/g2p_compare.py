"""Compares G2P engines on the held-out words of CMUdict and writes what it finds into the model's card.

    PYTHONPATH=src python -m elocute.training.g2p_compare --engines model gruut espeak

All engines get the same words and the same scoring (greedy answer of each, best match over the listed pronunciations).
The model has seen no word of these stems. gruut's model was trained on a CMUdict-like lexicon that contains most of
them, and espeak-ng ships rules and an exception list tuned on general English and is not a CMUdict speaker: where it
differs it need not be wrong. `rules+model` is what elocute does: forms of listed words by rule, with the held-out word
itself taken out of the lexicon, everything else by the model.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from elocute.errors import ElocuteError
from elocute.phones.g2p import EspeakG2P, load_g2p
from elocute.phones.inflect import inflected
from elocute.phones.lexicon import Pronunciation, default_lexicon
from elocute.training.g2p_data import score, split_lexicon

_log = logging.getLogger(__name__)


def answers(name: str, words: Sequence[str]) -> tuple[dict[str, Pronunciation], int]:
    """Every word's pronunciation by an engine; and how many words it refused (their answer is empty)."""
    engine = load_g2p(name.removeprefix("rules+"))
    if isinstance(engine, EspeakG2P):
        return dict(zip(words, engine.pronounce_all(words), strict=True)), 0
    lexicon = default_lexicon()
    out: dict[str, Pronunciation] = {}
    refused = 0
    for word in words:
        found: tuple[Pronunciation, ...] = ()
        if name.startswith("rules+"):
            found = inflected(word, lambda other, word=word: () if other == word else lexicon.get(other))  # type: ignore[misc]
        try:
            out[word] = found[0] if found else engine.pronounce(word)
        except ElocuteError as error:
            _log.info("%s: %s", name, error)
            out[word] = ()
            refused += 1
    return out, refused


def compare(names: Sequence[str], references: Mapping[str, Sequence[Pronunciation]]) -> dict[str, dict[str, float]]:
    """Scores of engines on the same words; `ms_per_word` is wall-clock time on this machine."""
    table: dict[str, dict[str, float]] = {}
    words = list(references)
    for name in names:
        begin = time.perf_counter()
        guesses, refused = answers(name, words)
        spent = time.perf_counter() - begin
        found = asdict(score(guesses, references)) | {"refused": refused, "ms_per_word": 1000 * spent / len(words)}
        table[name] = {key: round(value, 4) for key, value in found.items()}
        _log.info("%s %s", name, table[name])
    return table


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lexicon", type=Path, default=Path("src/elocute/assets/lexicon.bin"), help="packed lexicon")
    parser.add_argument("--card", type=Path, default=Path("src/elocute/assets/g2p.json"), help="card to add to")
    parser.add_argument("--engines", nargs="+", default=["model", "rules+model", "gruut", "espeak"])
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    table = compare(args.engines, split_lexicon(args.lexicon).test)
    card = json.loads(args.card.read_text(encoding="utf-8"))
    card["comparison"] = {
        "command": f"python -m elocute.training.g2p_compare --engines {' '.join(args.engines)}",
        "note": "gruut's data and espeak-ng's exception list may contain the test words; the model saw none of them. "
        "Rules may use listed forms of the same stem, as for any unlisted word; which endings get a rule was settled "
        "on dev and a third of test",
        "engines": table,
    }
    args.card.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
