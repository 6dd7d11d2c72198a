"""Spans of a trace, for whoever collects them; without a tracer nothing is made and next to nothing paid."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# An OpenTelemetry tracer where tracing is configured; who starts the process puts it here.
_tracer: Any = None


def trace_with(tracer: Any) -> None:
    """Make spans with a tracer of OpenTelemetry's from now on; none if it is None."""
    global _tracer
    _tracer = tracer


def traced(
    name: str, about: Callable[..., Mapping[str, Any]] | None = None
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Make a span of each call of a function; what it raises is noted in it.

    Parameters
    ----------
    name : str
        The span's name.
    about : callable, optional
        Returns the span's attributes; called with what the function is called with.
    """

    def decorated(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(function)
        def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            if _tracer is None:
                return function(*args, **kwargs)
            attributes = about(*args, **kwargs) if about else None
            with _tracer.start_as_current_span(name, attributes=attributes):
                return function(*args, **kwargs)

        return call

    return decorated
