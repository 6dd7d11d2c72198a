"""One site for all clients: its web server, and a gRPC server beside it."""

import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from mlsite.config.schema import ROOT
from tests.mlsite.test_serve import free_port
from tests.mlsite.test_supervisor import wait_for
from tests.served import Server, Site, copied_site

Process = subprocess.Popen[bytes]


@pytest.fixture(scope="session")
def grpc_address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, grpc_address: str) -> Site:
    if not (ROOT / ".venv-clients/bin/python").exists():
        pytest.skip("the clients' environment is made by `make test-clients`")
    port = grpc_address.rpartition(":")[2]
    return copied_site(tmp_path_factory, GRPC__ENABLED="true", GRPC__PORT=port)


@pytest.fixture(scope="session")
def server(site: Site) -> Iterator[Server]:
    with site.served() as server:
        yield server


@pytest.fixture
def grpc_server(site: Site, server: Server) -> Iterator[Process]:
    """Run the gRPC server, as soon as the site's health has found it; it must end well."""
    command = [sys.executable, "manage.py", "serve_grpc"]
    environ = {**site.environ, "PROCESS_ROLE": "grpc"}
    with subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: grpc_is_well(server), 60)
            yield process
        finally:
            process.terminate()
            assert process.wait(30) == 0


def grpc_is_well(server: Server) -> bool:
    return bool(httpx.get(f"{server.base}/api/v1/health", timeout=20).json()["checks"]["grpc"]["ok"])
