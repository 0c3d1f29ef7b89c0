"""elocute: hears a recording of English and its text, and says how well every phone, word and sentence was spoken.

>>> import elocute
>>> report = elocute.assess("think.wav", "I think so")      # doctest: +SKIP
>>> report.utterance.accuracy                               # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elocute.assessor import Assessor, assess
    from elocute.report import Report

__all__ = ["Assessor", "Report", "__version__", "assess"]

_HOME = {"assess": "elocute.assessor", "Assessor": "elocute.assessor", "Report": "elocute.report"}


def __getattr__(name: str) -> object:
    """Load the public names on first use, so that `import elocute` stays light."""
    if name == "__version__":
        from importlib.metadata import version

        return version("elocute")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'elocute' has no attribute {name!r}")
