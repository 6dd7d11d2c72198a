"""The base of every app's errors."""

from typing import Any, ClassVar

MAX_TEXT = 600


def bounded(value: object, limit: int = 120) -> str:
    """Return the value as text of at most `limit` characters, for use in a message."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class DomainError(Exception):
    """An expected refusal: a stable code, a text a person can act on, and named data.

    Parameters
    ----------
    message : str
        What is wrong, what was allowed, what came; cut at 600 characters.
    **fields : Any
        The same as data, JSON-compatible.
    """

    code: ClassVar[str] = "error"
    audited = False
    """Whether the refusal is in the audit already: an action made of others is refused once."""

    def __init__(self, message: str, **fields: Any) -> None:
        self.message = bounded(message, MAX_TEXT)
        self.fields = fields
        super().__init__(self.message)

    def as_dict(self) -> dict[str, Any]:
        """Return the error as the JSON object every edge prints."""
        body: dict[str, Any] = {"error": self.message, "code": self.code}
        if self.fields:
            body["fields"] = self.fields
        return body


class InvalidInputError(DomainError):
    """The caller gave something that can't be used as it is."""

    code = "invalid_input"


class NotFoundError(DomainError):
    """The caller named something that isn't there."""

    code = "not_found"


class ForbiddenError(DomainError):
    """The caller is known and may not do this."""

    code = "forbidden"


class ConflictError(DomainError):
    """Another caller was first."""

    code = "conflict"


class RefusedError(DomainError):
    """A rule says no to a well-formed request."""

    code = "refused"


class TooLargeError(DomainError):
    """The input is over a limit."""

    code = "too_large"


class UnavailableError(DomainError):
    """A service, extra or model that is needed is missing."""

    code = "unavailable"


class LimitedError(DomainError):
    """The caller has asked for more than a limit allows in a while; `retry_after` says how many seconds are left."""

    code = "limited"


class FencedError(DomainError):
    """Another process has taken this one's place; do not restart at once."""

    code = "fenced"
