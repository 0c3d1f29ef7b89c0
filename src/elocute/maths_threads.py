"""Processes that share the cores: each keeps to one thread, or numerical libraries fight over them."""

from __future__ import annotations

import os


def keep_to_one_thread() -> None:
    """Tell the numerical libraries that load after this, here and in processes started from here, to use one thread.

    What the user has set stays. Two processes of two threads each take two thirds more processor time on two cores.
    """
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
