"""The prediction log on PostgreSQL: by days."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Json

from mlsite.config.schema import ROOT
from tests.postgresql import passes_on_postgresql

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(600)]
HERE = Path(__file__).parent
SUITE = HERE / "partitions_suite.py"


@pytest.fixture
def server() -> str:
    if not (url := os.environ.get("TEST_POSTGRES_URL")):
        pytest.skip("TEST_POSTGRES_URL names no PostgreSQL server")
    return url


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """Give the address of an empty database."""
    name = f"days_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield f"{server.rpartition('/')[0]}/{name}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_the_log_keeps_its_days_on_postgresql(server: str) -> None:
    passes_on_postgresql(server, "log", SUITE)


PREDICTION = """
INSERT INTO predictions_prediction (id, request_id, model_version_id, generation, role, principal, entity_keys, columns,
    inputs, outputs, rows, latency_ms, at, source, topic, partition, "offset", created_at, snapshots, route, fallback)
SELECT gen_random_uuid(), 'r', (SELECT max(id) FROM models_store_modelversion), 1, 'production', 'user:a', '[]', '[]',
    '[]', '{}', 1, 1.0, '2026-01-01T12:00:00Z'::timestamptz + n * interval '6 hours', 'stream', 't', 0, n, now(), '{}',
    '{}', ''
FROM generate_series(1, 10) n
"""


def test_rows_of_before_are_taken_along(database: str, tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "DATABASE_URL": database,
        "VAR_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "mlsite.settings",
    }

    def migrate(*to: str) -> None:
        command = [sys.executable, "manage.py", "migrate", "-v", "0", *to]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    migrate("auth")
    migrate("predictions", "0002")
    with psycopg.connect(database, autocommit=True) as connection:
        # A version without the model and the run it would belong to.
        connection.execute("SET session_replication_role = replica")
        filled(connection, "models_store_modelversion", stage="candidate", engine="onnx")
        connection.execute(PREDICTION)
        connection.execute(
            "INSERT INTO predictions_outcome (prediction_id, row, actual, observed_at, known_at, actor, created_at) "
            "SELECT id, 0, '1', now(), now(), 'a', now() FROM predictions_prediction"
        )
        ids = connection.execute("SELECT id FROM predictions_prediction ORDER BY id").fetchall()
    migrate("predictions")
    with psycopg.connect(database, autocommit=True) as connection:
        read = connection.execute
        assert read("SELECT id FROM predictions_prediction ORDER BY id").fetchall() == ids
        assert read("SELECT prediction_id FROM predictions_streamposition ORDER BY 1").fetchall() == ids
        assert read(
            "SELECT count(*) FROM predictions_outcome o JOIN predictions_prediction p ON (p.id, p.at) = "
            "(o.prediction_id, o.prediction_at)"
        ).fetchone() == (10,)
        assert read("SELECT count(*) FROM ONLY predictions_prediction_rest").fetchone() == (0,)
        assert read("SELECT count(*) FROM predictions_prediction_20260102").fetchone() == (4,)
        names = {
            name for (name,) in read("SELECT indexname FROM pg_indexes WHERE tablename = 'predictions_prediction'")
        }
        assert {"prediction_version_at", "prediction_principal_at", "prediction_fallback"} <= names
        with pytest.raises(psycopg.errors.CheckViolation):
            read("UPDATE predictions_prediction SET role = 'other'")


def filled(connection: "psycopg.Connection[tuple[str, ...]]", table: str, **given: str) -> None:
    """Add a row to a table: what is given, and zero, empty or now in each other column that must hold something."""
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s AND is_nullable = 'NO' "
        "AND column_default IS NULL AND is_identity = 'NO'",
        [table],
    ).fetchall()
    empty = {"jsonb": Json({}), "boolean": False, "timestamp with time zone": "now", "date": "now"}
    numbers = ("integer", "bigint", "double precision")
    values = [given.get(name, empty.get(kind, 0 if kind in numbers else "")) for name, kind in columns]
    names = ", ".join(f'"{name}"' for name, _ in columns)
    places = ", ".join(["%s"] * len(columns))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", values)
