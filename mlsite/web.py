"""The web server: workers that start fast, come back when they die, and leave without being missed.

`python -m mlsite.web MODULE:ATTRIBUTE` serves an application:

- Each worker accepts from a socket of its own, which outlives it: what waits there is taken by its successor. `serve`
  hands the sockets down: while a web server is replaced or started again, nobody is refused.
- Modules are imported once, before the workers are forked: a worker is ready as soon as it has loaded its models.
- Workers that die are started again, however often; only those that never got ready are given longer and longer pauses.
- One more process writes the prediction log for all workers.
- On SIGUSR2 it leaves because another has taken its place: its workers accept nothing new and ask their callers to
  connect again, before they finish as they do on SIGTERM.
"""

import gc
import multiprocessing
import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import django
from django.conf import settings

PRELOADED = ("mlsite.urls", "mlsite.master", "predictions.engine", "predictions.lane")


def arguments(argv: Sequence[str] | None = None) -> Namespace:
    """Return what the command line says."""
    parser = ArgumentParser(prog="python -m mlsite.web", description="Serve an application.", allow_abbrev=False)
    parser.add_argument("target", metavar="MODULE:ATTRIBUTE", help="the application")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=8000, help="port to listen at")
    parser.add_argument("--workers", type=_positive, default=1, help="how many processes serve")
    parser.add_argument("--backlog", type=_positive, default=1024, help="connections that may wait to be accepted")
    parser.add_argument(
        "--workers-kill-timeout", type=float, default=10.0, metavar="SECONDS", help="how long a worker may take to end"
    )
    parser.add_argument("--ssl-certificate", type=Path, metavar="FILE", help="certificate (PEM), and those it needs")
    parser.add_argument("--ssl-keyfile", type=Path, metavar="FILE", help="its key (PEM)")
    found = parser.parse_args(argv)
    if (found.ssl_certificate is None) != (found.ssl_keyfile is None):
        parser.error("--ssl-certificate and --ssl-keyfile go together")
    return found


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"a whole number from 1 is wanted, not {text!r}")
    return int(text)


def preload() -> None:
    """Import what every worker needs; no thread, no connection and no log file is begun."""
    settings.CONFIG  # noqa: B018 (they are read while the role is there)
    role = os.environ.pop("PROCESS_ROLE", None)
    django.setup()
    for name in PRELOADED:
        import_module(name)
    if role is not None:
        os.environ["PROCESS_ROLE"] = role
    gc.collect()
    # What is collected is written to, and what is written to is no longer shared.
    gc.freeze()


def main() -> None:
    """Serve until told to end."""
    found = arguments()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")
    multiprocessing.set_start_method("fork")
    preload()
    try:
        # Found only now, for it needs the applications of Django.
        import_module("mlsite.master").serve(found)
    finally:
        gc.unfreeze()


if __name__ == "__main__":
    main()
