"""Writes a corpus in the parquet layout of Hugging Face's mispeech/speechocean762, by the schema on its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

WORD = pa.struct(
    [
        ("accuracy", pa.int64()),
        ("phones", pa.list_(pa.string())),
        ("phones-accuracy", pa.list_(pa.float64())),
        ("stress", pa.int64()),
        ("text", pa.string()),
        ("total", pa.int64()),
        (
            "mispronunciations",
            pa.list_(
                pa.struct([("canonical-phone", pa.string()), ("index", pa.int64()), ("pronounced-phone", pa.string())])
            ),
        ),
    ]
)
SCHEMA = pa.schema(
    [
        ("accuracy", pa.int64()),
        ("completeness", pa.float64()),
        ("fluency", pa.int64()),
        ("prosodic", pa.int64()),
        ("text", pa.string()),
        ("total", pa.int64()),
        ("words", pa.list_(WORD)),
        ("speaker", pa.string()),
        ("gender", pa.string()),
        ("age", pa.int64()),
        ("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ]
)


def table_of(path: Path) -> dict[str, str]:
    """A Kaldi list."""
    return dict(line.split(maxsplit=1) for line in path.read_text().splitlines() if line.strip())


def convert(official: Path, out: Path, split: str, *, shards: int = 1, limit: int | None = None) -> Path:
    """Write one split of a corpus in its official layout as parquet files; returns `out`."""
    scores: dict[str, Any] = json.loads((official / "resource" / "scores.json").read_text())
    wav, speaker = table_of(official / split / "wav.scp"), table_of(official / split / "utt2spk")
    gender, age = table_of(official / split / "spk2gender"), table_of(official / split / "spk2age")
    rows = []
    for utterance, path in list(wav.items())[:limit]:
        who = speaker[utterance].strip()
        recording = official / path.strip()
        words = [
            word | {"phones": word["phones"].split() if isinstance(word["phones"], str) else word["phones"]}
            for word in scores[utterance]["words"]
        ]
        rows.append(
            scores[utterance]
            | {
                "words": words,
                "speaker": who,
                "gender": gender[who].strip(),
                "age": int(age[who]),
                "audio": {
                    "bytes": recording.read_bytes() if recording.is_file() else None,
                    "path": f"{utterance}{recording.suffix.lower()}",
                },
            }
        )
    (out / "data").mkdir(parents=True, exist_ok=True)
    size = -(-len(rows) // shards)
    for shard in range(shards):
        name = f"{split}-{shard:05d}-of-{shards:05d}.parquet"
        part = pa.Table.from_pylist(rows[shard * size : (shard + 1) * size], schema=SCHEMA)
        pq.write_table(part, out / "data" / name)
    return out
