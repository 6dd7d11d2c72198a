"""Model cards: what people write, what the rows say, and the gate that asks for them."""

import json

import pytest
from django.test import Client

from features.ground.errors import DomainError
from models_store.actions.approve import approve
from models_store.actions.change_policy import change_policy
from models_store.actions.edit_card import edit_card
from models_store.actions.model_card import card_of, model_card
from models_store.actions.verify_audit import verify_audit
from models_store.core.card import WRITTEN, card_markdown, checked_parts
from models_store.errors import BadCardError, EvidenceChangedError, GateFailedError
from models_store.models import AuditEntry, RegisteredModel
from predictions.actions.issue_token import issue_token
from tests.models_store.made import GOOD, made
from tests.models_store.people import account, ask, stages
from tests.models_store.test_commands import run, text
from tests.models_store.test_gates import ask as gate

FULL = {"purpose": "Says who is late.", "intended_use": "Staffing.", "limits": "No charter flights.", "owner": "Ann"}
HOSTILE = "<script>alert(1)</script>\n# Metrics\n| a | b |\n../../etc"
MEASURED = {
    **GOOD,
    "rows": {"train": 80, "test": 20},
    "intervals": {"level": 0.95, "test": {"log_loss": [0.35, 0.45]}},
    "slices": {
        "carrier": [{"value": "UA", "rows": 60, "metrics": {"log_loss": 0.41}, "intervals": {"log_loss": [0.3, 0.5]}}]
    },
}


def write(**parts: str) -> RegisteredModel:
    return edit_card("flights", parts, reason="as agreed", actor="cli:ann")


def test_card_says_what_people_wrote_and_what_was_measured(store):
    version = made(metrics=MEASURED, estimator="k_neighbors", params={"seed": 7})
    write(**FULL)
    ask()
    card = model_card(type(version).objects.resolve("flights@1"))
    for text_ in (
        "# flights@1\n\nA classification model, production.",
        "## Purpose\n\n> Says who is late.",
        "## Limits\n\n> No charter flights.",
        "| log_loss | lower | 0.4 | 0.35 to 0.45 | 0.45 | 0.6 |",
        "Rows: 20 test, 80 train.",
        "## Metrics by carrier\n\n| value | rows | log loss |\n| --- | --- | --- |\n| UA | 60 | 0.41 (0.3 to 0.5) |",
        "| artefact_verified | yes | verified |",
        "- params: seed 7",
        f"- digest: {version.manifest_digest}",
    ):
        assert text_ in card


def test_card_of_a_bare_version_says_what_is_missing(store):
    card = card_of(made(metrics={}))
    assert card["missing"] == ["purpose", "intended_use", "limits"]
    shown = card_markdown(card)
    assert shown.count("*Nobody has written this yet.*") == 3
    for part in ("None measured.", "Not evaluated yet.", "Not trained here"):
        assert part in shown


def test_what_is_written_cannot_pass_for_the_document(store):
    version = made(estimator="a | b <i>")
    write(purpose=HOSTILE)
    card = model_card(type(version).objects.resolve("flights@1"))
    assert "<script>" not in card
    assert "<i>" not in card
    assert "- estimator: a \\| b &lt;i&gt;" in card
    assert [line for line in card.splitlines() if line == "# Metrics"] == []
    assert "> # Metrics" in card


def test_each_change_is_audited_with_what_stood_before(store):
    made()
    write(purpose="first")
    write(purpose="second", limits="none known")
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.object_id, entry.reason, entry.actor) == (
        "edit_card",
        "flights",
        "as agreed",
        "cli:ann",
    )
    assert entry.before == {"purpose": "first", "limits": ""}
    assert entry.after == {"purpose": "second", "limits": "none known"}
    assert [row["after"]["purpose"] for row in run("card", "flights")["history"]] == ["second", "first"]
    assert verify_audit().ok


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "got none"),
        ({"metrics": "0.1"}, "got metrics"),
        ({"purpose": "x" * 2001}, "purpose has 2000 characters at most, got 2001"),
        ({"owner": "x" * 151}, "owner has 150"),
        ({"owner": "a\nb"}, "owner is one line"),
        ({"limits": "a\x00b"}, "limits is plain text"),
    ],
)
def test_text_that_cannot_be_kept_is_refused_and_audited(store, parts, said):
    made()
    with pytest.raises(BadCardError, match=said):
        edit_card("flights", parts, reason="why", actor="cli:ann")
    assert RegisteredModel.objects.get().purpose == ""
    assert AuditEntry.objects.latest("id").action == "edit_card_refused"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 100_000])
def test_change_needs_a_reason(store, reason):
    made()
    with pytest.raises(DomainError, match="a reason of 1 to 2000"):
        edit_card("flights", {"purpose": "x"}, reason=reason, actor="cli:ann")


def test_account_that_may_not_promote_may_not_write(store):
    made()
    with pytest.raises(DomainError, match="may not"):
        edit_card("flights", {"purpose": "x"}, reason="why", actor=account("rea", "readonly"))


def test_empty_text_takes_a_part_away():
    assert checked_parts({"purpose": "  "}) == {"purpose": ""}


@pytest.mark.parametrize("part", WRITTEN)
def test_gate_asks_for_every_part(part):
    found = gate("model_card_complete", card={**FULL, part: ""})
    assert (found.passed, found.observed) == (False, f"missing: {part}")
    assert gate("model_card_complete", card=FULL).passed


def test_policy_may_ask_for_the_card_and_binds_approvals_to_it(store):
    made()
    gates = {"production": ["artefact_verified", "model_card_complete"]}
    change_policy("flights", {"stages": gates, "approvals": 1}, actor="cli:root")
    with pytest.raises(GateFailedError, match="missing: purpose, intended_use, limits"):
        ask()
    write(**FULL)
    request = ask().request
    write(limits="Something else entirely.")
    with pytest.raises(EvidenceChangedError):
        approve(request, actor="user:bob")
    assert stages() == {1: "candidate"}


def test_command_shows_writes_and_exports(store, tmp_path):
    made()
    pairs = [f"--set={part}={value}" for part, value in FULL.items()]
    done = run("card", "flights", *pairs, "--reason", "first", "--actor", "cli:ann")
    assert (done["written"], done["missing"]) == (FULL, [])
    assert "Says who is late." in text("card", "flights")
    assert run("card", "flights@1")["written"] == FULL
    file = tmp_path / "card.md"
    assert run("card", "flights@1", "--out", str(file))["file"] == str(file)
    assert file.read_text() == text("card", "flights@1")


@pytest.fixture
def bearer():
    def make(who: str, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {issue_token(who, role=role, minutes=5, create=True).token}"}

    return make


def test_card_over_http_as_json_and_markdown(store, bearer):
    made(metrics=MEASURED)
    address = "/api/v1/models/flights/versions/1/card"
    found = Client().get(address, headers=bearer("rea", "readonly"))
    assert found.json()["metrics"][0]["interval"] == [0.35, 0.45]
    document = Client().get(address, headers={**bearer("rea", "readonly"), "Accept": "text/markdown"})
    assert document["Content-Type"] == "text/markdown; charset=utf-8"
    assert document.content.decode() == text("card", "flights@1").rstrip("\n") + "\n"
    gone = Client().get(
        address.replace("1/card", "9/card"), headers={**bearer("rea", "user"), "Accept": "text/markdown"}
    )
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_version")


def test_card_is_written_over_http_by_those_who_may(store, bearer):
    made()
    address = "/api/v1/models/flights/card"

    def patch(role: str, body: dict[str, object]):
        return Client().patch(
            address, json.dumps(body), content_type="application/json", headers=bearer(f"a-{role}", role)
        )

    assert patch("user", {"purpose": "x", "reason": "y"}).status_code == 403
    assert patch("promoter", {"purpose": "x"}).json()["fields"] == {"reason": ["This field is required."]}
    assert patch("promoter", {"metrics": "x", "reason": "y"}).status_code == 400
    assert patch("promoter", {"purpose": "x", "reason": "y"}).json()["written"]["purpose"] == "x"
    assert RegisteredModel.objects.get().purpose == "x"
