#!/usr/bin/env python
"""Run one of the project's commands."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")
    from mlsite.cli import main

    sys.exit(main(sys.argv))
