"""What /openapi.json says of each route, with examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from starlette.responses import PlainTextResponse

from elocute.phones import PHONES
from elocute.report import Report
from elocute.server.practice import MOST_ATTEMPTS, MOST_CHARS, MOST_SOUNDS
from elocute.server.problems import KINDS, MEDIA_TYPE, Code
from elocute.server.wanted import LANGUAGES, Advice, Detail, Sensitivity, Shape

DESCRIPTION = (
    "Hears a recording of English and its text; says how well every phone, word and sentence was spoken. Recordings "
    "are neither stored nor logged. Errors are problem details (RFC 9457) with a request id. "
    "The WebSocket /v1/stream takes a recording while it is made; elocute/server/stream.py has its messages."
)
TAGS = [
    {"name": "assessment", "description": "Recordings in, reports out."},
    {"name": "operations", "description": "For those who run the server."},
]

REPORT_EXAMPLE: dict[str, Any] = {
    "schema_version": "1",
    "text": "My father drives a red car.",
    "language": "en-US",
    "scale": 100,
    "model": {"backend": "embedded 2026-11-21", "scorer": "embedded 2026-11-21", "version": "0.1.0"},
    "audio": {"duration_s": 2.185, "speech_s": 1.79, "snr_db": 43.4, "clipped": 0.0},
    "utterance": {"accuracy": 87.5, "fluency": 91.4, "prosody": 87.5, "completeness": 100.0, "total": 85.1},
    "words": [],
    "mispronunciations": [],
    "fluency": None,
    "prosody": None,
    "feedback": [],
    "warnings": [],
}
"""A report as `detail_level=sentence` gives it, its figures of fluency and prosody left out."""


def _text(description: str, default: str | None = None, among: Sequence[str] | None = None) -> dict[str, Any]:
    """Schema of a text field."""
    plain: dict[str, Any] = {"type": "string", "description": description}
    plain |= {} if default is None else {"default": default}
    return plain if among is None else plain | {"enum": list(among)}


_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["audio", "text"],
    "additionalProperties": False,
    "properties": {
        "audio": {
            "type": "string",
            "format": "binary",
            "description": "Recording: wav, flac, mp3, ogg, webm (opus), m4a (aac). Told by its first bytes.",
        },
        "text": _text(
            "What was read aloud: at most limits.max_text_chars of /v1/models, and 1,000 sounds "
            "(phones), a minute of speech: the time for a report grows with sounds and seconds."
        )
        | {"minLength": 1, "examples": ["My father drives a red car."]},
        "language": _text("Of the text.", LANGUAGES[0], LANGUAGES),
        "detail_level": _text("Down to which level the report goes.", "full", get_args(Detail)),
        "l1": _text("The speaker's first language, ISO 639: which errors to expect. Scores do not depend on it.")
        | {"pattern": "^[a-z]{2,3}$"},
        "scale": _text("Highest score of a native report.", "100", ("100", "10", "1")),
        "format": _text(
            "'native', or 'azure' for the JSON of Azure Pronunciation Assessment, on its own scale.",
            "native",
            get_args(Shape),
        ),
        "sensitivity": _text("How readily a sound is called wrong.", "normal", get_args(Sensitivity)),
        "advice": _text("For whom the advice is written.", "learner", get_args(Advice)),
    },
}

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:problem-type:elocute:busy"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence: what, got, expected, fix."},
        "request_id": {"type": "string"},
        "report": {
            "type": "object",
            "description": "Of a recording that cannot be scored: the report, whose scores are null.",
        },
    },
}


def problems(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """Responses of a route that may end in these problems."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        status, title = KINDS[code]
        response = found.setdefault(status, {"description": title, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}})
        if title not in response["description"]:
            response["description"] += f"; {title[0].lower()}{title[1:]}"
    if 429 in found:
        found[429]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return found


_KEYS: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"key": []}]
_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Where the server has API keys."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
}

ASSESS: dict[str, Any] = {
    "tags": ["assessment"],
    "operation_id": "assess",
    "summary": "Assess one recording",
    "description": "The full native report is, byte for byte, what `elocute assess --format json` writes.",
    "openapi_extra": {
        "security": _KEYS,
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
    },
    "responses": {
        200: {
            "model": Report | dict[str, Any],
            "description": "The report, or with format=azure the service's detailed result (see elocute.azure).",
        },
        **problems(
            "bad-request",
            "unpronounceable",
            "no-key",
            "slow-upload",
            "too-large",
            "too-long",
            "not-audio",
            "not-multipart",
            "not-scorable",
            "busy",
            "mistake",
            "too-slow",
        ),
    },
}
_OUTCOME: dict[str, Any] = {
    "type": "object",
    "description": "What became of the phones of one attempt: how often each was right, wrong, or unsure.",
    "required": ["text", "right", "wrong", "unsure"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "maxLength": MOST_CHARS}}
    | {
        kind: {
            "type": "object",
            "propertyNames": {"enum": list(PHONES)},
            "additionalProperties": {"type": "integer", "minimum": 0, "maximum": MOST_SOUNDS},
        }
        for kind in ("right", "wrong", "unsure")
    },
}
PRACTICE: dict[str, Any] = {
    "tags": ["assessment"],
    "operation_id": "practice",
    "summary": "Choose the next sentence to practise",
    "description": "From the attempts so far, which the client keeps: nothing is stored. Spaced repetition over "
    "phones, the choice of `elocute profile`. The answer holds the outcome of each report, to be sent in its place "
    "next time.",
    "openapi_extra": {
        "security": _KEYS,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["attempts"],
                        "additionalProperties": False,
                        "properties": {
                            "attempts": {
                                "type": "array",
                                "maxItems": MOST_ATTEMPTS,
                                "description": "Oldest first: outcomes, or whole native reports.",
                                "items": {"anyOf": [_OUTCOME, {"$ref": "#/components/schemas/Report"}]},
                            }
                        },
                    },
                    "examples": {
                        "one": {
                            "value": {
                                "attempts": [
                                    {"text": "I think so.", "right": {"AY": 1}, "wrong": {"TH": 1}, "unsure": {}}
                                ]
                            }
                        }
                    },
                }
            },
        },
    },
    "responses": {
        200: {
            "description": "The sentence, the phones that it is for, and the outcome of each attempt; null: no scores.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["sentence", "phones", "attempts"],
                        "properties": {
                            "sentence": {"type": "string"},
                            "phones": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "required": ["phone", "ipa"],
                                    "properties": {"phone": {"type": "string"}, "ipa": {"type": "string"}},
                                },
                            },
                            "attempts": {"type": "array", "items": {"anyOf": [_OUTCOME, {"type": "null"}]}},
                        },
                    }
                }
            },
        },
        **problems("bad-request", "no-key", "slow-upload", "too-large", "busy", "mistake", "too-slow"),
    },
}
MODELS: dict[str, Any] = {
    "tags": ["assessment"],
    "operation_id": "models",
    "summary": "What is installed, and what may be asked for",
    "openapi_extra": {"security": _KEYS},
    "responses": {200: {"model": dict[str, Any]}, **problems("no-key")},
}
HEALTH: dict[str, Any] = {"tags": ["operations"], "operation_id": "healthz", "summary": "Is the server alive?"}
READY: dict[str, Any] = {
    "tags": ["operations"],
    "operation_id": "readyz",
    "summary": "Can it assess?",
    "responses": problems("not-ready"),
}
METRICS: dict[str, Any] = {
    "tags": ["operations"],
    "operation_id": "metrics",
    "summary": "Figures for Prometheus",
    "response_class": PlainTextResponse,
}


def complete(document: dict[str, Any]) -> None:
    """Add what FastAPI does not: the ways to send a key, and an example, from which it would leave out what is null."""
    document["components"]["securitySchemes"] = _SCHEMES
    answer = document["paths"]["/v1/assess"]["post"]["responses"]["200"]["content"]["application/json"]
    answer["examples"] = {"sentence": {"summary": "detail_level=sentence", "value": REPORT_EXAMPLE}}
