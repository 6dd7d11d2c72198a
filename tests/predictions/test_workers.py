"""Several workers count as one: metrics and limits are exact over all of them."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.mlsite.test_supervisor import wait_for
from tests.predictions.served import Served

# One process starts the servers for all of them.
pytestmark = pytest.mark.xdist_group("workers")
REQUESTS = 80


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    site = Served(tmp_path_factory, workers=2, TOKEN_RATE_LIMIT="7/day", LOGS__SLOW_REQUEST_MS="0.001")
    site.environ["PROCESS_ROLE"] = "web"
    site.start()
    yield site
    site.stop(signal.SIGKILL)


def sign_in(served: Served, number: int) -> int:
    client = HTTPConnection("127.0.0.1", served.port, timeout=20)
    client.request(
        "POST", "/api/v1/token", b'{"username": "eve", "password": "x"}', {"Content-Type": "application/json"}
    )
    status = client.getresponse().status
    client.close()
    return status


def test_metrics_are_exact_over_two_workers(served: Served) -> None:
    route = 'http_requests_total{method="POST",route="api/v1/models/<slug:name>/predict",status="200"}'
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: served.ask(), range(REQUESTS)))
    # A worker counts what it answered a little later.
    wait_for(lambda: served.metric(route) >= len(served.answered), 20)
    assert served.metric(route) == len(served.answered)
    wait_for(
        lambda: served.metric("prediction_log_written_total") == served.metric("prediction_log_accepted_total"), 20
    )
    assert served.metric("prediction_log_accepted_total") >= REQUESTS


def test_as_many_of_many_tries_pass_as_the_limit_says(served: Served) -> None:
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda number: sign_in(served, number), range(40)))
    assert (found.count(401), found.count(429)) == (7, 33)


def slow_lines(served: Served) -> list[list[str]]:
    texts = [path.read_text() for path in (served.var_dir / "logs").glob("web*.log")]
    return [[line for line in text.splitlines() if "slow request: POST" in line] for text in texts]


def test_slow_requests_have_a_line_with_their_id_in_each_worker_s_log(served: Served) -> None:
    def each_has_one() -> bool:
        # The kernel gives a connection to whom it likes: a busy machine may leave one worker out for long.
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: served.ask(), range(REQUESTS)))
        return all(slow_lines(served))

    wait_for(each_has_one)
    found = slow_lines(served)
    assert len(found) == 2
    assert all('"request_id"' in lines[-1] for lines in found)
