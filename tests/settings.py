"""Settings of the test suite: the dev overlay, in a run-time folder of its own."""

import os
import tempfile

from mlsite.config.names import HONOURED, is_ours

# The environment of whoever runs the tests must not change them; the broker's address is what Kafka's tests ask for.
for name in [name for name in os.environ if is_ours(name) or name in (*HONOURED, "CONFIG_PATH", "STORAGE_URL")]:
    if name != "KAFKA_BOOTSTRAP_SERVERS":
        del os.environ[name]

# Workers of pytest-xdist each get a folder; the variable keeps child processes of a test in the same one.
THROWAWAY = os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="mlsite-test-")
os.environ["APP_ENV"] = "dev"
if url := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = url

from mlsite.settings import *  # noqa: E402, F403 (the same settings, in another place)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
