"""Fill a fresh run-time folder: tables, models in production, users; prints a token for each role."""

import json

import django


def main() -> None:
    """Make the site of VAR_DIR."""
    django.setup()
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command

    from features.ground.roles import ROLES
    from predictions.actions.issue_token import issue_token
    from tests.predictions.tiny import staged

    call_command("migrate", verbosity=0)
    staged()
    staged(name="size", regression=True)
    staged(name="kept", seed=1, engine="sklearn")
    tokens = {}
    for role in ROLES:
        user = User.objects.create_user(f"{role}-caller", password=f"{role}-Pass-4711")
        user.groups.set([Group.objects.get(name=role)])
        tokens[role] = issue_token(user.username, role=role, minutes=600, create=False).token
    print(json.dumps(tokens))


if __name__ == "__main__":
    main()
