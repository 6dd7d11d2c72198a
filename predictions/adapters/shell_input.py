"""Rows given on a command line, as the body of a predict request."""

from pathlib import Path

from predictions.errors import InvalidRequestError


def read_body(text: str | None, file: Path | None, limit: int) -> bytes:
    """Return the request body for rows given as text or in a file, which may hold at most `limit` bytes."""
    content = (text or "").encode("utf-8", "surrogatepass") if file is None else _read(file, limit)
    if len(content) > limit:
        raise InvalidRequestError(
            f"the rows are {len(content)} bytes; at most {limit} are allowed: use score for a batch", limit=limit
        )
    if file is not None and file.suffix == ".jsonl":
        return b'{"records": [' + b",".join(line for line in content.splitlines() if line.strip()) + b"]}"
    content = content.strip()
    if not content.startswith(b"["):
        return content
    return (b'{"records": ' if content[1:].lstrip().startswith(b"{") else b'{"data": ') + content + b"}"


def _read(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as handle:
            return handle.read(limit + 1)
    except OSError as error:
        raise InvalidRequestError(f"{file} can't be read: {error.strerror or error}", file=str(file)) from error
