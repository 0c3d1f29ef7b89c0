"""Which code and which machine made predictions."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path


def commit_of_checkout() -> str | None:
    """Commit of the checkout that this code runs from, "+" if its source has changes; None where it is installed."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no", "--", "src") else "")
    except (OSError, subprocess.CalledProcessError):
        return None  # no git here, or not a repository that it trusts


def machine() -> str:
    """Operating system, processor family and Python."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _git(root: Path, *arguments: str) -> str:
    """What a git command prints."""
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
