"""What a page loads of this package: one archive of the modules, models and tables that an assessment needs.

It is made from the installed package when it is first asked for, so that it is never older than the server.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path
from typing import Any

from elocute.config import AssessorConfig

_FOLDERS = "acoustic assets audio browser feedback gop phones prosody scorer".split()
_SERVER = "__init__ body form practice problems provisional wanted work".split()
_NOT = {"out-of-fold.jsonl.gz"}
_DATE = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """An archive.

    Attributes:
        content: zip.
        sha256: of it, hexadecimal.
    """

    content: bytes
    sha256: str


@lru_cache(maxsize=1)
def bundle() -> Bundle:
    """The archive of the installed package; the same package gives the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in sorted(_contents().items()):
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    content = target.getvalue()
    return Bundle(content=content, sha256=hashlib.sha256(content).hexdigest())


def settings(assessor: AssessorConfig, *, max_duration_s: float, max_text_chars: int) -> dict[str, Any]:
    """What the engine is told, as plain JSON values: how a server assesses, and its limits."""
    return {
        "assessor": asdict(assessor) | {"threads": None},
        "limits": {"max_duration_s": max_duration_s, "max_text_chars": max_text_chars},
    }


def _contents() -> dict[str, bytes]:
    """Files of the archive by their path, which is that in site-packages."""
    root = Path(str(files("elocute")))
    paths = [*root.glob("*.py")] + [root / "server" / f"{name}.py" for name in _SERVER]
    for folder in _FOLDERS:
        paths += [path for path in (root / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    found = {
        path.relative_to(root.parent).as_posix(): path.read_bytes()
        for path in paths
        if path.is_file() and path.name not in _NOT
    }
    return found | _metadata()


def _metadata() -> dict[str, bytes]:
    """Name, version and entry points, by which backends and pitch trackers are found."""
    own = distribution("elocute")
    folder = f"elocute-{own.version}.dist-info"
    points = own.entry_points
    lines: list[str] = []
    for group in sorted({point.group for point in points if point.group.startswith("elocute.")}):
        lines += [f"[{group}]", *(f"{point.name} = {point.value}" for point in points if point.group == group)]
    return {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: elocute\nVersion: {own.version}\n".encode(),
        f"{folder}/entry_points.txt": ("\n".join(lines) + "\n").encode(),
    }


def manifest(runtime: Path, told: dict[str, Any]) -> dict[str, Any]:
    """What a page has to load, with sizes and checksums, and the settings."""
    made = json.loads((runtime / "manifest.json").read_text(encoding="utf-8"))
    whole = bundle()
    own = {"name": "elocute.zip", "stored_bytes": len(whole.content), "sha256": whole.sha256}
    keys = ("name", "stored_bytes", "sha256")
    return {"files": [*({key: file[key] for key in keys} for file in made["files"]), own], "settings": told}
