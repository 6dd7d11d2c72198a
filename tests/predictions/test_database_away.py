"""A served site whose PostgreSQL goes away, or is held by somebody: predictions are answered from memory."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.mlsite.test_supervisor import wait_for
from tests.proxy import Proxy
from tests.served import made_site

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("database-away")]
ROW = {"data": [[4.0, 1.5, "red"]]}
TABLES = "auth_user, models_store_registeredmodel, models_store_modelversion, predictions_prediction"


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A site, and what can be done to its database."""

    client: httpx.Client
    proxy: Proxy
    url: str
    var: Path

    def predict(self, times: int) -> Counter[int]:
        return Counter(self.client.post("/api/v1/predict", json=ROW).status_code for _ in range(times))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    if not (server := os.environ.get("TEST_POSTGRES_URL")):
        pytest.skip("TEST_POSTGRES_URL names no PostgreSQL server")
    name, var = f"away_{uuid4().hex[:8]}", tmp_path_factory.mktemp("away")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    with Proxy(url) as proxy:
        # Remembered for no time: every request would ask the database about its caller.
        own = made_site(var, DATABASE_URL=proxy.url, SECURITY__TOKEN_CACHE_S="0", PREDICTION_LOG__FLUSH_SECONDS="0.05")
        with own.served() as served:
            headers = {"Authorization": f"Bearer {own.tokens['admin']}"}
            with httpx.Client(base_url=served.base, headers=headers, timeout=30) as client:
                # Whoever the database has never vouched for is let in by nobody while it is away.
                assert client.get("/api/v1/models").status_code == 200
                yield Broken(client=client, proxy=proxy, url=url, var=var)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def rows(site: Broken) -> int:
    with psycopg.connect(site.url) as database:
        return int(database.execute("SELECT count(*) FROM predictions_prediction").fetchone()[0])  # type: ignore[index]  # one row


def test_predictions_go_on_while_the_database_is_away(site: Broken) -> None:
    before = rows(site)
    assert site.predict(3) == {200: 3}
    wait_for(lambda: rows(site) == before + 3)
    site.proxy.cut()
    assert site.predict(60) == {200: 60}
    answer = site.client.get("/api/v1/models")
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["code"]) == (503, "1", "unavailable")
    assert site.client.get("/api/v1/health/ready").status_code == 200
    site.proxy.mend()
    # A connection that failed is not used again.
    wait_for(lambda: site.client.get("/api/v1/models").status_code == 200)
    wait_for(lambda: rows(site) == before + 63)
    assert not list((site.var / "spool").glob("*.jsonl"))


def test_a_held_table_keeps_nobody_for_long(site: Broken) -> None:
    before = rows(site)
    with psycopg.connect(site.url) as holder:
        holder.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
        answer = site.client.get("/api/v1/models")
        assert (answer.status_code, answer.headers["Retry-After"], answer.json()["code"]) == (503, "1", "unavailable")
        assert site.predict(20) == {200: 20}
        holder.rollback()
    assert site.client.get("/api/v1/models").status_code == 200
    wait_for(lambda: rows(site) == before + 20)
