"""A multipart form to its fields, in memory: nothing of an upload ever touches the disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from elocute.server.body import Body, too_large
from elocute.server.problems import Problem

FORM_OVERHEAD_BYTES = 64 * 1024
"""A form may be larger than its recording by so much: its other fields, boundaries and headers."""
_MAX_FIELD_BYTES = 32 * 1024
_MAX_PARTS = 32
_MAX_BOUNDARY = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """A form that arrived.

    Attributes:
        fields: text fields by name.
        files: the bytes of file fields by name.
    """

    fields: dict[str, str]
    files: dict[str, bytes]


async def read_form(content_type: str | None, body: Body, *, file_fields: frozenset[str], max_file_bytes: int) -> Form:
    """Read a multipart form.

    Args:
        content_type: header of the request.
        body: of the request.
        file_fields: names of the fields that hold bytes; all others hold UTF-8 text.
        max_file_bytes: a file of more bytes is refused.

    Raises:
        Problem: not a multipart form, malformed, too large, too slow, or the client is gone.
    """
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser

    parts = _Parts(file_fields=file_fields, max_file_bytes=max_file_bytes)
    parser = MultipartParser(
        _boundary(content_type),
        {
            "on_part_begin": parts.begin,
            "on_header_begin": parts.begin_header,
            "on_header_field": parts.header_name,
            "on_header_value": parts.header_value,
            "on_header_end": parts.end_header,
            "on_headers_finished": parts.end_headers,
            "on_part_data": parts.data,
            "on_part_end": parts.end,
            "on_end": parts.finish,
        },
    )
    try:
        async for chunk in body.chunks():
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise _malformed(str(error)) from error
    if not parts.is_finished:
        raise _malformed("it ends before its last boundary")
    return Form(fields=parts.fields, files=parts.files)


def _boundary(content_type: str | None) -> bytes:
    """What separates the parts."""
    from python_multipart.multipart import parse_options_header

    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise Problem(
            "not-multipart",
            f"Content-Type is {content_type!r}; expected multipart/form-data with the fields 'audio' and 'text'",
        )
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise _malformed("Content-Type names no boundary")
    return boundary


def _malformed(reason: str) -> Problem:
    """The answer to a form that cannot be read."""
    return Problem(
        "bad-request", f"the form is malformed or incomplete: {reason.rstrip('.')}; let an HTTP library write it"
    )


@dataclass(slots=True, kw_only=True)
class _Parts:
    """Collects the parts of a form, as the parser meets them."""

    file_fields: frozenset[str]
    max_file_bytes: int
    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    is_finished: bool = False
    _count: int = 0
    _name: str = ""
    _data: bytearray = field(default_factory=bytearray)
    _limit: int = 0
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _header: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))

    def begin(self) -> None:
        """A part begins."""
        self._count += 1
        if self._count > _MAX_PARTS:
            raise _malformed(f"it has more than {_MAX_PARTS} parts")
        self._headers = {}
        self._data = bytearray()

    def begin_header(self) -> None:
        """A header of a part begins."""
        self._header = (bytearray(), bytearray())

    def header_name(self, data: bytes, start: int, end: int) -> None:
        """Some of a header's name."""
        self._header[0].extend(data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """Some of a header's value."""
        self._header[1].extend(data[start:end])

    def end_header(self) -> None:
        """A header is complete."""
        self._headers[bytes(self._header[0]).lower()] = bytes(self._header[1])

    def end_headers(self) -> None:
        """All headers of a part are there: what is its name?"""
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        try:
            self._name = options.get(b"name", b"").decode("utf-8")
        except UnicodeDecodeError as error:
            raise _malformed("the name of a field is not UTF-8") from error
        if not self._name:
            raise _malformed("a part has no name")
        if self._name in self.fields or self._name in self.files:
            raise _malformed(f"it has the field {self._name[:40]!r} twice")
        self._limit = self.max_file_bytes if self._name in self.file_fields else _MAX_FIELD_BYTES

    def data(self, data: bytes, start: int, end: int) -> None:
        """Some of a part's content."""
        if len(self._data) + end - start > self._limit:
            if self._name in self.file_fields:
                raise too_large(self._limit)
            raise Problem(
                "too-large",
                f"the field {self._name[:40]!r} has more than {self._limit >> 10} KiB; send a recording as 'audio', "
                "and a shorter text",
            )
        self._data += data[start:end]

    def end(self) -> None:
        """A part is complete."""
        if self._name in self.file_fields:
            self.files[self._name] = bytes(self._data)
            return
        try:
            self.fields[self._name] = self._data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _malformed(f"the field {self._name[:40]!r} is not UTF-8") from error

    def finish(self) -> None:
        """The last boundary was met."""
        self.is_finished = True
