"""What a person reads when the demo is there: where to go, whom to sign in as, what to try."""

import json

from django.conf import settings
from django.contrib.auth.models import User

from mlsite.demo.state import DemoState, load_state
from mlsite.secrets import dev_secret
from predictions.actions.ensure_admin import ensure_admin
from predictions.actions.issue_token import issue_token

ADMIN = "admin"
CALLER = "demo"
TOKEN_MINUTES = 24 * 60
PASSWORD_BYTES = 12  # 96 bits, and still short enough to type
SHOWN = ("roc_auc", "log_loss", "brier", "calibration_error")


def summary(state: DemoState) -> str:
    """Return the demo's results as a short table."""
    counts, drift = state.rows, state.drift
    head = f"{'on September to November':<26}" + "".join(f"{name:>19}" for name in SHOWN)
    table = [
        f"{name:<26}" + "".join(f"{values.get(measure, float('nan')):>19.4f}" for measure in SHOWN)
        for name, values in state.metrics.items()
    ]
    moved = [name for name, column in drift["columns"].items() if column["drifted"]]
    return "\n".join(
        [
            f"flights: {counts['flights']:,} taken in, {counts['quarantined']} faulty rows in quarantine; "
            f"weather: {counts['weather']:,} hours",
            f"snapshot: {counts['snapshot']:,} flights, {counts['training']:,} of them to learn from",
            head,
            *table,
            f"production {state.model}@{state.production}, canary {state.model}@{state.canary}; "
            f"November scored: {counts['scored']:,} rows",
            f"December through the API: {state.traffic['requests']} requests, {state.traffic['rows']:,} rows, "
            f"{state.traffic['outcomes']:,} outcomes",
            f"drift: {'yes' if drift['dataset_drift'] else 'no'}; moved: {', '.join(moved) or 'no column'}",
            f"stream: {state.stream['scored']} scored, {state.stream['dead_letters']} dead letters",
            f"({state.seconds:.0f} s)",
        ]
    )


def welcome(base: str) -> str:
    """Return the site's address, how to sign in, and what to do first; with the demo, a curl line."""
    if not settings.DEV:
        return "a first admin: manage.py createsuperuser" if not User.objects.filter(is_superuser=True).exists() else ""
    state = load_state()
    if state is None:
        return f"admin     {base}/admin/   {_sign_in()}\nfill it   manage.py demo, or manage.py ingest"
    record = json.dumps({"records": [state.sample]})
    token = issue_token(CALLER, role="user", minutes=TOKEN_MINUTES, create=True).token
    return "\n".join(
        [
            "",
            f"site      {base}/",
            f"admin     {base}/admin/   {_sign_in()}",
            f"API       {base}/apidocs/   {base}/api/v1/health",
            "",
            "Ask the model (the token holds for a day; `manage.py issue_token demo --minutes 1440` gives another):",
            "",
            f"curl -s {base}/api/v1/predict -H 'Content-Type: application/json' \\",
            f"  -H 'Authorization: Bearer {token}' \\",
            f"  -d '{record}'",
            "",
            f"Look at   {base}/admin/ (dashboard), Model versions > {state.model}@{state.canary} > Promote,",
            "          Drift reports, Runs, Datasets > flights (quarantine). Promote the other version and ask again.",
        ]
    )


def _sign_in() -> str:
    password = dev_secret(settings.VAR_DIR, "admin_password", PASSWORD_BYTES)
    ensure_admin(ADMIN, password, actor="system")
    if User.objects.get(username=ADMIN).check_password(password):
        return f"user {ADMIN}, password {password}"
    return f"user {ADMIN}, with the password it was given"
