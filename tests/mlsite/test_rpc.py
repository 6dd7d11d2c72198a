"""gRPC as a part of the site: an extra, over TLS, greeted by health, supervised."""

import datetime
import ipaddress
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.test import Client

from mlsite.config import ConfigError, load
from mlsite.health import check_grpc, run_check
from mlsite.rpc import GrpcMissingError, require_grpc, rpc_server
from mlsite.serving import PortBusyError, child_specs, refuse_busy_port
from tests.predictions.rpc import line


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that changes keys, those of gRPC in a mapping."""

    def change(grpc: dict[str, Any], **more: Any) -> None:
        changed = {"grpc": settings.CONFIG.grpc.model_copy(update=grpc), **more}
        monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update=changed))

    return change


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for this machine, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "c.pem", folder / "k.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret.write_bytes(key.private_bytes(*form))
    return cert, secret


def test_with_a_certificate_it_speaks_tls_and_health_greets_it(configure: Any, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    configure({}, ssl_cert=cert, ssl_key=key)
    trust = grpc.ssl_channel_credentials(cert.read_bytes())
    with line(lambda where: grpc.secure_channel(where, trust)) as secure:
        assert secure.ask("ServerLive").answer.live
        configure({"port": secure.port})
        assert check_grpc() == f"answers on port {secure.port}"


@pytest.mark.django_db
def test_health_tells_of_it_where_it_is_enabled(client: Client, configure: Any) -> None:
    assert "grpc" not in client.get("/api/v1/health").json()["checks"]
    with line() as served:
        configure({"enabled": True, "port": served.port})
        found = client.get("/api/v1/health").json()["checks"]["grpc"]
        assert found == {"ok": True, "detail": f"answers on port {served.port}"}
    assert not run_check("grpc", check_grpc).ok


def test_another_server_on_its_port_is_told_from_it(configure: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        configure({"port": port})

        def answer() -> None:
            link, _ = other.accept()
            link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            link.recv(1000)
            link.close()

        thread = threading.Thread(target=answer)
        thread.start()
        found = run_check("grpc", check_grpc)
        thread.join()
    assert (found.ok, found.detail) == (False, f"whoever listens on port {port} does not speak gRPC")


@pytest.mark.parametrize("package", ["grpc", "grpc_health"])
def test_without_the_extra_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    require_grpc()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(GrpcMissingError, match=rf"missing: {package}\): pip install -r requirements-grpc\.txt"):
        rpc_server()


def test_a_busy_port_is_told_with_its_variable() -> None:
    with line() as served, pytest.raises(PortBusyError, match=r"choose another with GRPC__PORT or --port"):
        refuse_busy_port("127.0.0.1", served.port, "GRPC__PORT")


def test_it_is_supervised_where_it_is_enabled(configure: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)

    def roles() -> list[str]:
        return [spec.role for spec in child_specs(workers=1, host="127.0.0.1", port=8000, listeners=())]

    assert roles() == ["web", "worker", "beat"]
    configure({"enabled": True})
    assert roles() == ["web", "worker", "beat", "grpc"]


def test_one_port_for_both_servers_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"grpc\.port \(GRPC__PORT\): must differ from server\.port"):
        load({"GRPC__ENABLED": "true", "GRPC__PORT": "8000"})
    assert load({"GRPC__ENABLED": "true"}).grpc.port == 8001
