"""A file in pieces of whole records: as large as a payload may be, and never a record cut in two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Chunk:
    """Whole records.

    Attributes:
        text: their lines, as they stand in the file.
        first_line: number of the first line, from 1.
    """

    text: bytes
    first_line: int


def chunks(file: BinaryIO, size: int, *, quoted: bool) -> Iterator[Chunk]:
    """Yield a file in chunks of about `size` bytes; a chunk is larger only when a single record is.

    Args:
        file: open in binary mode.
        size: in bytes.
        quoted: whether a line break inside double quotes belongs to the record (CSV).
    """
    kept, line = b"", 1
    while block := file.read(max(size - len(kept), size // 4, 1)):
        text = kept + block
        end = _last_end(text, quoted=quoted)
        if end:
            yield Chunk(text[:end], line)
            line += text.count(b"\n", 0, end)
        kept = text[end:]
    if kept:
        yield Chunk(kept, line)


def _last_end(text: bytes, *, quoted: bool) -> int:
    """Return where the last whole record ends, 0 when there is none."""
    end = text.rfind(b"\n") + 1
    if not quoted or not end or b'"' not in text:
        return end
    # An odd number of quotes before a line break means that it stands inside of a field.
    quotes = text.count(b'"', 0, end)
    while end and quotes % 2:
        before = text.rfind(b"\n", 0, end - 1) + 1
        quotes -= text.count(b'"', before, end)
        end = before
    return end
