"""A broker in a folder, for a machine without Redis: kombu's, with whole messages only."""

from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

NAME = "filesystem"


class Channel(filesystem.Channel):
    """Messages appear under their name only when they are complete, and are taken by one rename.

    The library writes under the final name, so a consumer may meet half a message, and takes it to the system's
    temporary folder, which may be another file system.
    """

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]  # kombu's own differs too
        name = f"{time_ns():020d}_{uuid4().hex}.{queue}.msg"
        folder = Path(self.data_folder_out)
        part = folder / f".{name}"
        part.write_text(dumps(payload))
        part.replace(folder / name)

    def _queue_bind(self, *_: Any) -> None:
        """Keep no table of bindings: a message's routing key is the name of its queue."""

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        return [routing_key]

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for message in sorted(Path(self.data_folder_in).glob(f"[!.]*.{queue}.msg")):
            taken = Path(self.processed_folder) / message.name
            try:
                message.rename(taken)
            except FileNotFoundError:
                continue  # another consumer was first
            payload = taken.read_text()
            taken.unlink()
            return loads(payload)
        raise Empty


class Transport(filesystem.Transport):
    """The transport of these channels."""

    Channel = Channel


def register() -> None:
    """Let `filesystem://` mean this transport."""
    TRANSPORT_ALIASES[NAME] = f"{__name__}:Transport"
