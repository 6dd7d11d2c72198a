"""A bucket of an S3-compatible server: moto's, in a process of its own, for the Delta library holds Python's lock."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pyarrow import fs

SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test-key-id", "AWS_SECRET_ACCESS_KEY": "test-secret-key"}


@contextmanager
def s3_server() -> Iterator[str]:
    """Start a server, give its address, and end it."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", SERVER], text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(30)


def make_bucket(endpoint: str, name: str) -> fs.S3FileSystem:
    """Make a bucket, and give a way to look into it that is not ours."""
    given = {"access_key": CREDENTIALS["AWS_ACCESS_KEY_ID"], "secret_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}
    bucket = fs.S3FileSystem(endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True, **given)
    bucket.create_dir(name)
    return bucket
