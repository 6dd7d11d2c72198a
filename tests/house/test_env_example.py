""".env.example names variables that exist and holds no secret."""

import re

from mlsite.config.names import IS_SECRET, environment_names
from mlsite.config.schema import ROOT

OF_COMPOSE = {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
LINES = re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.M)


def test_every_variable_sets_a_key():
    known = {name for key in IS_SECRET for name in environment_names(key)} | OF_COMPOSE
    assert [name for name, _ in LINES if name not in known] == []


def test_no_secret_has_a_value():
    secret = {name for key, hidden in IS_SECRET.items() if hidden for name in environment_names(key)} | OF_COMPOSE
    assert [name for name, value in LINES if name in secret and value] == []
