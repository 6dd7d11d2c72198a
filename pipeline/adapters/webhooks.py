"""One signed POST to a webhook, in the form of the Standard Webhooks specification."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pipeline.errors import EventDeliveryError

PREFIX = "whsec_"


class _NoRedirect(HTTPRedirectHandler):
    """Follow no redirect: events go to the configured address or nowhere, and a followed POST would become a GET."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


_opener = build_opener(_NoRedirect)


def key_of(secret: str) -> bytes:
    """Return the signing key: the secret itself, or what `whsec_` hides in base64."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise EventDeliveryError("events.webhook_secret: what follows whsec_ must be base64") from error


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 over id, time and body, so that none of them can be exchanged."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()


def post_signed(
    address: str, event_id: str, content: Mapping[str, Any], *, secret: str, timestamp: int, timeout_s: float
) -> None:
    """Send an event.

    Raises
    ------
    EventDeliveryError
        If it is not taken with a status of 2xx; the text never holds the address, which may be a secret.
    """
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, event_id, timestamp, body),
    }
    try:
        request = Request(address, data=body, headers=headers)  # noqa: S310 (the setting allows http and https alone)
        with _opener.open(request, timeout=timeout_s) as answer:
            answer.read(1024)
    except (OSError, HTTPException, ValueError) as error:
        # An HTTP error is an OSError with a code, and holds an open connection.
        said = f"{type(error).__name__} {getattr(error, 'code', '')}".strip()
        getattr(error, "close", lambda: None)()
        raise EventDeliveryError(f"the target did not take the event: {said}") from error
