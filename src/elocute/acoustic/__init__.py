"""Step 3/10 - acoustic backends: `Audio` to `Posteriors`.

A backend is any object with the four members of `Backend`; packages offer theirs in the entry-point group
`elocute.backends` (name = factory with the one keyword `threads`). One that hears many recordings in one pass has the
two members of `BatchBackend` as well. `check_backend` is the contract, and third parties may run it.
"""

from elocute.acoustic.protocol import (
    ENTRY_POINT_GROUP,
    Backend,
    BatchBackend,
    backend_names,
    check_backend,
    load_backend,
    rates,
)

__all__ = [
    "ENTRY_POINT_GROUP",
    "Backend",
    "BatchBackend",
    "backend_names",
    "check_backend",
    "load_backend",
    "rates",
]
