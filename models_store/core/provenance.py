"""What a version was made of, in lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any

SHOWN = 12


def provenance_lines(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return data, code, environment, files and origin, a line each.

    Parameters
    ----------
    provenance : mapping
        As a version's row holds it; empty for a version of an older installation.

    Returns
    -------
    iterator of tuple of str and str
        A label and its text; digests are cut to their first 12 digits.
    """
    data, code, environment = (provenance.get(part) or {} for part in ("data", "code", "environment"))
    for source in data.get("datasets", ()):
        yield f"data {source['version']}", f"{source['rows']:,} rows, fingerprint {source['fingerprint'][:SHOWN]}"
    if snapshot := data.get("snapshot"):
        yield "data snapshot", f"{snapshot['rows']:,} rows, fingerprint {snapshot['fingerprint'][:SHOWN]}"
    if code:
        yield "code", _code(code)
    if environment:
        yield "environment", f"Python {environment['python']} on {environment['platform']}"
        yield "lock file", environment["lock_digest"][:SHOWN] or "none"
    for name, entry in sorted((provenance.get("files") or {}).items()):
        yield f"file {name}", f"{entry['size']:,} bytes, sha256 {entry['sha256'][:SHOWN]}"
    if origin := provenance.get("origin"):
        yield "imported", f"{origin['bundle']}, exported with key {origin['key_id'][:SHOWN]}, made by {origin['actor']}"


def _code(code: Mapping[str, Any]) -> str:
    if not code["commit"]:
        return f"version {code['version']}, outside git"
    changes = f", with changes {code['diff_digest'][:SHOWN]}" if code["dirty"] else ", unchanged"
    return f"commit {code['commit'][:SHOWN]}{changes}"
