"""One rotating JSON log file per process role and number, secrets left out."""

import fcntl
import logging.config
import os
import re
from collections.abc import MutableMapping
from itertools import count
from pathlib import Path
from typing import IO, Any

import structlog

from mlsite.config import Config

SECRET = re.compile(
    r"(?i)(bearer\s+|basic\s+|(?:password|secret|token|api[_-]?key|authorization)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}&]+"
)
JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
API_KEY = re.compile(r"\bmlk_[0-9a-f]{12}_[\w-]+")
URL_PASSWORD = re.compile(r"(\w+://[^:/\s]*:)[^@/\s]+@")

# What this process writes to, by folder, role and process id: a forked child finds no entry of its own.
_files: dict[tuple[Path, str, int], tuple[Path, IO[bytes]]] = {}


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace tokens, passwords and keys in every text of a log event."""
    for key, value in event.items():
        if isinstance(value, str):
            text = API_KEY.sub("[key]", JWT.sub("[token]", SECRET.sub(r"\1[secret]", value)))
            event[key] = URL_PASSWORD.sub(r"\1[secret]@", text)
    return event


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    redact,
]


def _formatter(renderer: Any) -> dict[str, Any]:
    return {"()": "structlog.stdlib.ProcessorFormatter", "processor": renderer, "foreign_pre_chain": SHARED}


def log_file(folder: Path, role: str) -> Path:
    """Return the log file of this process: the first of its role that no living process holds.

    `worker.log` for the first worker, `worker-2.log` for the second; the hold ends with the process.
    """
    key = (folder, role, os.getpid())
    if key in _files:
        return _files[key][0]
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        name = role if number == 1 else f"{role}-{number}"
        hold = (folder / f".{name}.lock").open("wb")
        try:
            fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hold.close()
            continue
        _files[key] = folder / f"{name}.log", hold
        return _files[key][0]
    raise AssertionError("count() does not end")


def logging_config(config: Config, var_dir: Path, role: str | None = None) -> dict[str, Any]:
    """Return the logging configuration of one process.

    Parameters
    ----------
    config : Config
        Level, size and number of files.
    var_dir : Path
        Run-time folder; files go below its `logs`.
    role : str, optional
        What the process does (`web`, `worker`, `beat`); it names the file. Stderr alone without one.
    """
    handlers: dict[str, Any] = {
        "stderr": {"class": "logging.StreamHandler", "formatter": "console", "level": "WARNING"}
    }
    if role:
        handlers["file"] = {
            "class": "logging.handlers.RotatingFileHandler",
            "filename": str(log_file(var_dir / "logs", role)),
            "maxBytes": config.logs.max_mb * 1_048_576,
            "backupCount": config.logs.keep,
            "formatter": "json",
            "delay": True,
        }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": _formatter(structlog.processors.JSONRenderer()),
            "console": _formatter(structlog.dev.ConsoleRenderer(colors=False)),
        },
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": config.logs.level},
        "loggers": {
            "django.server": {"level": "WARNING"},
            # Refused requests are counted by the metrics; only our own faults are worth a line each.
            "django.request": {"level": "ERROR"},
            "kafka": {"level": "WARNING"},
        },
    }


def configure(role: str | None = None) -> None:
    """Set up logging in this process."""
    from django.conf import settings  # at call time: settings imports this module

    role = role or os.environ.get("PROCESS_ROLE")
    fresh = (settings.VAR_DIR / "logs", role, os.getpid()) not in _files
    logging.config.dictConfig(logging_config(settings.CONFIG, settings.VAR_DIR, role))
    if role and fresh:
        logging.getLogger(__name__).info("%s is process %s", role, os.getpid())
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
