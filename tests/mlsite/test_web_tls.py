"""The web server with a certificate."""

import datetime as dt
import ipaddress
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings

from tests.mlsite.test_serve import environ, free_port
from tests.mlsite.test_supervisor import wait_for


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def test_it_answers_over_tls_and_to_nothing_else(tmp_path: Path) -> None:
    (cert, key), port = certificate(tmp_path), free_port()
    argv = [sys.executable, "-m", "mlsite.web", "--port", str(port), "--ssl-certificate", str(cert)]
    argv += ["--ssl-keyfile", str(key), "mlsite.wsgi:application"]
    with subprocess.Popen(argv, env=environ(tmp_path) | {"ENABLE_AUTH": "false"}, cwd=settings.BASE_DIR) as web:
        try:
            context = ssl.create_default_context(cafile=str(cert))
            with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context, timeout=30) as client:
                wait_for(lambda: web.poll() is not None or listens(port), 60)
                answers = [client.get("/api/v1/health/live") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200] * 3
            with pytest.raises(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/api/v1/health/live", timeout=30)
        finally:
            web.send_signal(signal.SIGTERM)
            assert web.wait(40) == 0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
