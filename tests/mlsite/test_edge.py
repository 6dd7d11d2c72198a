"""Requests as they come over the network: in one packet or many, several in a row, and in forms nobody should send."""

import itertools
import json
from collections.abc import Iterator

import pytest

from tests.mlsite.wire import PREDICT, SIZE, Answer, Wire, asks, body, head, question, wired
from tests.served import Server, Site, copied_site

# One process starts the site for all of them.
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("edge")]
LIVE = b"GET /api/v1/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
OWN_TO_EACH = {"date", "x-request-id"}
MAX_SLOW = 8


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return copied_site(tmp_path_factory, MODEL__CACHE_SIZE="0", SERVER__MAX_SLOW_SENDERS=str(MAX_SLOW))


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    return site.tokens["user"]


@pytest.fixture(scope="module")
def server(site: Site, token: str) -> Iterator[Server]:
    with site.served() as server:
        with wired(server) as wire:
            # From now on the token is known, and ordinary questions are answered where they are read.
            assert wire.asks(question(token, 4.0)).status == 200
        yield server


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with wired(server) as wire:
        yield wire


def sizes(*answers: Answer) -> list[int]:
    """Return what was said of a row each; the model says about its length."""
    assert [answer.status for answer in answers] == [200] * len(answers)
    return [round(float(str(answer.predictions[0]))) for answer in answers]


def test_a_head_that_is_known_is_answered_as_the_first(server: Server, wire: Wire, token: str) -> None:
    text = question(token, 4.0, lines=("User-Agent: known",))
    found = [wire.asks(text) for _ in range(4)]
    with wired(server) as other:
        found += [other.asks(text) for _ in range(3)]
    assert {answer.status for answer in found} == {200}
    assert len({frozenset(answer.headers) for answer in found}) == 1
    fixed = [{name: said for name, said in answer.headers.items() if name not in OWN_TO_EACH} for answer in found]
    assert all(headers == fixed[0] for headers in fixed)
    assert all(answer.predictions == ["small"] for answer in found)
    # Each is an answer of its own.
    assert len({answer.headers["x-request-id"] for answer in found}) == len(found)
    assert len({answer.content for answer in found}) == len(found)


def test_requests_in_one_packet_are_answered_in_their_order(wire: Wire, token: str) -> None:
    def size(length: float) -> bytes:
        return question(token, length, path=SIZE)

    fault = question(token, 500.0, path=SIZE)
    packet = b"".join([size(1), size(2), LIVE, size(3), fault, size(4), LIVE, LIVE, size(5)])
    # The second time the heads are known.
    for _ in range(3):
        wire.sends(packet)
        found = [wire.answer() for _ in range(9)]
        assert [answer.status for answer in found] == [200, 200, 200, 200, 400, 200, 200, 200, 200]
        assert sizes(*[found[at] for at in (0, 1, 3, 5, 8)]) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("agent", ["first", "second"])
def test_head_and_body_may_come_apart(wire: Wire, token: str, agent: str) -> None:
    content = body(4.0)
    beginning = head(token, len(content), f"User-Agent: {agent}")
    for packets in (
        [beginning, content],
        [beginning + content],
        [beginning, content],
        [beginning[:40], beginning[40:]],
    ):
        wire.sends(*packets)
        if packets[-1][-1:] == b"\n":
            wire.sends(content)
        assert wire.answer().predictions == ["small"]


def test_a_body_may_come_in_many_packets(wire: Wire, token: str) -> None:
    content = body(4.0)
    for _ in range(2):
        wire.sends(head(token, len(content)), *[bytes([byte]) for byte in content])
        assert wire.answer().predictions == ["small"]


def test_two_requests_may_be_cut_anywhere(wire: Wire, token: str) -> None:
    first = question(token, 1.0, path=SIZE)
    text = first + question(token, 2.0, path=SIZE)
    between = range(len(first) - 35, len(first) + 5)
    for cut in sorted({*range(1, len(text), 11), *between}):
        wire.sends(text[:cut], text[cut:])
        assert sizes(wire.answer(), wire.answer()) == [1, 2], cut


def test_a_long_body_is_answered_among_short_ones(wire: Wire, token: str) -> None:
    for spaces in (100_000, 300_000, 900_000):
        long = body(2.0) + b" " * spaces
        text = head(token, len(long), path=SIZE) + long
        wire.sends(question(token, 1.0, path=SIZE) + text + question(token, 3.0, path=SIZE))
        assert sizes(*[wire.answer() for _ in range(3)]) == [1, 2, 3]


@pytest.mark.parametrize("lines", [(), ("Connection: keep-alive",)])
def test_http_1_0_is_answered_and_the_connection_closed(wire: Wire, token: str, lines: tuple[str, ...]) -> None:
    content = body(4.0)
    answer = wire.asks(head(token, len(content), *lines, version="1.0") + content)
    assert (answer.predictions, answer.headers["connection"]) == (["small"], "close")
    assert wire.is_closed


def test_a_connection_is_closed_for_who_asks_for_it(server: Server, wire: Wire, token: str) -> None:
    with wired(server) as other:
        for each in (wire, other):
            answer = each.asks(question(token, 4.0, lines=("Connection: close",)))
            assert (answer.predictions, answer.headers["connection"]) == (["small"], "close")
            assert each.is_closed


def test_who_asks_whether_to_send_a_body_is_told_to(wire: Wire, token: str) -> None:
    content = body(4.0)
    beginning = head(token, len(content), "Expect: 100-continue")
    for _ in range(2):
        wire.sends(beginning)
        assert [wire.line(), wire.line()] == [b"HTTP/1.1 100 Continue\r\n", b"\r\n"]
        assert wire.asks(content).predictions == ["small"]


def test_who_asks_for_a_head_gets_no_body(wire: Wire, token: str) -> None:
    for path, status in (("/api/v1/health/live", 200), (PREDICT, 405)):
        wire.sends(head(token, 0, path=path, begin="HEAD"))
        assert wire.answer(to_head=True).status == status
        # What follows is the next answer.
        assert wire.asks(question(token, 4.0)).predictions == ["small"]


def test_a_protocol_that_is_offered_beside_is_not_taken(wire: Wire, token: str) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
    for _ in range(3):
        assert wire.asks(question(token, 4.0, lines=offer)).predictions == ["small"]
        assert wire.asks(question(token, 5.0)).predictions == ["big"]


@pytest.mark.parametrize(
    "text",
    [
        b"NONSENSE\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHo\x00st: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ],
)
def test_what_is_no_request_is_said_to_be_none(server: Server, wire: Wire, token: str, text: bytes) -> None:
    answer = wire.asks(text)
    assert (answer.status, json.loads(answer.content)["code"]) == (400, "bad_request")
    assert answer.headers["x-request-id"] == json.loads(answer.content)["request_id"]
    assert wire.is_closed
    with wired(server) as other:
        assert other.asks(question(token, 4.0)).predictions == ["small"]


def test_what_is_no_request_takes_no_answer_from_those_before(wire: Wire, token: str) -> None:
    wire.sends(LIVE + question(token, 4.0) + LIVE + b"NONSENSE\r\n\r\n")
    found = [wire.answer() for _ in range(3)]
    assert [answer.status for answer in found] == [200, 200, 200]
    assert [answer.headers.get("connection") for answer in found] == [None, None, "close"]
    assert wire.is_closed


@pytest.mark.parametrize(
    "lines",
    [("Content-Length: 4",), ("Transfer-Encoding: chunked",), ("Transfer-Encoding: identity, chunked",)],
)
def test_a_body_of_two_lengths_is_refused(wire: Wire, token: str, lines: tuple[str, ...]) -> None:
    assert wire.asks(question(token, 4.0, lines=lines)).status == 400
    assert wire.is_closed


@pytest.mark.parametrize("length", ["-1", "+26", "0x1a", "26,26", "²", "9" * 30, "2 6"])
def test_a_length_that_is_no_number_is_refused(wire: Wire, token: str, length: str) -> None:
    assert wire.asks(head(token, length) + body(4.0)).status == 400
    assert wire.is_closed


def test_a_head_without_an_end_is_refused(server: Server, wire: Wire) -> None:
    beginning = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    lines = [b"X-%05d: %s\r\n" % (number, b"a" * 1000) for number in range(70)]
    wire.sends(beginning, *lines[:40])
    # As much as it takes, and not a byte that nobody reads: the answer would be lost with it.
    for line in lines[40:]:
        wire.sends(line)
        wire.is_read()
        wire.socket.setblocking(False)
        try:
            refused = wire.socket.recv(1)
        except BlockingIOError:
            continue
        finally:
            wire.socket.settimeout(60)
        assert refused == b"H"
        break
    else:
        raise AssertionError("the head was read to its end")
    assert b" 431 " in wire.line()
    assert asks(server, "/api/v1/health") == 200


def test_a_long_head_that_has_an_end_is_refused_too(wire: Wire, token: str) -> None:
    for size, status in ((60_000, 200), (66_000, 431)):
        answer = wire.asks(question(token, 4.0, lines=(f"X-Long: {'a' * size}",)))
        assert answer.status == status
    said = json.loads(answer.content)
    assert (said["code"], said["error"]) == ("head_too_long", "Address and headers may have 65536 bytes")
    assert answer.headers["connection"] == "close"
    assert wire.is_closed


@pytest.mark.parametrize("half", [head, question])
def test_a_client_that_dies_while_it_sends_leaves_the_server_well(
    server: Server, wire: Wire, token: str, half: object
) -> None:
    content = body(4.0)
    beginnings = itertools.cycle([b"POST ", head(token, len(content))[:90], head(token, len(content)) + content[:9]])
    for beginning in itertools.islice(beginnings, 6 * MAX_SLOW):
        broken = Wire(server).sends(beginning)
        if half is head:
            broken.is_read()
        broken.breaks()
    # None of them is still waited for: so many more may send slowly.
    slow = [Wire(server).sends(head(token, len(content)) + content[:9]) for _ in range(MAX_SLOW)]
    assert wire.asks(question(token, 4.0)).predictions == ["small"]
    for one in slow:
        assert one.sends(content[9:]).answer().predictions == ["small"]
        one.close()
