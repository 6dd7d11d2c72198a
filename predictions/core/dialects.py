"""The dialects this server speaks, told apart by path, and how each says that something is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Dialect = Literal["own", "v2", "mlflow"]
MLFLOW_ROOT = ("/invocations", "/ping", "/version", "/health")
MLFLOW_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What is wrong with a request, before any dialect says it.

    Parameters
    ----------
    status : int
        The HTTP status.
    text : str
        What is wrong.
    code : str
        Our stable code.
    fields : mapping or list, optional
        The same as data; its `detail` is the text for dialects that have no fields.
    headers : mapping
        What the answer's headers say besides.
    """

    status: int
    text: str
    code: str
    fields: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def detail(self) -> str:
        """Return the text for dialects that have no fields."""
        return str(self.fields.get("detail", self.text)) if isinstance(self.fields, Mapping) else self.text


def dialect_of(path: str) -> Dialect:
    """Return the dialect of an address.

    Parameters
    ----------
    path : str
        The request's path.

    Returns
    -------
    str
        v2, mlflow or own.
    """
    if path == "/v2" or path.startswith("/v2/"):
        return "v2"
    return "mlflow" if path in MLFLOW_ROOT or path.startswith("/mlflow/") else "own"


def error_body(dialect: Dialect, fault: Fault, request_id: str) -> dict[str, Any]:
    """Return the JSON object of an error as a dialect's clients read it.

    Parameters
    ----------
    dialect : str
        Whose shape it gets.
    fault : Fault
        What is wrong.
    request_id : str
        The request's id.

    Returns
    -------
    dict
        The object.
    """
    if dialect == "v2":
        return {"error": fault.detail}
    if dialect == "mlflow":
        return {"error_code": MLFLOW_CODES.get(fault.status, "BAD_REQUEST"), "message": fault.detail}
    answer: dict[str, Any] = {"error": fault.text, "code": fault.code, "request_id": request_id}
    return answer | {"fields": fault.fields} if fault.fields else answer
