"""What the repository as a whole must and must not hold."""

import re
import subprocess

import pytest

from mlsite.config.schema import ROOT

TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))


def read(path: str) -> str:
    return (ROOT / path).read_text()


EXTRAS = ("", "-demo", "-polars", "-dask", "-spark", "-grpc", "-dev")


@pytest.mark.parametrize("file", [f"requirements{extra}.txt" for extra in EXTRAS])
def test_requirements_hold_hashes_and_no_address(file):
    lines = [line for line in read(file).splitlines() if line and not line.startswith((" ", "#"))]
    assert [line for line in lines if not re.match(r"^[\w.\[\], -]+==\S+( ; .+)? \\$", line)] == []
    assert re.findall(r"--hash=sha256:[0-9a-f]{64}", read(file))
    assert re.findall(r"(?m)^-.*|.*://.*", read(file)) == []


def test_run_needs_no_developer_tool():
    tools = {"pytest", "ruff", "mypy", "coverage", "import-linter", "hypothesis", "playwright", "uv"}
    names = {
        re.split(r"[=\[ ]", line)[0] for line in read("requirements.txt").splitlines() if line and line[0].isalpha()
    }
    assert tools & names == set()
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "requirements-dev" not in done.stdout


def test_readme_names_the_two_commands():
    assert {"make run", "make test"} <= set(re.findall(r"make [a-z-]+", read("README.md")))


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_named_in_the_documents_exist(file):
    named = set(re.findall(r"`make ([a-z-]+)", read(file)))
    assert sorted(named - TARGETS) == []


def test_links_between_documents_lead_somewhere():
    dead = []
    for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
            if not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []


def test_setup_refuses_an_old_python_in_one_line(tmp_path):
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\ncase "$*" in *version_info*) exit 1 ;; *) echo "Python 3.9.2" ;; esac\n')
    old.chmod(0o755)
    command = ["make", "--silent", "-C", str(ROOT), "setup", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    first = done.stderr.splitlines()[0]
    assert (
        first
        == f"setup: needs Python 3.11 or newer, '{old}' is Python 3.9.2; name another: make setup PYTHON=python3.12"
    )


def test_setup_without_python_says_so_in_one_line(tmp_path):
    command = ["make", "--silent", "-C", str(ROOT), "setup", "PYTHON=python-none", f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[0].startswith("setup: no program 'python-none'; name a Python 3.11 or newer")
