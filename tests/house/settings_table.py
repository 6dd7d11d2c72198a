"""The table of docs/settings.md, as it should read and as it does."""

import json
import re
from pathlib import Path
from typing import Any

from mlsite.config.names import environment_names
from mlsite.config.schema import ROOT, Config

PAGE = ROOT / "docs" / "settings.md"
ROW = re.compile(r"^\| `(?P<key>[\w.]+)` \| (?P<names>[^|]+) \| (?P<default>[^|]+) \| (?P<meaning>[^|]+) \|$", re.M)


def default_text(value: Any) -> str:
    """Return a default as the page writes it: what a person would put into an environment variable."""
    if value in ("", None, [], {}):
        return "none"
    if isinstance(value, str) and value.startswith(str(ROOT)):
        return f"`{Path(value).relative_to(ROOT)}`"
    if isinstance(value, list):
        return f"`{','.join(map(str, value))}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def names_text(key: str) -> str:
    """Return a key's environment variables as the page writes them."""
    return ", ".join(f"`{name}`" for name in environment_names(key))


def expected() -> dict[str, tuple[str, str]]:
    """Return names and default of every key."""
    return {key: (names_text(key), default_text(value)) for key, value in Config().keys().items()}


def documented() -> dict[str, tuple[str, str, str]]:
    """Return names, default and meaning of every row of the page."""
    rows = ROW.finditer(PAGE.read_text())
    return {row["key"]: (row["names"].strip(), row["default"].strip(), row["meaning"].strip()) for row in rows}
