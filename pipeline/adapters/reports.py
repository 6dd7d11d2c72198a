"""Where drift reports are kept: the page gzipped, the numbers beside it."""

import gzip
from pathlib import Path

from django.conf import settings

from features.ground.files import write_atomic
from features.ground.paths import var_path


def write_report(name: str, html: str, json: str) -> str:
    """Write a report's two files and return the page's path below the run-time folder."""
    page = var_path("reports", name, "drift.html.gz")
    write_atomic(page.with_name("drift.json"), json.encode())
    write_atomic(page, gzip.compress(html.encode(), mtime=0))
    return page.relative_to(Path(settings.VAR_DIR).resolve()).as_posix()
