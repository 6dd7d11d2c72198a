"""Whoever calls the version in production may call this one with the same request."""

from collections.abc import Mapping, Sequence
from typing import Any

from models_store.core.gates.base import Evidence, GateOutcome, Settings, outcome
from models_store.core.gates.settings import Names

NAME = "signature_compatible"
DIFFERENCES = ("added", "removed", "retyped", "reordered", "classes")
SETTINGS = {"allow": Names(allowed=DIFFERENCES)}


def evaluate(evidence: Evidence, settings: Settings) -> GateOutcome:
    """Ask that inputs and classes be those of the production version.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    settings : mapping
        `allow`: differences that may pass, of added, removed, retyped, reordered, classes; none by default.

    Returns
    -------
    GateOutcome
        Passed where nothing is in production; its evidence lists every difference.
    """
    champion = evidence.champion
    if champion is None:
        return outcome(NAME, True, "no other version is in production", "nothing to compare with")
    found = differences(champion.input_schema, evidence.input_schema)
    if set(map(str, champion.output_schema.get("classes", ()))) != set(
        map(str, evidence.output_schema.get("classes", ()))
    ):
        found["classes"] = [str(label) for label in evidence.output_schema.get("classes", ())]
    allowed = set(settings.get("allow", ()))
    shown = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found.items()) or "the same"
    return outcome(
        NAME,
        set(found) <= allowed,
        shown,
        f"inputs and classes of version {champion.number}"
        + (f", but for {', '.join(sorted(allowed))}" * bool(allowed)),
        champion=champion.number,
        **found,
    )


def differences(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what a caller of the old inputs would notice of the new ones.

    Parameters
    ----------
    old, new : sequence of mapping
        Input columns in order: name, dtype, nullable.

    Returns
    -------
    dict of str to list of str
        Names of columns by kind of difference: added, removed, retyped, reordered; kinds without any are left out.
    """
    before, after = ({str(column["name"]): column for column in schema} for schema in (old, new))
    shared = [name for name in after if name in before]
    found = {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "retyped": [
            f"{name} ({_kind(before[name])} to {_kind(after[name])})"
            for name in shared
            if _narrower(before[name], after[name])
        ],
        "reordered": shared if shared != [name for name in before if name in after] else [],
    }
    return {kind: names for kind, names in found.items() if names}


def _narrower(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return old["dtype"] != new["dtype"] or (bool(old.get("nullable")) and not new.get("nullable"))


def _kind(column: Mapping[str, Any]) -> str:
    return f"{column['dtype']}{' or missing' if column.get('nullable') else ''}"
