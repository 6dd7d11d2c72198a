"""Handlers the tests put in place of real work, and the ways to reach them from another process."""

import errno
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from features.ground.errors import RefusedError
from pipeline.core.run_context import RunContext

CHILD = """
import os, sys
import django
django.setup()
from uuid import UUID
from pipeline.actions.runs import execute_run
from pipeline.adapters.processes import worker_name
from pipeline.handlers import HANDLERS
HANDLERS["noop"] = "tests.pipeline.jobs." + sys.argv[2]
run = execute_run(UUID(sys.argv[1]), worker=worker_name())
print(run.state if run else "none")
"""


class NoThanksError(RefusedError):
    """A refusal a handler may raise."""

    code = "no_thanks"


def mark(context: RunContext) -> dict[str, Any]:
    """Leave one line in a file: the effect the tests count."""
    with Path(context.params["file"]).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return {"marked": True, "mean": float("nan"), "at": Path("x")}


def hang_then_mark(context: RunContext) -> dict[str, Any]:
    """Say that work has begun, then take for ever."""
    Path(context.params["begun"]).write_text("yes")
    for _ in range(600):
        time.sleep(0.1)
        context.report(1, "hanging")
    return mark(context)


def refuse(context: RunContext) -> dict[str, Any]:
    raise NoThanksError("not today: try tomorrow", day="today")


def talk(context: RunContext) -> dict[str, Any]:
    """Say steps, and log below them."""
    context.report(10, "reading")
    logging.getLogger("features.somewhere").warning("slow disk, token=%s", "s3cr3t")
    logging.getLogger("features.somewhere").debug("not kept")
    context.report(90, "writing")
    return {}


def talk_of_another(context: RunContext) -> dict[str, Any]:
    """Log what is another run's."""
    with structlog.contextvars.bound_contextvars(request_id="another"):
        logging.getLogger("features.somewhere").warning("of another run")
    return {}


def crash(context: RunContext) -> dict[str, Any]:
    raise ZeroDivisionError("a bug")


def disk_full(context: RunContext) -> dict[str, Any]:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupted(context: RunContext) -> dict[str, Any]:
    raise KeyboardInterrupt


def steps(context: RunContext) -> dict[str, Any]:
    """Report until told to stop by the number of steps."""
    for number in range(int(context.params["steps"])):
        context.report(number, f"step {number}")
        time.sleep(0.02)
    return {}


def child_environ(**more: str) -> dict[str, str]:
    """Return the environment in which a child uses this test's database."""
    name = connection.settings_dict["NAME"]
    url = (
        f"sqlite:///{name}"
        if connection.vendor == "sqlite"
        else os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{name}"
    )
    path = f"{settings.BASE_DIR}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "mlsite.settings",
        "DATABASE_URL": url,
        "PYTHONPATH": path,
        **more,
    }


def start_child(run_id: Any, handler: str, **environ: str) -> subprocess.Popen[str]:
    """Start a real process that claims and executes a run with one of these handlers."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(run_id), handler],
        env=child_environ(**environ),
        stdout=subprocess.PIPE,
        text=True,
    )
