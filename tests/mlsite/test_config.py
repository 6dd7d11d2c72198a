"""The configuration: where values come from, and what stops the start."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlsite.config import ConfigError, load
from mlsite.config.load import EXIT_CONFIG, FOLDER
from mlsite.config.names import HONOURED, IS_SECRET, environment_names
from mlsite.config.schema import ROOT, Config
from mlsite.settings import _postgresql_options

SAFE = {"APP_ENV": "prod", "SECRET_KEY": secrets.token_urlsafe(48), "JWT_SECRET": secrets.token_urlsafe(48)}


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(environ)
    return str(caught.value)


def test_embedded_defaults_need_nothing():
    config = load({})
    assert (config.app_env, config.debug, config.server.port) == ("dev", False, 8000)
    assert config.database.url.get_secret_value() == ""


def test_overlay_changes_the_base():
    assert load({}).server.host == "127.0.0.1"
    assert load(SAFE).server.host == "0.0.0.0"


@pytest.mark.parametrize("name", sorted(HONOURED))
def test_honoured_name_sets_its_key(name):
    other = {"DATABASE_URL": "sqlite:////tmp/x", "REDIS_URL": "redis://h", "SLACK_WEBHOOK": "https://h"}
    other["STORAGE_URL"] = "s3://bucket/below"
    given = other.get(name, "4096" if name == "MAX_REQUEST_SIZE" else "7")
    found = HONOURED[name]
    config = load({name: given})
    for part in found.split("."):
        config = getattr(config, part)
    shown = config.get_secret_value() if IS_SECRET[found] else str(config)
    assert shown.removesuffix(".0") == given


def test_full_name_wins_over_the_honoured_one():
    assert load({"PORT": "8001", "SERVER__PORT": "8002"}).server.port == 8002


def test_environment_wins_over_the_file(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("server: {port: 8100, workers: 3}\nrate_limit: 5/second\n")
    config = load({"CONFIG_PATH": str(file), "PORT": "8200"})
    assert (config.server.port, config.server.workers, config.rate_limit) == (8200, 3, "5/second")


def test_config_path_takes_the_place_of_the_overlay(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("")
    assert load({"CONFIG_PATH": str(file)}).security.require_issuer is True
    assert load({}).security.require_issuer is False


def test_nested_key_from_the_environment():
    config = load({"SECURITY__TOKEN_EXPIRE_MINUTES": "5", "STREAMING__KAFKA__GROUP_ID": "mine"})
    assert (config.security.token_expire_minutes, config.streaming.kafka.group_id) == (5, "mine")


@pytest.mark.parametrize("text", ["off", "0", "false", "no"])
def test_rate_limit_is_turned_off_by_every_spelling(text, tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text(f"rate_limit: {text}\n")
    assert load({"CONFIG_PATH": str(file)}).rate_limit == "off"
    assert load({"RATE_LIMIT": text}).rate_limit == "off"


def test_lists_are_written_with_commas():
    config = load({"SERVER__ALLOWED_HOSTS": "a.example, b.example", "ALLOWED_ROLES": "admin"})
    assert (config.server.allowed_hosts, config.allowed_roles) == (["a.example", "b.example"], ["admin"])


def test_empty_variable_counts_as_not_given():
    config = load({"PORT": "", "NAN_REPLACEMENT": "", "SSL_CERT": "", "CONFIG_PATH": ""})
    assert (config.server.port, config.nan_replacement, config.ssl_cert) == (8000, None, None)


def test_foreign_variable_with_a_section_name_is_left_alone():
    assert load({"MODEL": "ThinkPad", "SERVER": "x", "LOGS": "1", "FEATURES": "y"}) == load({})


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"SECURITY__TOKN": "5"}, "security.tokn: unknown key"),
        ({"STREAMING__KAFKA__NOPE": "5"}, "streaming.kafka.nope: unknown key"),
        (
            {"PORT": "99999"},
            "server.port (PORT, SERVER__PORT): Input should be less than or equal to 65535, got '99999'",
        ),
        ({"RATE_LIMIT": "lots"}, "rate_limit (RATE_LIMIT): String should match pattern"),
        ({"DEBUG": "maybe"}, "debug (DEBUG): Input should be a valid boolean"),
        ({"ALLOWED_ROLES": "king"}, "allowed_roles.0 (ALLOWED_ROLES): Input should be 'admin'"),
        ({"APP_ENV": "live"}, "app_env (APP_ENV): must be one of dev, staging, prod, got 'live'"),
        ({"SSL_CERT": "/none"}, "ssl_cert, ssl_key (SSL_CERT, SSL_KEY): give both or neither"),
        ({"SSL_CERT": "/none", "SSL_KEY": "/none"}, "ssl_cert (SSL_CERT): no file at /none"),
        ({"STORAGE_URL": "ftp://x"}, "storage.url (STORAGE_URL, STORAGE__URL): must be s3://BUCKET/PREFIX"),
        ({"STORAGE__ENDPOINT": "localhost:9000"}, "storage.endpoint (STORAGE__ENDPOINT): must be https://HOST:PORT"),
        ({"STORAGE__ENDPOINT": "http://h:9000"}, "storage.endpoint (STORAGE__ENDPOINT): has no TLS"),
        (
            {"STORAGE_URL": "s3://bucket/x", "FEATURES__ENGINE": "spark"},
            "features.engine (FEATURES__ENGINE): spark reads no bucket",
        ),
        ({"CONFIG_PATH": "/none.yaml"}, "CONFIG_PATH: can't read /none.yaml (No such file or directory)"),
        ({"SERVER__PORT__X": "1"}, "server.port (PORT, SERVER__PORT): Input should be a valid integer"),
    ],
)
def test_fault_names_its_key(environ, text):
    assert refusal(**environ).startswith(text)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"colour: red\n", "colour: unknown key"),
        (b"security:\n  jwt_secrt: x\n", "security.jwt_secrt: unknown key"),
        (b"- a\n- b\n", "must hold keys and values, got a list"),
        (b"a: [1\n", "is not YAML at line 2"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"server: 5\n", "server: Input should be a valid dictionary"),
        (b"warehouse: {url: x}\n", "warehouse: unknown key"),
    ],
)
def test_faulty_file_is_named(content, text, tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    assert text in refusal(CONFIG_PATH=str(file))


def test_short_name_beside_a_faulty_section_still_names_the_section(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("server: 5\n")
    assert refusal(CONFIG_PATH=str(file), PORT="8001").startswith("server: Input should be")


@pytest.mark.parametrize("app_env", ["staging", "prod"])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"SECRET_KEY": "short"}, "security.secret_key (SECRET_KEY): must be random and at least 32 bytes"),
        ({"JWT_SECRET": "a" * 64}, "security.jwt_secret (JWT_SECRET): must be random"),
        ({"JWT_SECRET": ""}, "security.jwt_secret (JWT_SECRET): must be random"),
        ({"SECRET_KEY": "change-me-" + "abcdefghij" * 5}, "security.secret_key (SECRET_KEY): looks like an example"),
        ({"JWT_SECRET": SAFE["SECRET_KEY"]}, "security.jwt_secret (JWT_SECRET): must differ from SECRET_KEY"),
        ({"DEBUG": "1"}, "debug (DEBUG): must be off"),
        ({"ENABLE_AUTH": "false"}, "enable_auth (ENABLE_AUTH): must be on"),
        ({"SERVER__ALLOWED_HOSTS": "*"}, "server.allowed_hosts (SERVER__ALLOWED_HOSTS): name the hosts"),
    ],
)
def test_unsafe_value_is_refused_outside_dev(app_env, change, text):
    assert refusal(**{**SAFE, "APP_ENV": app_env, **change}).startswith(text)


def test_unsafe_values_are_all_told_at_once():
    told = refusal(APP_ENV="prod", DEBUG="1")
    assert {line.split(" ")[0] for line in told.splitlines()} == {"security.secret_key", "security.jwt_secret", "debug"}


@pytest.mark.parametrize("key", sorted(key for key, secret in IS_SECRET.items() if secret))
@pytest.mark.parametrize("app_env", ["dev", "prod"])
def test_secret_never_appears_in_a_refusal(key, app_env, tmp_path: Path):
    tree: dict = {}
    *sections, last = key.split(".")
    inner = tree
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[last] = {"hunter2-inside": "hunter2-below"}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(tree))
    assert "hunter2" not in refusal(CONFIG_PATH=str(file), APP_ENV=app_env).replace("hunter2-inside: unknown", "")
    value = "ftp://hunter2:hunter2@host:hunter2/x"
    told = refusal(**{environment_names(key)[0]: value, "APP_ENV": app_env, "DEBUG": "perhaps"})
    assert "hunter2" not in told
    section_as_text = tmp_path / "other.yaml"
    section_as_text.write_text(yaml.safe_dump({sections[0]: "hunter2"}))
    assert "hunter2" not in refusal(CONFIG_PATH=str(section_as_text))


def test_password_in_an_address_never_appears():
    told = refusal(DATABASE_URL="postgres://user:hun/ter2@host:5432/x")
    assert told.endswith("is not an address; percent-encode the password's special characters")
    assert "hun" not in told


def test_secret_is_masked_when_the_configuration_is_shown():
    config = load({**SAFE, "SLACK_WEBHOOK": "https://hooks.example/hunter2"})
    assert "hunter2" not in repr(config) + str(config.keys())
    assert SAFE["JWT_SECRET"] not in repr(config) + str(config.keys())


def test_base_file_says_what_the_schema_says():
    base = yaml.safe_load((FOLDER / "base.yaml").read_text())
    assert Config.model_validate(base) == Config()


def start(tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path / "var"), **environ}
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"APP_ENV": "prod", "SECRET_KEY": "hunter2", "JWT_SECRET": "hunter2"}, "security.secret_key (SECRET_KEY)"),
        ({**SAFE, "DEBUG": "1"}, "debug (DEBUG)"),
        ({"SECURITY__TOKN": "hunter2"}, "security.tokn: unknown key"),
        ({"VAR_DIR": "/proc/nowhere"}, "var_dir (VAR_DIR): can't make /proc/nowhere"),
    ],
)
def test_start_is_refused_with_exit_78_and_the_key(environ, key, tmp_path: Path):
    done = start(tmp_path, **environ)
    assert done.returncode == EXIT_CONFIG
    assert done.stderr.startswith(f"configuration refused:\n{key}")
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_start_is_refused_on_an_unknown_key_in_a_file(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("server: {prt: 1}\n")
    done = start(tmp_path, CONFIG_PATH=str(file))
    assert (done.returncode, done.stderr) == (
        EXIT_CONFIG,
        "configuration refused:\nserver.prt: unknown key; docs/settings.md lists every key\n",
    )


def test_start_in_prod_makes_no_secret_of_its_own(tmp_path: Path):
    done = start(tmp_path, **SAFE)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "var" / "secrets" / "secret_key").exists()
    assert not (tmp_path / "var" / "secrets" / "jwt_secret").exists()


def test_only_web_processes_hurry_the_database(monkeypatch):
    found = {}
    for role in ("web", "worker"):
        monkeypatch.setenv("PROCESS_ROLE", role)
        found[role] = _postgresql_options().get("options")
    assert found == {"web": "-c statement_timeout=3000 -c lock_timeout=2000", "worker": None}
