"""The command line: results on stdout, everything else on stderr; exit 0 ok, 1 our error, 2 usage."""

from elocute.cli.app import app, main

__all__ = ["app", "main"]
