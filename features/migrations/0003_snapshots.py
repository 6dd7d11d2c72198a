"""A training snapshot's content is never changed: the database itself refuses it."""

from django.db import migrations

FROZEN = ("kind", "fingerprint", "path", "rows", "columns", "question", "leakage", "dataset_version_id", "as_of")
TABLE, NAME = "features_featuresnapshot", "training_snapshot_is_frozen"
TEXT = "a training snapshot is never changed"


def _changed(different):
    return " OR ".join(f'OLD."{column}" {different} NEW."{column}"' for column in FROZEN)


def _sqlite():
    return [
        f"CREATE TRIGGER {NAME} BEFORE UPDATE ON {TABLE} WHEN OLD.kind = 'training' AND ({_changed('IS NOT')}) "
        f"BEGIN SELECT RAISE(ABORT, '{TEXT}'); END"
    ]


def _postgresql():
    # Named like a broken constraint, so that every caller sees an integrity error.
    return [
        f"CREATE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{TEXT}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        f"CREATE TRIGGER {NAME} BEFORE UPDATE ON {TABLE} FOR EACH ROW "
        f"WHEN (OLD.kind = 'training' AND ({_changed('IS DISTINCT FROM')})) EXECUTE FUNCTION {NAME}()",
    ]


def freeze(apps, schema_editor):
    statements = {"sqlite": _sqlite, "postgresql": _postgresql}[schema_editor.connection.vendor]()
    for statement in statements:
        schema_editor.execute(statement, params=None)


def thaw(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"DROP TRIGGER {NAME}")
        return
    schema_editor.execute(f"DROP TRIGGER {NAME} ON {TABLE}")
    schema_editor.execute(f"DROP FUNCTION {NAME}()")


class Migration(migrations.Migration):
    dependencies = [("features", "0002_data_and_features")]

    operations = [migrations.RunPython(freeze, thaw, elidable=False)]
