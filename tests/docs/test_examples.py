"""The first prediction of the API's page, in each language it is shown in, against the served product."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlsite.config.schema import ROOT
from tests.served import Server, Site, copied_site

# One process starts the site for all of them.
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("examples")]
ADDRESS = "127.0.0.1:8000"
# Go compiles its own library first: once for a user, and in a hurry.
GO = {"GOCACHE": os.environ.get("GOCACHE", str(Path.home() / ".cache/go-build")), "GOFLAGS": "'-gcflags=all=-N -l'"}
TOKEN_LINE = re.compile(r"^TOKEN=.*\n", re.M)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return copied_site(tmp_path_factory)


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.served() as server:
        yield server


def example(language: str) -> str:
    """Return the first block of a language on the page."""
    page = (ROOT / "docs/api.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)[0]


@pytest.mark.parametrize(
    ("language", "name", "command"),
    [
        ("sh", "example.sh", ["sh", "-e"]),
        ("python", "example.py", [sys.executable]),
        ("js", "example.mjs", ["node"]),
        ("go", "example.go", ["go", "run"]),
    ],
)
def test_the_first_example_predicts(
    server: Server, site: Site, tmp_path: Path, language: str, name: str, command: list[str]
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} is here")
    text = TOKEN_LINE.sub("", example(language))
    assert ADDRESS in text
    file = tmp_path / name
    file.write_text(text.replace(ADDRESS, server.base.removeprefix("http://")))
    environ = {**os.environ, "TOKEN": site.tokens["user"], **GO, "HOME": str(tmp_path)}
    done = subprocess.run([*command, str(file)], env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.search(r"small|big", done.stdout), done.stdout
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7", done.stdout), done.stdout
