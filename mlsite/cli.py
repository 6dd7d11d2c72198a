"""Run a command and turn errors into the documented exit codes."""

import json
import os
import sys
import traceback

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, ProgrammingError

from features.ground import errors

# The nearest class in an error's line of descent decides.
EXIT_CODES: dict[type[errors.DomainError], int] = {
    errors.DomainError: 1,
    errors.RefusedError: 1,
    errors.ForbiddenError: 1,
    errors.InvalidInputError: 2,
    errors.NotFoundError: 2,
    errors.TooLargeError: 2,
    errors.LimitedError: 1,
    errors.UnavailableError: 3,
    errors.ConflictError: 4,
    errors.FencedError: 75,
}
REFUSED = 1
WRONG_USAGE = 2
INTERRUPTED = 130


class DatabaseUnavailableError(errors.UnavailableError):
    """The database doesn't answer, or its tables aren't there."""

    code = "database_unavailable"


class UnusableFileError(errors.InvalidInputError):
    """A named file can't be read or written."""

    code = "unusable_file"


class Commands(ManagementUtility):
    """Django's own, with the documented exit code for an unknown name."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        """Return the command of that name."""
        try:
            return super().fetch_command(subcommand)
        except SystemExit:
            raise SystemExit(WRONG_USAGE) from None


def exit_code(error: errors.DomainError) -> int:
    """Return the exit code of an error."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


def main(argv: list[str]) -> int:
    """Run `manage.py` with these arguments and return the exit code."""
    try:
        Commands(argv).execute()
        sys.stdout.flush()
    except errors.DomainError as error:
        return _told(error, argv)
    except (OperationalError, InterfaceError, ProgrammingError) as error:
        text = f"The database can't be used ({_first_line(error)}); `manage.py migrate` makes its tables"
        return _told(DatabaseUnavailableError(text), argv)
    except BrokenPipeError:
        # Whoever read our output has left, as `| head` does; the interpreter must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as error:
        if error.filename is None:
            raise
        return _told(UnusableFileError(f"{error.strerror}: {error.filename}"), argv)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def _told(error: errors.DomainError, argv: list[str]) -> int:
    if "--traceback" in argv:
        traceback.print_exc()
    if "--json" in argv:
        print(json.dumps(error.as_dict(), default=str))
    print(f"{error.code}: {error.message}", file=sys.stderr)
    return exit_code(error)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
