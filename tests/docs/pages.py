"""Run a page of docs/ as a reader would: each ```sh block in order, in one folder that begins empty.

- A ```text block shows what the ```sh block before it prints on stdout. `…` in a line stands for anything, a line of
  `…` alone for any lines. Digests and seconds are never compared.
- ```sh no-run: WHY is not run, and a ```text after it not compared; WHY is needed. ```sh exits 1 must end with that
  code; its ```text shows the refusal.
- `<!-- setup` … `-->`, alone on their lines, hold shell lines that run unseen.
- `.venv/bin/python manage.py` is this interpreter and this project, in a run-time folder of the page's own.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlsite.config.names import HONOURED, is_ours
from mlsite.config.schema import ROOT
from tests.once import copied

BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$|^<!-- setup\n(?P<setup>.*?)^-->$", re.M | re.S)
COMMAND = re.compile(r"(?<![\w/.])\.venv/bin/python manage\.py\b")
PROGRESS = re.compile(r"^.*: +\d+ % .*\(\d+\.\d s\)$")
ANY = "…"
# Read, not run.
SHOWN = {"yaml", "json", "python", "mermaid", ""}
DIGEST, SECONDS = re.compile(r"\b[0-9a-f]{16,64}\b"), re.compile(r"\b\d+\.\d+ s\b|(?<=seconds\": )[\d.e-]+")


@dataclass(kw_only=True)
class Step:
    """A block of shell, the line it begins at, the code it must end with, and what it shows."""

    line: int
    shell: str
    code: int = 0
    shown: str | None = None


@dataclass(kw_only=True)
class Page:
    """What a page has a reader do, and what it only shows, each with the reason."""

    steps: list[Step] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)


class PageError(AssertionError):
    """A page that can't be run, or shows what isn't so."""


def read_page(text: str) -> Page:
    """Return the steps of a page; everything in a fence is one, shown beside one, or left out for a reason."""
    page, last = Page(), 0
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        if block["setup"] is not None:
            page.steps.append(Step(line=line, shell=block["setup"]))
            continue
        kind, _, how = block["info"].strip().partition(" ")
        if kind == "sh" and how.startswith("no-run"):
            page.left_out[line] = _reason(line, how)
        elif kind == "sh":
            page.steps.append(Step(line=line, shell=block["body"], code=_code(line, how)))
            last = line
        elif kind == "text" and page.left_out and max(page.left_out) > last:
            page.left_out[line] = "shows what is not run"
        elif kind == "text":
            if not page.steps or page.steps[-1].line != last or page.steps[-1].shown is not None:
                raise PageError(f"line {line}: shows the output of no ```sh block")
            page.steps[-1].shown = block["body"]
        elif kind not in SHOWN or how:
            raise PageError(f"line {line}: ```{block['info']} is neither run nor shown; see tests/docs/pages.py")
    return page


def _reason(line: int, how: str) -> str:
    reason = how.removeprefix("no-run").removeprefix(":").strip()
    if not reason:
        raise PageError(f"line {line}: ```sh no-run needs its reason: ```sh no-run: WHY")
    return reason


def _code(line: int, how: str) -> int:
    match = re.fullmatch(r"(?:exits (\d+))?", how)
    if not match:
        raise PageError(f"line {line}: ```sh {how!r} is not known; it may be `exits N` or `no-run: WHY`")
    return int(match[1] or 0)


def run_page(page: Page, factory: pytest.TempPathFactory) -> None:
    """Run every step in a new folder, whose database has its tables, and compare what is shown."""
    folder = factory.mktemp("page")
    environ = _environ(folder)
    copied(factory, "bare", folder / "var")
    for step in page.steps:
        done = _run(f"line {step.line}", step.shell, folder, environ, code=step.code)
        if step.shown is not None:
            refusal = "\n".join(line for line in done.stderr.splitlines() if not PROGRESS.match(line))
            compare(step.line, step.shown, done.stdout + (refusal if step.code else ""))


def _environ(folder: Path) -> dict[str, str]:
    # Not as the tests of the project see it, but as a reader does.
    other = {*HONOURED, "CONFIG_PATH", "STORAGE_URL", "DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if not is_ours(name) and name not in other}
    return {**kept, "VAR_DIR": str(folder / "var"), "APP_ENV": "dev", "PYTHONWARNINGS": "ignore"}


def _run(
    where: str, shell: str, folder: Path, environ: dict[str, str], *, code: int = 0
) -> subprocess.CompletedProcess[str]:
    command = COMMAND.sub(f"'{sys.executable}' '{ROOT / 'manage.py'}'", shell)
    how = {"cwd": folder, "env": environ, "capture_output": True, "text": True, "check": False}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], **how)  # type: ignore[call-overload]
    if done.returncode != code:
        raise PageError(f"{where}: ended with {done.returncode}, not {code}:\n{shell}\n{done.stdout}\n{done.stderr}")
    return done


def compare(line: int, shown: str, printed: str) -> None:
    """Hold what a page shows against what was printed."""
    if not re.fullmatch("".join(_pattern(shown)), _plain(printed)):
        raise PageError(f"line {line}: the page shows\n{shown}\nand the commands print\n{printed}")


def _plain(text: str) -> str:
    """Return the text without what is never the same: digests, seconds, blanks at the end of lines."""
    text = SECONDS.sub("0.0 s", DIGEST.sub("digest", text))
    return "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())


def _pattern(shown: str) -> Iterator[str]:
    for line in _plain(shown).splitlines():
        yield r"(?:.*\n)*?" if line.strip() == ANY else ".*?".join(map(re.escape, line.split(ANY))) + r"\n"
