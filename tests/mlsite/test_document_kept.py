"""The served product does what its own document says, whatever an administrator sends."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlsite.config.schema import ROOT
from tests.served import Server, Site, copied_site

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("document")]
CONFIG = ROOT / "tests/schemathesis.toml"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return copied_site(tmp_path_factory)


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.served() as server:
        yield server


def test_the_served_product_keeps_to_its_document(server: Server, site: Site, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    command += [f"{server.base}/api/v1/schema", "--no-color"]
    environ = {**os.environ, "ADMIN_TOKEN": site.tokens["admin"]}
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-3000:]
    found = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert found is not None, done.stdout[-3000:]
    assert int(found[1]) == int(found[2]) > 2000
