"""The upgrade of the prediction log's table keeps what is in it."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from mlsite.config.schema import ROOT

REGISTER = "import django; django.setup()\nfrom tests.predictions.tiny import register\nprint(register().pk)"


def run(var_dir: Path, *command: str) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environ |= {"VAR_DIR": str(var_dir), "DJANGO_SETTINGS_MODULE": "mlsite.settings"}
    command = (sys.executable, *command)
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def migrate(var_dir: Path, *target: str) -> None:
    run(var_dir, "manage.py", "migrate", "--verbosity", "0", *target)


def filled(database: sqlite3.Connection, table: str, **values: object) -> None:
    """Insert a row with something in every column that must have it."""
    columns = dict[str, object]()
    for _, name, kind, needed, default, _ in database.execute(f"PRAGMA table_info({table})").fetchall():
        if needed and default is None:
            columns[name] = {"text": "[]", "real": 1.0}.get(kind.lower(), 1 if "int" in kind.lower() else f"{name}-1")
    columns |= values
    names = ", ".join(f'"{name}"' for name in columns)
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})", list(columns.values()))


def test_the_log_is_the_same_after_the_upgrade_and_its_checks_are_gone(tmp_path: Path) -> None:
    migrate(tmp_path)
    version = int(run(tmp_path, "-c", REGISTER).split()[-1])
    migrate(tmp_path, "predictions", "0004")
    with closing(sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)) as database:
        for number in range(3):
            values = {"id": f"{number:032d}", "model_version_id": version, "inputs": f"[[{number}]]"}
            filled(database, "predictions_prediction", role="production", **values)
        filled(database, "predictions_outcome", id=1, prediction_id=f"{1:032d}", actual="2")
        database.row_factory = sqlite3.Row
        before = [dict(row) for row in database.execute("SELECT * FROM predictions_prediction ORDER BY id")]
        old = {row["name"]: row["sql"] or "" for row in database.execute("SELECT name, sql FROM sqlite_master")}
    migrate(tmp_path)
    with closing(sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)) as database:
        database.row_factory = sqlite3.Row
        assert [dict(row) for row in database.execute("SELECT * FROM predictions_prediction ORDER BY id")] == before
        made = {row["name"]: row["sql"] or "" for row in database.execute("SELECT name, sql FROM sqlite_master")}
        assert old.keys() - made.keys() == {"predictions_prediction_model_version_id_db340f9b"}
        assert old["predictions_prediction"].count("JSON_VALID") == 6
        assert "JSON_VALID" not in made["predictions_prediction"]
        assert 'REFERENCES "predictions_prediction"' in made["predictions_outcome"]
        bad = [tuple(row) for row in database.execute("PRAGMA foreign_key_check(predictions_outcome)")]
        assert bad == []
