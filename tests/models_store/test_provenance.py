import hashlib
import platform
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from models_store.adapters import provenance


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Give the test a small project of its own under git."""
    monkeypatch.setattr(settings, "BASE_DIR", tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')

    def git(*arguments: str) -> str:
        named = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(named, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    return git


def test_code_is_named_by_its_commit(project):
    project("init", "-q")
    project("add", ".")
    project("commit", "-q", "-m", "one")
    assert provenance.code_version() == project("rev-parse", "HEAD")


def test_changed_code_is_dirty(project, tmp_path):
    project("init", "-q")
    project("add", ".")
    project("commit", "-q", "-m", "one")
    (tmp_path / "new.py").touch()
    assert provenance.code_version() == project("rev-parse", "HEAD") + "+dirty"


def test_changes_have_a_digest_of_their_own(project, tmp_path):
    project("init", "-q")
    project("add", ".")
    project("commit", "-q", "-m", "one")
    assert provenance.made_by()["code"] == {
        "commit": project("rev-parse", "HEAD"), "version": "1.2.3", "dirty": False, "diff_digest": "",
    }  # fmt: skip
    changes = {"new.py": b"\xff", "other.py": b"\xff", "pyproject.toml": b'[project]\nversion = "2"'}
    digests = set()
    for name, data in changes.items():
        (tmp_path / name).write_bytes(data)
        provenance._code.cache_clear()
        code = provenance.made_by()["code"]
        assert (code["dirty"], len(code["diff_digest"])) == (True, 64)
        digests.add(code["diff_digest"])
    assert len(digests) == len(changes)


def test_environment_names_lock_python_and_platform():
    found = provenance.made_by()["environment"]
    lock = Path(settings.BASE_DIR, "requirements.txt").read_bytes()
    assert found["lock_digest"] == hashlib.sha256(lock).hexdigest()
    assert found["python"] == platform.python_version()
    assert found["platform"]


def test_code_outside_git_is_named_by_its_version(project):
    assert provenance.code_version() == "1.2.3"


def test_machine_without_git_names_the_version(project, monkeypatch):
    project("init", "-q")
    monkeypatch.setenv("PATH", "/nowhere")
    assert provenance.code_version() == "1.2.3"


def test_environment_has_one_digest(settings):
    assert provenance.environment_digest() == provenance.environment_digest()
    assert len(provenance.environment_digest()) == 64


def test_versions_of_libraries_are_told():
    found = provenance.package_versions()
    pinned = Path(settings.BASE_DIR, "requirements.txt").read_text()
    assert f"onnxruntime=={found['onnxruntime']}" in pinned
    assert "python" in found
