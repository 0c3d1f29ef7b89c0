"""What a request asks for: the fields of its form, checked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from elocute.assessor import SCALES
from elocute.config import AssessorConfig
from elocute.server.form import Form
from elocute.server.problems import Problem

Detail = Literal["full", "word", "sentence"]
Shape = Literal["native", "azure"]
Sensitivity = Literal["low", "normal", "high"]
Advice = Literal["off", "child", "learner", "teacher"]

LANGUAGES = ("en-US",)
L1 = tuple(
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo "
    "es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka "
    "kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng "
    "nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su "
    "sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo yue za zh zu".split()
)
"""First languages: the two-letter codes of ISO 639-1, and of ISO 639-3 that of Cantonese, which has none there."""
FIELDS = ("audio", "text", "language", "detail_level", "l1", "scale", "format", "sensitivity", "advice")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wanted:
    """One recording to be assessed.

    Attributes:
        audio: the recording as it was sent, in any format.
        text: what should have been said.
        detail: down to which level the report goes.
        l1: the speaker's first language, None where it was not said.
        scale: highest score.
        shape: of the answer.
        sensitivity: how readily a phone is flagged.
        advice: for whom the advice is written.
    """

    audio: bytes
    text: str
    detail: Detail
    l1: str | None
    scale: int
    shape: Shape
    sensitivity: Sensitivity
    advice: Advice


def wanted(form: Form, defaults: AssessorConfig, *, max_text_chars: int) -> Wanted:
    """Read a form.

    Raises:
        Problem: a field is missing, unknown, empty, too long, or none of its values.
    """
    if "audio" in form.fields or "audio" not in form.files:
        raise _bad("the field 'audio' is missing; send the recording as a file field of that name")
    for name in form.fields:
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(FIELDS)}"
            raise _bad(f"the field {name[:40]!r} is unknown; {hint}")
    text = form.fields.get("text")
    if text is None:
        raise _bad("the field 'text' is missing; send what was read aloud")
    if len(text) > max_text_chars:
        raise Problem(
            "too-large", f"the text has {len(text)} characters; expected at most {max_text_chars}, so send it in parts"
        )
    _one_of(form.fields, "language", LANGUAGES, LANGUAGES[0])
    scales = tuple(map(str, reversed(SCALES)))
    return Wanted(
        audio=form.files["audio"],
        text=text,
        detail=cast(Detail, _one_of(form.fields, "detail_level", get_args(Detail), "full")),
        l1=_one_of(form.fields, "l1", L1, "") or None,
        scale=int(_one_of(form.fields, "scale", scales, str(defaults.scale))),
        shape=cast(Shape, _one_of(form.fields, "format", get_args(Shape), "native")),
        sensitivity=cast(Sensitivity, _one_of(form.fields, "sensitivity", get_args(Sensitivity), defaults.sensitivity)),
        advice=cast(Advice, _one_of(form.fields, "advice", get_args(Advice), defaults.advice)),
    )


def _one_of(fields: Mapping[str, str], name: str, values: tuple[str, ...], default: str) -> str:
    """The value of a field; one that is left out or empty has its default."""
    value = fields.get(name) or default
    if value != default and value not in values:
        expected = "a two-letter code of ISO 639-1, such as 'zh'" if values is L1 else f"one of {', '.join(values)}"
        raise _bad(f"{name} is {value[:40]!r}; expected {expected}")
    return value


def _bad(detail: str) -> Problem:
    """The answer to a form that does not say what is wanted."""
    return Problem("bad-request", detail)
