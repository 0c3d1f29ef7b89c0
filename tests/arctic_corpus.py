"""Files in L2-ARCTIC's layout and in Praat's formats, made here: nothing of the corpus is in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from elocute.phones import phonemize, with_stress
from tiny_corpus import EXAMPLES

Entry = tuple[float, float, str]
Tiers = Sequence[tuple[str, Sequence[Entry]]]
PHONE_S = 0.1


def textgrid(tiers: Tiers, end_s: float, *, short: bool = False) -> str:
    """A TextGrid as Praat writes it, long or short."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    quoted = [
        (f'"{name}"', [(a, b, '"' + text.replace('"', '""') + '"') for a, b, text in rows]) for name, rows in tiers
    ]
    if short:
        lines += ["0", f"{end_s}", "<exists>", f"{len(tiers)}"]
        for name, rows in quoted:
            lines += ['"IntervalTier"', name, "0", f"{end_s}", f"{len(rows)}"]
            lines += [str(value) for row in rows for value in row]
        return "\n".join(lines) + "\n"
    lines += ["xmin = 0 ", f"xmax = {end_s} ", "tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for number, (name, rows) in enumerate(quoted, start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f"        name = {name} "]
        lines += ["        xmin = 0 ", f"        xmax = {end_s} ", f"        intervals: size = {len(rows)} "]
        for index, (a, b, text) in enumerate(rows, start=1):
            lines += [f"        intervals [{index}]:", f"            xmin = {a} ", f"            xmax = {b} "]
            lines += [f"            text = {text} "]
    return "\n".join(lines) + "\n"


def tiers_of(words: Sequence[tuple[str, Sequence[str]]]) -> tuple[Tiers, float]:
    """Tiers of words, each with the labels of its phones, between two silences; and where they end."""
    spoken: list[Entry] = [(0.0, PHONE_S, "")]
    phones: list[Entry] = [(0.0, PHONE_S, "sil")]
    for text, labels in words:
        begin = phones[-1][1]
        for label in labels:
            at = phones[-1][1]
            phones.append((at, round(at + PHONE_S, 3), label))
        spoken.append((begin, phones[-1][1], text))
    end = round(phones[-1][1] + PHONE_S, 3)
    spoken.append((spoken[-1][1], end, ""))
    phones.append((phones[-1][1], end, "sp"))
    return [("words", spoken), ("phones", phones)], end


def write_sentence(
    folder: Path,
    speaker: str,
    stem: str,
    words: Sequence[tuple[str, Sequence[str]]],
    *,
    audio: bytes = b"RIFF",
    suffix: str = ".wav",
    annotated: bool = True,
    short: bool = False,
    encoding: str = "utf-8",
    comments: str | None = None,
) -> None:
    """One recording with its transcript and, unless it has none, its annotation."""
    root = folder / speaker
    for kind in ("wav", "transcript", "textgrid", "annotation"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    (root / "wav" / f"{stem}{suffix}").write_bytes(audio)
    (root / "transcript" / f"{stem}.txt").write_text(" ".join(word for word, _ in words) + "\n", encoding="utf-8")
    if annotated:
        tiers, end = tiers_of(words)
        if comments is not None:
            tiers = [*tiers, ("comments", [(0.0, end, comments)])]
        (root / "annotation" / f"{stem}.TextGrid").write_bytes(textgrid(tiers, end, short=short).encode(encoding))


def write_examples(folder: Path) -> Path:
    """The recordings in examples/ as sentences of NJS, TLV and TNI: a planted error is annotated, TNI's last is not."""
    rows = [json.loads(line) for line in (EXAMPLES / "manifest.jsonl").read_text().splitlines()]
    for number, row in enumerate(rows):
        planted = row["planted"]
        words = []
        for index, word in enumerate(phonemize(row["text"])):
            labels = list(map(with_stress, word.phones))
            if planted is not None and planted["word_index"] == index:
                for position, label in enumerate(labels):
                    if planted["phone_index"] in (position, None):
                        labels[position] = f"{label},{planted['said'] or 'sil'},{'s' if planted['said'] else 'd'}"
            words.append((word.spoken, labels))
        write_sentence(
            folder,
            ("NJS", "TLV", "TNI")[number // 3],
            f"arctic_a{number + 1:04d}",
            words,
            audio=(EXAMPLES / row["audio"]).read_bytes(),
            suffix=".flac",
            annotated=number < len(rows) - 1 or len(rows) % 3 == 1,
        )
    write_sentence(folder, "NJS", "arctic_b0001", [("unheard", ["AH0"])], annotated=False)
    return folder
