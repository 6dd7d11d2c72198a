"""The parser of requests, which declines offers to go on in another protocol."""

from typing import Any

from httptools import HttpParserUpgrade, HttpRequestParser


class RequestParser(HttpRequestParser):
    """Read a request that offers an upgrade as if it did not.

    httptools takes what follows the head of such a request for the other protocol. Clients that would rather speak
    HTTP/2 send a body there, for a server may ignore the offer: so the head is read again without it.

    Parameters
    ----------
    connection : HttpToolsProtocol
        Where the parts of a request go; it ignores the parts of one that `is_offer`.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._connection = connection
        # As uvicorn has it: what comes behind a request that asks to be the last is no fault of that request.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    @property
    def is_offer(self) -> bool:
        """Tell whether the request that is being read is to be read again."""
        return bool(self.should_upgrade()) and self.get_method() != b"CONNECT"

    def feed_data(self, data: Any) -> None:
        """Read what came."""
        parser, rest = self, memoryview(data)
        while True:
            try:
                HttpRequestParser.feed_data(parser, rest)
                return
            except HttpParserUpgrade as offer:
                if not parser.is_offer:
                    raise
                rest = rest[offer.args[0] :]
                parser = parser._without_offer()

    def _without_offer(self) -> "RequestParser":
        """Return a parser that has read the head again."""
        connection = self._connection
        lines = [b"%s %s HTTP/%s" % (self.get_method(), connection.url, self.get_http_version().encode())]
        lines += [b"%s: %s" % header for header in connection.headers if header[0] != b"upgrade"]
        connection.parser = parser = RequestParser(connection)
        HttpRequestParser.feed_data(parser, b"\r\n".join([*lines, b"", b""]))
        return parser
