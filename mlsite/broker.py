"""A broker in a folder, for a machine without Redis: kombu's, with whole messages only."""

import os
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

NAME = "filesystem"


class Channel(filesystem.Channel):
    """Messages appear under their name only when they are complete, and are taken by one rename.

    The library writes under the final name, so a consumer may meet half a message, and takes it to the system's
    temporary folder, which may be another file system.
    """

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        name = f"{time_ns():020d}_{uuid4().hex}.{queue}.msg"
        folder = Path(self.data_folder_out)
        part = folder / f".{name}"
        part.write_bytes(str_to_bytes(dumps(payload)))
        part.replace(folder / name)

    def _queue_bind(self, *_: Any) -> None:
        """Keep no table of bindings: a message's routing key is the name of its queue."""

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        return [routing_key]

    def _get(self, queue: str) -> Any:
        for name in sorted(os.listdir(self.data_folder_in)):
            if name.startswith(".") or name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = Path(self.processed_folder) / name
            try:
                Path(self.data_folder_in, name).rename(taken)
            except FileNotFoundError:
                continue  # another consumer was first
            payload = taken.read_bytes()
            taken.unlink()
            return loads(bytes_to_str(payload))
        raise Empty


class Transport(filesystem.Transport):
    """The transport of these channels."""

    Channel = Channel


def register() -> None:
    """Let `filesystem://` mean this transport."""
    TRANSPORT_ALIASES[NAME] = f"{__name__}:Transport"
