"""Forms, however they arrive: whole, in pieces, or as nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("python_multipart", reason="needs the extra 'serve'")
pytest.importorskip("starlette", reason="needs the extra 'serve'")

from starlette.types import Message

from elocute.server.body import Body
from elocute.server.form import Form, read_form
from elocute.server.problems import Problem

KIND = "multipart/form-data; boundary=b0undary"
LIMIT = 5_000


def read(chunks: Sequence[bytes], kind: str = KIND) -> Form:
    """A form from the chunks of its body."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks) - 1}
        for number, chunk in enumerate(chunks)
    ]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    body = Body(receive, max_bytes=20_000, timeout_s=5)
    return asyncio.run(read_form(kind, body, file_fields=frozenset({"audio"}), max_file_bytes=LIMIT))


def written(fields: dict[str, str], audio: bytes) -> bytes:
    """A form as browsers write it."""
    parts = [
        f'--b0undary\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = b'--b0undary\r\nContent-Disposition: form-data; name="audio"; filename="a.webm"\r\nContent-Type: x/y\r\n\r\n'
    return b"".join([*parts, head, audio, b"\r\n--b0undary--\r\n"])


@given(
    st.dictionaries(st.text("abcdefghij_", min_size=1, max_size=8), st.text(max_size=30), max_size=5),
    st.binary(max_size=300) | st.just(b"\r\n--b0undar\r\n--b0undarz\r\n" * 3),
    st.lists(st.integers(0, 600), max_size=8),
)
def test_a_form_is_the_same_however_it_is_cut(fields: dict[str, str], audio: bytes, cuts: list[int]) -> None:
    whole = written(fields, audio)
    places = sorted({min(cut, len(whole)) for cut in cuts})
    pieces = [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]
    form = read(pieces)
    assert form.fields == fields
    assert form.files == {"audio": audio}


PIECES = st.binary(max_size=200) | st.sampled_from([b"--b0undary", b"\r\n", b"\r\n\r\n", b"--", b": "])


@given(st.lists(PIECES, max_size=30))
def test_nonsense_is_a_problem_and_nothing_else(pieces: list[bytes]) -> None:
    try:
        form = read([b"".join(pieces)])
    except Problem as problem:
        assert problem.code in {"bad-request", "too-large"}  # noqa: PT017 - an empty form is as good
    else:
        assert (form.fields, form.files) == ({}, {})


@given(st.text(st.characters(max_codepoint=255), max_size=60))  # as headers are decoded
def test_any_content_type_but_ours_is_refused(kind: str) -> None:
    with pytest.raises(Problem) as caught:
        read([b""], kind)
    assert caught.value.status in {400, 415}


@given(st.integers(0, 200))
def test_a_form_that_ends_early_is_refused(missing: int) -> None:
    whole = written({"text": "hi"}, bytes(100))
    cut = whole[: len(whole) - 4 - missing] if missing else whole[:-6]
    with pytest.raises(Problem, match="malformed or incomplete"):
        read([cut])


def test_limits() -> None:
    assert len(read([written({}, bytes(LIMIT))]).files["audio"]) == LIMIT
    with pytest.raises(Problem) as caught:
        read([written({}, bytes(LIMIT + 1))])
    assert caught.value.code == "too-large"
    with pytest.raises(Problem, match="more than 32 parts"):
        read([written({f"f{number}": "" for number in range(40)}, b"")])


def test_a_client_that_goes_away_is_noticed() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    body = Body(receive, max_bytes=10, timeout_s=5)
    with pytest.raises(Problem) as caught:
        asyncio.run(read_form(KIND, body, file_fields=frozenset({"audio"}), max_file_bytes=10))
    assert caught.value.code == "client-gone"
