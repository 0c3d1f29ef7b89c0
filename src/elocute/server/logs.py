"""Logs as JSON lines on stderr: what happened, never what was said."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

FACTS = "facts"
"""Attribute of a log record that holds a request's facts."""


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as JSON."""
        plain: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        plain |= getattr(record, FACTS, {})
        if record.exc_info:
            plain["traceback"] = self.formatException(record.exc_info)
        return json.dumps(plain, ensure_ascii=True, default=str)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send all logs to stderr as JSON lines; for the process of a server only.

    python_multipart warns of every form that is nonsense, byte by byte; that is answered, not logged.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.getLogger().handlers = [handler]
    for name in ("elocute", "uvicorn"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
