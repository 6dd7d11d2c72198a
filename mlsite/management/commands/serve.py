"""`manage.py serve`: web server, worker and beat under one supervisor, until Ctrl-C."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser

from features.ground.command import ActionCommand
from mlsite import serving
from mlsite.demo.welcome import welcome
from mlsite.logs import configure
from mlsite.rpc import require_grpc
from mlsite.supervisor import Supervisor
from pipeline.management.options import refuse_bad_estimators


class Command(ActionCommand):
    """Serve the site, do its jobs and keep its schedules; stop cleanly on Ctrl-C."""

    help = __doc__

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workers", type=int, help="web processes (default: server.workers)")
        parser.add_argument("--port", type=int, help="where to listen (default: server.port, PORT)")
        parser.add_argument("--migrate", action="store_true", help="migrate first (dev always does)")
        parser.add_argument("--web-only", action="store_true", help="no worker and no beat: they run elsewhere")
        parser.add_argument("--demo", action="store_true", help="fill the demo first")

    def act(self, **options: Any) -> None:
        server = settings.CONFIG.server
        port, workers = options["port"] or server.port, options["workers"] or server.workers
        configure("serve")
        listeners = serving.bind_port(server.host, port, workers)
        self._check_grpc()
        held = serving.hold_port(port)
        self._prepare(options["migrate"] or settings.DEV, options["demo"])
        specs = serving.child_specs(workers=workers, host=server.host, port=port, listeners=listeners)
        if options["web_only"]:
            specs = [spec for spec in specs if spec.role in ("web", "grpc")]
        Supervisor(specs, self._announcer(server.host, port, greet=not options["web_only"])).run()
        for listener in listeners:
            listener.close()
        held.close()
        self.stderr.write("stopped")

    def _check_grpc(self) -> None:
        grpc = settings.CONFIG.grpc
        if grpc.enabled:
            require_grpc()
            serving.refuse_busy_port(grpc.host, grpc.port, "GRPC__PORT")

    def _prepare(self, migrate: bool, demo: bool) -> None:
        if migrate:
            call_command("migrate", verbosity=0)
        serving.refuse_unmigrated()
        refuse_bad_estimators()
        if demo and (code := serving.run_demo()):
            raise CommandError("the demo failed; its message is above", returncode=code)

    def _announcer(self, host: str, port: int, *, greet: bool) -> Callable[[], None]:
        announced = False

        def tick() -> None:
            nonlocal announced
            if not announced and serving.answers(host, port):
                announced = True
                base = serving.address(host, port)
                if greet:
                    self.stdout.write(welcome(base))
                self.stdout.write(f"serving at {base} (Ctrl-C stops)")
                self.stdout.flush()

        return tick
