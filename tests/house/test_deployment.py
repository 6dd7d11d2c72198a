"""The files that ship and check the product are well-formed and careful; read by the tools that know them."""

import json
import re
import subprocess
import sysconfig
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mlsite.config.names import IS_SECRET, environment_names
from mlsite.config.schema import ROOT

TOOLS = Path(sysconfig.get_path("scripts"))
SCHEMAS = files("check_jsonschema.builtin_schemas.vendor")


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text())


def tool(name: str, *arguments: str) -> None:
    done = subprocess.run([str(TOOLS / name), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def workflow() -> Any:
    # YAML 1.1 reads the key `on` as true.
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text().replace("\non:", '\n"on":'))


def test_compose_file_follows_the_compose_schema(compose):
    jsonschema.validate(compose, schema("compose-spec"))


def test_compose_with_grpc_builds_one_image_and_publishes_its_port(compose):
    more = yaml.safe_load((ROOT / "docker-compose.grpc.yml").read_text())
    jsonschema.validate(more, schema("compose-spec"))
    services = more["services"]
    ours = {name for name, one in compose["services"].items() if "build" in one}
    assert services.keys() == ours
    assert {json.dumps(one["build"]) for one in services.values()} == {'{"context": ".", "args": {"GRPC": "yes"}}'}
    assert services["web"]["environment"].keys() <= {name for key in IS_SECRET for name in environment_names(key)}
    inside = services["web"]["environment"]["GRPC__PORT"]
    assert services["web"]["ports"] == [f"127.0.0.1:${{GRPC__PORT:-8001}}:{inside}"]
    assert f" {inside}\n" in re.search(r"^EXPOSE.*\n", (ROOT / "Dockerfile").read_text(), re.M).group()


def test_compose_starts_every_part(compose):
    assert compose["services"].keys() == {"migrate", "web", "worker", "beat", "database", "redis"}


def test_compose_holds_no_password(compose):
    text = (ROOT / "docker-compose.yml").read_text()
    secret = {name for key, hidden in IS_SECRET.items() if hidden for name in environment_names(key)}
    secret |= {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    given = {name: default for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text) if name in secret and default}
    assert given == {}
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            assert variable not in secret or "${" in str(value), f"{name}: {variable}"


def test_compose_passes_known_variables_only(compose):
    known = {name for key in IS_SECRET for name in environment_names(key)}
    ours = ("migrate", "web", "worker", "beat")
    assert sorted({v for name in ours for v in compose["services"][name]["environment"]} - known) == []


def test_compose_gives_the_signing_key_to_the_worker_alone(compose):
    holders = [
        name for name, service in compose["services"].items() if "SECURITY__SIGNING_KEY" in service["environment"]
    ]
    assert holders == ["worker"]


def test_compose_migrates_once_before_the_rest(compose):
    services = compose["services"]
    assert services["migrate"]["command"][-1] == "migrate"
    waiting = {name for name, one in services.items() if "migrate" in one.get("depends_on", {})}
    assert waiting == {"web", "worker", "beat"}
    assert all(
        services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully" for name in waiting
    )


def test_compose_locks_our_processes_down(compose):
    for name in ("migrate", "web", "worker", "beat"):
        service = compose["services"][name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert all("privileged" not in key for key in service), name


def test_compose_pins_images_and_opens_one_port_to_this_machine(compose):
    images = [service["image"] for name, service in compose["services"].items() if name in ("database", "redis")]
    assert all(re.search(r":\d+\.\d+(\.\d+)?-", image) for image in images)
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert {name: port[0].split(":")[0] for name, port in ports.items()} == {"web": "127.0.0.1"}


def test_compose_checks_the_health_of_everything_that_answers(compose):
    checked = {name for name, one in compose["services"].items() if "test" in one.get("healthcheck", {})}
    # The web server's check is in the image.
    assert checked == {"worker", "database", "redis"}
    assert "healthcheck" not in compose["services"]["web"]


def test_dockerfile_has_no_fault():
    tool("hadolint", "Dockerfile")


def test_dockerfile_is_small_unprivileged_and_checked():
    text = (ROOT / "Dockerfile").read_text()
    stages = re.split(r"^FROM ", text, flags=re.M)[1:]
    assert len(stages) == 2
    assert all(re.match(r"python:3\.\d+\.\d+-slim-\w+ AS \w+\n", stage) for stage in stages)
    final = stages[-1]
    assert re.search(r"^USER \d+:\d+$", final, re.M)
    assert "HEALTHCHECK" in final
    assert "VAR_DIR=/var/lib/mlsite" in final
    assert not re.search(r"pip install|apt-get|gcc|build-essential", final)
    assert "--require-hashes" in stages[0]


def test_image_holds_every_app_and_nothing_it_must_not():
    text = (ROOT / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(\S+) ", text, re.M)
    assert {"features", "models_store", "predictions", "pipeline", "mlsite", "templates", "manage.py"} <= set(copied)
    kept = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert set(copied) == kept


def test_workflow_follows_its_schema_and_has_no_known_weakness(workflow):
    jsonschema.validate(workflow, schema("github-workflows"))
    tool("zizmor", "--offline", "--quiet", ".github/workflows/ci.yml")


def test_workflow_runs_the_script_on_every_python(workflow):
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_workflow_is_allowed_nothing_and_pins_every_action(workflow):
    assert workflow["permissions"] == {}
    used = [step["uses"] for step in workflow["jobs"]["test"]["steps"] if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []


@pytest.mark.parametrize("script", [".ci/run", "deploy/services.sh"])
def test_scripts_have_no_fault_and_can_be_run(script):
    tool("shellcheck", script)
    assert (ROOT / script).stat().st_mode & 0o111


def test_ci_script_runs_every_step():
    text = (ROOT / ".ci/run").read_text()
    steps = re.findall(r"^ *step make ([\w-]+)", text, re.M)
    assert steps == ["setup", "check", "test-services", "test-kafka", "test-clients", "smoke", "test", "test-browser"]


def test_pre_commit_file_follows_its_schema():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    tool("pre-commit", "validate-config", ".pre-commit-config.yaml")
    assert all(repo["repo"] == "local" or re.fullmatch(r"[0-9a-f]{40}", repo["rev"]) for repo in hooks["repos"])


def test_secrets_for_a_new_place_are_accepted_and_all_different():
    code = "import runpy; print('\\n'.join(runpy.run_path('deploy/make_secrets.py')['lines']()))"
    command = [str(TOOLS / "python"), "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    drawn = dict(line.split("=", 1) for line in done.stdout.splitlines())
    wanted = re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(), re.M)
    assert drawn.keys() == set(wanted) - {"SLACK_WEBHOOK", "KAFKA_BOOTSTRAP_SERVERS"}
    assert len(set(drawn.values())) == len(drawn)
