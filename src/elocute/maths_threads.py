"""Processes that share the cores: each keeps to one thread, or numerical libraries fight over them."""

from __future__ import annotations

import os


def keep_to_one_thread() -> None:
    """Tell the numerical libraries that load after this, here and in processes started from here, to use one thread.

    What the user has set stays. With two threads each a recording takes half as much processor time again on two cores.
    """
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
