"""Every address of the site, with sample values in the place of its parameters."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import get_converters
from django.urls.resolvers import RegexPattern, RoutePattern

SAMPLES = {"int": 1, "str": "x", "slug": "x", "path": "x", "uuid": "00000000-0000-4000-8000-000000000000"}


def _converter_name(converter: object) -> str:
    return next((name for name, known in get_converters().items() if type(known) is type(converter)), "str")


def _route(pattern: RoutePattern | RegexPattern) -> tuple[str, str]:
    """Return a pattern as it is written in documents and with sample values."""
    if isinstance(pattern, RegexPattern):
        plain = pattern.regex.pattern.removeprefix("^").removesuffix("$").removesuffix(r"\Z")
        return plain, "x/y/" if "(" in plain else plain
    written, sample = pattern._route, pattern._route
    for key, converter in pattern.converters.items():
        kind = _converter_name(converter)
        for text in (f"<{kind}:{key}>", f"<{key}>"):
            written = written.replace(text, f"{{{key}}}")
            sample = sample.replace(text, str(SAMPLES.get(kind, "x")))
    return written, sample


def walk(
    resolver: URLResolver | None = None, written: str = "/", sample: str = "/"
) -> Iterator[tuple[str, str, URLPattern]]:
    """Yield each route as documents write it, an address of it, and its pattern."""
    for entry in (resolver or get_resolver()).url_patterns:
        route, address = _route(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from walk(entry, written + route, sample + address)
        else:
            yield written + route, sample + address, entry
