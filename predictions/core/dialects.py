"""The dialects this server speaks, told apart by path, and how each says that something is wrong."""

from collections.abc import Mapping
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


def error_body(dialect: Dialect, status: int, text: str, code: str, request_id: str, fields: Any) -> dict[str, Any]:
    """Return the JSON object of an error as a dialect's clients read it.

    Parameters
    ----------
    dialect : str
        Whose shape it gets.
    status : int
        The HTTP status.
    text : str
        What is wrong.
    code : str
        Our stable code.
    request_id : str
        The request's id.
    fields : mapping or list, optional
        The same as data; its `detail` is the text for dialects that have no fields.

    Returns
    -------
    dict
        The object.
    """
    detail = str(fields.get("detail", text)) if isinstance(fields, Mapping) else text
    if dialect == "v2":
        return {"error": detail}
    if dialect == "mlflow":
        return {"error_code": MLFLOW_CODES.get(status, "BAD_REQUEST"), "message": detail}
    answer: dict[str, Any] = {"error": text, "code": code, "request_id": request_id}
    return answer | {"fields": fields} if fields else answer
