"""A process pool for tests that runs in the process of the test."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Inline:
    """A pool that runs its jobs at once."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> "Inline":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, call: Callable[..., Any], *arguments: object) -> Future:
        future: Future = Future()
        future.set_result(call(*arguments))
        return future
