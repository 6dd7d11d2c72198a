"""What `manage.py` prints and returns when a command refuses, in real processes and in this one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import OperationalError

from features.ground import errors
from features.ground.command import ActionCommand
from mlsite import cli
from mlsite.config.schema import ROOT


class StaleError(errors.ConflictError):
    code = "stale"


class Refusing(ActionCommand):
    """A command whose action raises what the test chose."""

    raises: BaseException

    def act(self, **options: object) -> object:
        raise self.raises


def run_raising(error: BaseException, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    command = Refusing()
    command.raises = error
    monkeypatch.setattr(cli.Commands, "fetch_command", lambda self, name: command)
    return cli.main(["manage.py", "refusing", *options])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.DomainError("x"), 1),
        (errors.RefusedError("x"), 1),
        (errors.ForbiddenError("x"), 1),
        (errors.InvalidInputError("x"), 2),
        (errors.NotFoundError("x"), 2),
        (errors.TooLargeError("x"), 2),
        (errors.UnavailableError("x"), 3),
        (errors.ConflictError("x"), 4),
        (StaleError("x"), 4),
        (errors.FencedError("x"), 75),
        (OperationalError("no such table: x"), 3),
        (KeyboardInterrupt(), 130),
        (FileNotFoundError(2, "No such file or directory", "/none"), 2),
    ],
)
def test_exit_code_follows_the_kind_of_error(error, code, monkeypatch, capsys):
    assert run_raising(error, monkeypatch) == code
    assert "Traceback" not in capsys.readouterr().err


def test_refusal_prints_code_and_text_on_stderr(monkeypatch, capsys):
    run_raising(StaleError("version 2 is gone; name another"), monkeypatch)
    assert tuple(capsys.readouterr()) == ("", "stale: version 2 is gone; name another\n")


def test_refusal_with_json_prints_one_object_on_stdout(monkeypatch, capsys):
    run_raising(StaleError("gone", version=2), monkeypatch, "--json")
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"error": "gone", "code": "stale", "fields": {"version": 2}}
    assert printed.err == "stale: gone\n"


def test_traceback_is_printed_when_asked_for(monkeypatch, capsys):
    assert run_raising(StaleError("gone"), monkeypatch, "--traceback") == 4
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_database_without_tables_says_what_to_do(monkeypatch, capsys):
    run_raising(OperationalError("no such table: runs\nmore"), monkeypatch)
    text = "The database can't be used (no such table: runs); `manage.py migrate` makes its tables"
    assert capsys.readouterr().err == f"database_unavailable: {text}\n"


def test_file_that_cannot_be_used_is_named(monkeypatch, capsys):
    run_raising(PermissionError(13, "Permission denied", "/x.csv"), monkeypatch)
    assert capsys.readouterr().err == "unusable_file: Permission denied: /x.csv\n"


def test_unexpected_error_is_not_hidden(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        run_raising(ZeroDivisionError(), monkeypatch)
    with pytest.raises(OSError, match="odd"):
        run_raising(OSError("odd"), monkeypatch)


def manage(tmp_path: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    clean = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path / "var"), **environ}
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60)


def test_unknown_command_is_wrong_usage(tmp_path: Path):
    done = manage(tmp_path, "ingets")
    assert done.returncode == 2
    assert "Unknown command: 'ingets'" in done.stderr


def test_unknown_option_is_wrong_usage(tmp_path: Path):
    done = manage(tmp_path, "check", "--colour")
    assert done.returncode == 2
    assert "unrecognized arguments: --colour" in done.stderr


def test_reader_that_has_left_causes_no_traceback(tmp_path: Path):
    reading, writing = os.pipe()
    os.close(reading)
    clean = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path / "var")}
    command = [sys.executable, "manage.py", "help", "--commands"]
    done = subprocess.run(command, cwd=ROOT, env=clean, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_every_kind_of_error_has_an_exit_code():
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DomainError)}
    assert set(cli.EXIT_CODES) == kinds


def test_a_command_that_serves_nothing_imports_no_page_and_no_task_of_a_worker(tmp_path: Path):
    script = (
        "import django, sys; django.setup(); import features.management.commands.ingest; "
        "print([name for name in sys.modules if '.admin' in name and name.startswith(('features', 'pipeline'))], "
        "'pipeline.tasks' in sys.modules)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "mlsite.settings", "VAR_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[] False", "")


def test_the_pages_of_the_admin_are_checked_though_nothing_has_imported_them(tmp_path: Path):
    script = (
        "import django; django.setup(); from django.contrib import admin; from django.core import checks; "
        "before = len(admin.site._registry); found = checks.run_checks(tags=['admin']); "
        "print(before, len(admin.site._registry) > 10, found)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "mlsite.settings", "VAR_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "0 True []"
