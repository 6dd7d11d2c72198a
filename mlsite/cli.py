"""Run a command and turn errors into the documented exit codes."""

import json
import sys
import traceback

from django.core.management import execute_from_command_line
from django.core.management.base import CommandError

from features.ground import errors

# The nearest class in an error's line of descent decides.
EXIT_CODES: dict[type[errors.DomainError], int] = {
    errors.DomainError: 1,
    errors.RefusedError: 1,
    errors.ForbiddenError: 1,
    errors.InvalidInputError: 2,
    errors.NotFoundError: 2,
    errors.TooLargeError: 2,
    errors.UnavailableError: 3,
    errors.ConflictError: 4,
    errors.FencedError: 75,
}
INTERRUPTED = 130


def exit_code(error: errors.DomainError) -> int:
    """Return the exit code of an error."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


def main(argv: list[str]) -> int:
    """Run `manage.py` with these arguments and return the exit code."""
    try:
        execute_from_command_line(argv)
    except errors.DomainError as error:
        if "--traceback" in argv:
            traceback.print_exc()
        if "--json" in argv:
            print(json.dumps(error.as_dict(), default=str))
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return exit_code(error)
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.returncode
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0
