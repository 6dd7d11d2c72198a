"""The Celery application: a doorbell for runs, nothing more."""

import os
from typing import Any

# A worker told to stop finishes short work within the soft shutdown time and puts the rest back.
os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")

from celery import Celery
from celery.signals import setup_logging, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")

from django.conf import settings

from mlsite import broker as folder_broker
from mlsite.logs import configure

SOFT_SHUTDOWN_SECONDS = 12


def _options() -> dict[str, Any]:
    broker = settings.CELERY_BROKER_URL
    options: dict[str, Any] = {
        "broker_url": broker,
        "broker_connection_retry_on_startup": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_retry_on_worker_lost": True,
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        "task_ignore_result": True,
        "result_expires": None,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_default_queue": "default",
        "task_soft_time_limit": 3300,
        "task_time_limit": 3600,
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": settings.CONFIG.jobs.concurrency,
        "worker_max_tasks_per_child": 50,
        # Below the supervisor's patience, so that a task put back is put back and not killed.
        "worker_soft_shutdown_timeout": SOFT_SHUTDOWN_SECONDS,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "beat_scheduler": "django_celery_beat.schedulers:DatabaseScheduler",
        "beat_max_loop_interval": 5,
        "timezone": "UTC",
    }
    if broker.startswith(folder_broker.NAME):
        folder = settings.VAR_DIR / "broker"
        for name in ("queue", "control", "processed"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        # One worker in a folder has nobody to talk to; remote control would only poll.
        options["worker_enable_remote_control"] = False
        options["broker_url"] = f"{folder_broker.NAME}://localhost"
        options["broker_transport_options"] = {
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "control_folder": str(folder / "control"),
            "processed_folder": str(folder / "processed"),
            "polling_interval": 0.2,
        }
    else:
        options["broker_transport_options"] = {
            "visibility_timeout": 7200,
            "health_check_interval": 25,
            "socket_timeout": 10,
            "socket_keepalive": True,
        }
    return options


@setup_logging.connect  # type: ignore[untyped-decorator]  # celery is untyped
@worker_process_init.connect  # type: ignore[untyped-decorator]  # celery is untyped
def _use_project_logging(**_: Any) -> None:
    configure()  # also in each pool process: a forked one must not share its parent's log file


folder_broker.register()
app = Celery("mlsite")
app.conf.update(_options())
app.autodiscover_tasks(["pipeline"])
