"""Fill VAR_DIR for the benchmark of serving with one model and one user; print a token: KIND ENGINE FOLDER."""

import sys
from pathlib import Path

import django


def main(kind: str, engine: str, folder: Path) -> None:
    """Register the model `kind` of a folder and promote it; `engine` is onnx or sklearn."""
    django.setup()
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command

    from models_store.actions.promote import promote
    from models_store.actions.register_version import NewVersion, register_version
    from models_store.core.policy import imported_policy
    from predictions.actions.issue_token import issue_token

    call_command("migrate", verbosity=0)
    files = {
        name: folder.joinpath(f"{kind}{Path(name).suffix}").read_bytes() for name in ("model.onnx", "model.joblib")
    }
    version = register_version(
        NewVersion(
            model=kind,
            task="classification",
            primary_metric="log_loss",
            files=files,
            estimator="logistic_regression" if kind == "lr" else "random_forest",
            engine=engine,
            input_schema=[{"name": f"f{place}", "dtype": "number", "nullable": False} for place in range(30)],
            output_schema={"task": "classification", "classes": [0, 1]},
            metrics={},
            actor="cli:benchmark",
            policy=imported_policy(),
        )
    )
    promote(f"{kind}@{version.number}", target_stage="production", reason="benchmark", actor="cli:benchmark")
    user = User.objects.create_user("bench", password=None)
    user.groups.set([Group.objects.get(name="user")])
    print(issue_token("bench", role="user", minutes=600, create=False).token)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
