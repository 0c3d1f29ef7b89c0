"""One worker process of the local engine: it sets itself up before anything imports numpy.

Numerical libraries read once, when they are loaded, how many threads they may use; with one process a core, threads of
their own only stand in each other's way (a batch takes nearly twice as long). So this module must not import numpy.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import threading
from collections.abc import Callable, Sequence

from elocute.batch.answers import Answer, AssessRow
from elocute.batch.manifest import ManifestRow
from elocute.errors import ConfigError
from elocute.maths_threads import keep_to_one_thread

# State of a worker process; the parent never touches it.
_factory = b""
_assess: AssessRow | None = None


def pickled(make_assessor: Callable[[], AssessRow]) -> bytes:
    """The factory as bytes, so that a worker sets itself up before it imports what the factory needs."""
    try:
        return pickle.dumps(make_assessor)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"make_assessor cannot be sent to worker processes ({error}); "
            "give a function of a module, a functools.partial or a frozen dataclass with __call__"
        ) from error


def start(factory: bytes) -> None:
    """Set up a worker process."""
    global _factory
    _factory = factory
    keep_to_one_thread()
    # Ctrl-C goes to the whole process group; the parent alone decides how to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def answer(task: Sequence[ManifestRow]) -> list[Answer]:
    """Assess the rows of a task."""
    global _assess
    from elocute.batch.many import answer_rows

    if _assess is None:
        _assess = pickle.loads(_factory)()
    return answer_rows(_assess, task)


def _die_with_parent() -> None:
    """End this worker when its parent was killed: nobody is left to take the answers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
