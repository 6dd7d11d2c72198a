"""`manage.py runs`: list, show, cancel, retry."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from features.ground.command import ActionCommand
from pipeline.actions.runs import cancel_run, retry_run
from pipeline.adapters.run_reads import run_as_dict, run_by_id, run_with_log
from pipeline.models import Run


class Command(ActionCommand):
    """List the newest runs, or show, cancel or retry one."""

    help = __doc__
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", nargs="?", metavar="ID")
        parser.add_argument("--state", choices=Run.State.values)
        parser.add_argument("--kind", choices=Run.Kind.values)
        parser.add_argument("--limit", type=int, default=20)
        change = parser.add_mutually_exclusive_group()
        change.add_argument("--cancel", action="store_true", help="stop the run ID")
        change.add_argument("--retry", action="store_true", help="queue the failed run ID again")

    def act(self, **options: Any) -> dict[str, Any]:
        if options["run"]:
            return run_with_log(_changed(run_by_id(options["run"]).pk, **options))
        if options["cancel"] or options["retry"]:
            raise CommandError("--cancel and --retry need a run's ID", returncode=2)
        chosen = {key: options[key] for key in ("state", "kind") if options[key]}
        return {
            "runs": [run_as_dict(run) for run in Run.objects.filter(**chosen).defer("log")[: max(0, options["limit"])]]
        }

    def text(self, result: dict[str, Any]) -> str:
        if "runs" not in result:
            return super().text(result)
        lines = [_line(run) for run in result["runs"]]
        return "\n".join(lines) or "no runs yet: `train`, `score` and `drift` make some"


def _line(run: dict[str, Any]) -> str:
    error = run["error"] or {}
    now = error.get("error") or (run["step"] if run["state"] == Run.State.RUNNING else "")
    about = run["params"].get("model") or run["params"].get("dataset") or run["params"].get("view") or ""
    return "{id}  {created_at:%Y-%m-%d %H:%M}  {kind:<12} {about:<20} {state:<10} {progress:>3} % {now}".format(
        **run | {"about": about, "now": now}
    ).rstrip()


def _changed(run_id: UUID, *, cancel: bool, retry: bool, actor: str, **_: Any) -> Run:
    if cancel:
        return cancel_run(run_id, actor=actor)
    return retry_run(run_id, actor=actor) if retry else Run.objects.get(pk=run_id)
