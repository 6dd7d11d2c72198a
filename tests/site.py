"""Fill the run-time folder of VAR_DIR: `bare` has tables, `tiny` a model in production, `whole` three, and users."""

import json
import sys

import django


def main(kind: str) -> None:
    """Make a site of this kind; print a token for each role of a whole one."""
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    if kind == "bare":
        return
    from tests.predictions.tiny import staged

    staged()
    if kind == "whole":
        staged(name="size", regression=True)
        staged(name="kept", seed=1, engine="sklearn")
        print(json.dumps(tokens()))


def tokens() -> dict[str, str]:
    """Make a user for each role, with a token."""
    from django.contrib.auth.models import Group, User

    from features.ground.roles import ROLES
    from predictions.actions.issue_token import issue_token

    made = {}
    for role in ROLES:
        user = User.objects.create_user(f"{role}-caller", password=f"{role}-Pass-4711")
        user.groups.set([Group.objects.get(name=role)])
        made[role] = issue_token(user.username, role=role, minutes=600, create=False).token
    return made


if __name__ == "__main__":
    main(sys.argv[1])
