"""Compressed bodies, in and out, within a limit."""

import gzip
import zlib

from features.ground.errors import bounded
from predictions.errors import BodyTooLargeError, InvalidRequestError

# zlib's window bits: each coding in its own wrapping, and in no other.
WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
PLAIN = ("", "identity")
# Smaller answers are not worth the work.
WORTH_BYTES = 1024
_LEVEL = 1


def unpacked(body: bytes, coding: str, *, limit: int) -> bytes:
    """Return a request body without its content coding.

    Parameters
    ----------
    body : bytes
        As it came.
    coding : str
        gzip, deflate (zlib), identity or empty.
    limit : int
        Bytes it may unpack to; no more are ever made.

    Returns
    -------
    bytes
        The body itself.

    Raises
    ------
    BodyTooLargeError
        If it unpacks to more than the limit.
    InvalidRequestError
        If it is damaged, cut short, or followed by other bytes.
    """
    if coding in PLAIN:
        return body
    reader = zlib.decompressobj(WINDOWS[coding])
    try:
        whole = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidRequestError(f"the body is no {coding}: {bounded(str(error), 100)}") from None
    if len(whole) > limit:
        raise BodyTooLargeError(f"Request body is too large: it unpacks to more than {limit} bytes", limit=limit)
    if not reader.eof:
        raise InvalidRequestError(f"the body's {coding} is cut short")
    if reader.unused_data:
        raise InvalidRequestError(f"{len(reader.unused_data)} bytes follow the body's {coding}")
    return whole


def packed(body: bytes, accepted: str) -> tuple[bytes, str]:
    """Return an answer as the client may want it, and its content coding.

    Parameters
    ----------
    body : bytes
        The answer.
    accepted : str
        The Accept-Encoding header.

    Returns
    -------
    tuple of bytes and str
        The body and gzip or deflate; itself and an empty text if it is small or neither is accepted.
    """
    if len(body) < WORTH_BYTES or not accepted:
        return body, ""
    wanted = [part.partition(";") for part in accepted.lower().split(",")]
    allowed = {name.strip() for name, _, weight in wanted if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00")}
    if "gzip" in allowed:
        return gzip.compress(body, _LEVEL, mtime=0), "gzip"
    return (zlib.compress(body, _LEVEL), "deflate") if "deflate" in allowed else (body, "")
