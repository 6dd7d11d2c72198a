"""A model card: what people say of a model, what its rows say of a version, and both as Markdown.

The parts are those of Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), as far as a row knows them.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from features.ground.canonical import digest
from features.ground.errors import bounded
from models_store.errors import BadCardError

WRITTEN: Mapping[str, int] = {"purpose": 2000, "intended_use": 2000, "limits": 2000, "owner": 150}
"""The parts a person writes, and the characters each may have: what the audit keeps whole."""

Card = Mapping[str, Any]
"""A card in its JSON form."""


def checked_parts(parts: Mapping[str, str]) -> dict[str, str]:
    """Return what somebody wrote, if it can be kept.

    Parameters
    ----------
    parts : mapping of str to str
        Texts by the name of their part; an empty one takes the part away.

    Returns
    -------
    dict of str to str
        Without space around them.

    Raises
    ------
    BadCardError
        If there is no such part, or a text is too long or holds what no database stores.
    """
    if not parts or set(parts) - set(WRITTEN):
        named = ", ".join(map(str, parts)) or "none"
        raise BadCardError(f"the parts of a card that are written are {', '.join(WRITTEN)}; got {bounded(named)}")
    texts = {part: text.replace("\r\n", "\n").strip() for part, text in parts.items()}
    for part, text in texts.items():
        if len(text) > WRITTEN[part]:
            raise BadCardError(f"{part} has {WRITTEN[part]} characters at most, got {len(text)}", part=part)
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise BadCardError(f"{part} is plain text, got NUL or half a character", part=part)
    if "\n" in texts.get("owner", ""):
        raise BadCardError("owner is one line, got several", part="owner")
    return texts


def missing_parts(written: Mapping[str, str]) -> list[str]:
    """Return the parts nobody has written yet.

    Parameters
    ----------
    written : mapping of str to str
        Texts by the name of their part.

    Returns
    -------
    list of str
        In the order of a card.
    """
    return [part for part in WRITTEN if not written.get(part)]


def written_digest(written: Mapping[str, str]) -> str:
    """Return what tells one state of the written parts from another.

    Parameters
    ----------
    written : mapping of str to str
        Texts by the name of their part.

    Returns
    -------
    str
        sha256 in hexadecimal.
    """
    return digest({part: written.get(part, "") for part in WRITTEN})


def card_markdown(card: Card) -> str:
    """Return a card as a Markdown document.

    Parameters
    ----------
    card : mapping
        Its JSON form, as `card_of` gives it.

    Returns
    -------
    str
        Written texts stand as quotations with their markup's brackets escaped, so that none can pass for a heading,
        a table or HTML of the document itself.
    """
    title = f"# {card['model']}@{card['version']}\n\nA {card['task']} model, {card['stage']}."
    parts = [(part.replace("_", " ").capitalize(), _quoted(card["written"][part])) for part in WRITTEN]
    parts += [
        ("Data", _facts(card["trained_on"]) or "Not trained here: nothing is known of its data."),
        ("Metrics", _metrics(card)),
        *((f"Metrics by {column}", _slices(rows)) for column, rows in card["slices"].items()),
        ("Gates", _table(("gate", "passed", "observed", "threshold"), card["gates"]) or "Not evaluated yet."),
        *([("Waived gates", _table(("gate", "actor", "reason"), card["waivers"]))] if card["waivers"] else []),
        ("Inputs", _table(("name", "dtype", "nullable", "min", "max", "allowed"), card["inputs"])),
        ("Training", _facts(card["training"])),
        ("Artefact", _facts(card["artefact"])),
    ]
    return "\n\n".join([title, *(f"## {heading}\n\n{body}" for heading, body in parts)]) + "\n"


def _quoted(text: str) -> str:
    lines = html.escape(text, quote=False).splitlines()
    return "\n".join(f"> {line}".rstrip() for line in lines) or "*Nobody has written this yet.*"


def _metrics(card: Card) -> str:
    shown = [
        {**row, "interval": " to ".join(map(_cell, row["interval"])) if row["interval"] else None}
        for row in card["metrics"]
    ]
    columns = ("metric", "better", "test", "interval", "linear_baseline", "baseline")
    kept = [name for name in columns if any(row[name] is not None for row in shown)]
    counts = ", ".join(f"{_cell(count)} {part}" for part, count in sorted(card["rows"].items()) if count)
    return "\n\n".join(filter(None, (counts and f"Rows: {counts}.", _table(kept, shown)))) or "None measured."


def _slices(rows: Sequence[Mapping[str, Any]]) -> str:
    # By name: not every database gives the keys of JSON back in the order they came.
    names = sorted({name for row in rows for name in row["metrics"]})
    flat = [{"value": row["value"], "rows": row["rows"], **_with_intervals(row)} for row in rows]
    return _table(("value", "rows", *names), flat)


def _with_intervals(row: Mapping[str, Any]) -> dict[str, Any]:
    ends = row.get("intervals") or {}
    return {
        name: f"{_cell(value)} ({' to '.join(map(_cell, ends[name]))})" if ends.get(name) else value
        for name, value in row["metrics"].items()
    }


def _facts(values: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name.replace('_', ' ')}: {_cell(value)}" for name, value in values.items() if _known(value))


def _known(value: Any) -> bool:
    return value not in (None, "", [], {})


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    lines = [[name.replace("_", " ") for name in columns], ["---"] * len(columns)]
    lines += [[_cell(row.get(name)) for name in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {_cell(part)}" for name, part in value.items())
    elif isinstance(value, list | tuple):
        value = ", ".join(map(_cell, value))
    text = " ".join(("" if value is None else str(value)).split())
    return html.escape(bounded(text, 300), quote=False).replace("|", "\\|")
