"""A registration, and a promotion, killed at each of their writes."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from models_store.actions.clear_artefacts import clear_artefacts, left_artefacts
from models_store.actions.promote import promote
from models_store.actions.publish import publish_production
from models_store.actions.register_version import register_version
from models_store.actions.verify_audit import verify_audit
from models_store.adapters.artefacts import HALF_WRITTEN, read_artefact
from models_store.core.manifest import is_digest
from models_store.models import AuditEntry, ModelVersion, RegisteredModel
from tests.faults import kill_everywhere
from tests.models_store.made import classifier, made, new_version
from tests.models_store.test_same_rows import judged

pytestmark = pytest.mark.timeout(600)  # some dozens of processes each


def files(number: int) -> dict[str, bytes]:
    return {"model.onnx": classifier(float(number)), "model.joblib": b"pickle %d" % number}


def test_registration_killed_at_each_write_is_whole_or_not_there(store):
    def prepare(n: int) -> Mapping[str, Any]:
        made(f"m{n}", files=files(1))
        return {"new": new_version(f"m{n}", files=files(2), judged=judged(50))}

    seen, left = [], []
    for kill in kill_everywhere("models_store.actions.register_version.register_version", prepare):
        seen.append(kill.at.split()[0])
        versions = {found.number: found for found in ModelVersion.objects.filter(model__name=f"m{kill.n}")}
        left.append(len(versions))
        for number, version in versions.items():
            found = read_artefact(version).files
            assert {name: data for name, data in found.items() if name in files(1)} == files(number), kill
        for folder in (store / "artefacts").iterdir():
            # A folder of a digest's name is whole, whether a row names it or not.
            if is_digest(folder.name):
                assert {path.name for path in folder.iterdir()} >= {"manifest.json", "manifest.sig"}, kill
        again = register_version(new_version(f"m{kill.n}", files=files(2), judged=judged(50)))
        assert again.number == len(versions) + 1, kill
        assert read_artefact(again).files["model.onnx"] == classifier(2.0), kill
    assert seen.count("open") >= 5
    assert {"os.mkdir", "os.rename", "INSERT", "commit", "committed"} <= set(seen)
    # Until the commit there is only the old version; after it both.
    assert left == sorted(left)
    assert set(left) == {1, 2}
    assert verify_audit().ok
    cleared_away(store / "artefacts")


def cleared_away(place: Path) -> None:
    """Whatever the dead left goes, once it is too old to be anybody's at work, and nothing else does."""
    named = set(ModelVersion.objects.values_list("manifest_digest", flat=True))
    unnamed = {folder.name for folder in place.iterdir()} - named
    assert any(is_digest(name) for name in unnamed)
    assert any(name.startswith(HALF_WRITTEN) for name in unnamed)
    assert left_artefacts() == ()
    assert clear_artefacts(actor="cli:ann") == ()
    later = timezone.now() + timedelta(days=2)
    assert {found.name for found in clear_artefacts(actor="cli:ann", dry_run=True, now=later)} == unnamed
    assert {found.name for found in left_artefacts(now=later)} == unnamed
    assert {found.name for found in clear_artefacts(actor="cli:ann", now=later)} == unnamed
    assert {folder.name for folder in place.iterdir()} == named
    assert all(read_artefact(version).files for version in ModelVersion.objects.select_related("model"))
    assert set(AuditEntry.objects.filter(action="clear_artefact").values_list("object_id", flat=True)) == unnamed
    assert left_artefacts(now=later) == ()
    assert verify_audit().ok


def test_promotion_killed_at_each_write_is_applied_with_its_audit_or_not_at_all(store):
    def prepare(n: int) -> Mapping[str, Any]:
        for number in (1, 2):
            made(f"m{n}", files=files(number))
        promote(f"m{n}@1", target_stage="production", reason="first", actor="user:ann")
        return {"spec": f"m{n}@2", "target_stage": "production", "reason": "better", "actor": "user:ann"}

    live = []
    for kill in kill_everywhere("models_store.actions.promote.promote", prepare):
        name = f"m{kill.n}"
        (version,) = ModelVersion.objects.filter(model__name=name, stage="production")
        live.append(version.number)
        assert RegisteredModel.objects.get(name=name).generation == version.number, kill
        applied = AuditEntry.objects.filter(object_id=f"{name}@2", action="promote").count()
        assert applied == version.number - 1, kill
        published = {path.name: path.read_bytes() for path in (store / "models" / name / "production").iterdir()}
        assert published in (files(1), files(version.number)), kill
        if version.number == 1:
            promote(f"{name}@2", target_stage="production", reason="better", actor="user:ann")
        path = publish_production(name)
        assert path is not None
        assert {found.name: found.read_bytes() for found in path.iterdir()} == files(2), kill
    assert live == sorted(live)
    assert set(live) == {1, 2}
    assert verify_audit().ok
