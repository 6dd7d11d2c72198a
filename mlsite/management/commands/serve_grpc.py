"""`manage.py serve_grpc`: the Open Inference Protocol over gRPC, until Ctrl-C."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from mlsite import serving
from mlsite.api import fault_of
from mlsite.logs import configure
from mlsite.rpc import rpc_server

ROLE = "grpc"


class Command(ActionCommand):
    """Answer gRPC calls in this process; calls that were begun are ended when it is told to stop."""

    help = __doc__

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, help="where to listen (default: grpc.port)")

    def act(self, **options: Any) -> None:
        server = rpc_server()
        host, port = settings.CONFIG.grpc.host, options["port"] or settings.CONFIG.grpc.port
        configure(os.environ.get("PROCESS_ROLE", ROLE))
        serving.refuse_busy_port(host, port, "GRPC__PORT")
        serving.refuse_unmigrated()
        server.serve(fault_of, host, port, lambda bound: self._tell(host, bound))

    def _tell(self, host: str, port: int) -> None:
        self.stdout.write(f"answering gRPC at {host}:{port}")
        self.stdout.flush()
