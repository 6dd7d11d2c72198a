"""Ask the web server of this container whether it is alive: exit code 0 if it is."""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")

from django.conf import settings

from mlsite.serving import answers


def main() -> int:
    """Return the exit code a container's health check wants."""
    server = settings.CONFIG.server
    return 0 if answers(server.host, server.port) else 1


if __name__ == "__main__":
    sys.exit(main())
