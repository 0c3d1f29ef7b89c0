"""Assess every recording of this folder with the command line, showing each command (`make demo`)."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ELOCUTE = Path(sys.executable).with_name("elocute")


def caption(row: dict[str, object]) -> str:
    """What a listener should know about a recording before reading its report."""
    planted = row["planted"]
    if not isinstance(planted, dict):
        return "no error planted"
    word = str(row["text"]).split()[planted["word_index"]].strip(".,?!")
    if planted["phone_index"] is None:
        return f"'{word}' left out on purpose"
    return f"{planted['canonical']} of '{word}' spoken as {planted['said'] or 'nothing'} on purpose"


def main() -> int:
    """Run the command on each row of the manifest; the first exit status that is not 0, else 0."""
    for line in (HERE / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        arguments = ["assess", str((HERE / row["audio"]).relative_to(HERE.parent)), row["text"], "--format", "text"]
        print(f"\n# {row['id']} (synthetic voice {row['voice']}): {caption(row)}")
        print(f"$ {shlex.join(['elocute', *arguments])}", flush=True)
        status = subprocess.run([ELOCUTE, *arguments], cwd=HERE.parent, check=False).returncode
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
