"""Settings of the test suite: the dev overlay, in a run-time folder of its own."""

import os
import tempfile

# Workers of pytest-xdist each get a folder; the variable keeps child processes of a test in the same one.
THROWAWAY = os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="mlsite-test-")
os.environ["APP_ENV"] = "dev"
for name in ("DATABASE_URL", "REDIS_URL", "CONFIG_PATH", "STORAGE_URL", "SLACK_WEBHOOK", "PORT", "DEBUG"):
    os.environ.pop(name, None)
if url := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = url

from mlsite.settings import *  # noqa: E402, F403 (the same settings, in another place)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
