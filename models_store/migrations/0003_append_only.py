"""Refuse UPDATE and DELETE where rows are a record: in the database, whoever is at it."""

from django.db import migrations

TABLES = ("models_store_auditentry", "models_store_auditcheckpoint", "models_store_waiver")

POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION models_store_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def guard(connection):
    """Make the triggers."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRES_FUNCTION)
        for table in TABLES:
            for statement in making(connection.vendor, table):
                cursor.execute(statement)


def unguard(connection):
    """Take the triggers away: for the migration backwards, and for tests, which empty their tables."""
    with connection.cursor() as cursor:
        on = {table: f" ON {table}" if connection.vendor == "postgresql" else "" for table in TABLES}
        for table in TABLES:
            for event in events(connection.vendor):
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{event}{on[table]}")


def events(vendor):
    """Return what is refused."""
    return ("update", "delete", "truncate") if vendor == "postgresql" else ("update", "delete")


def making(vendor, table):
    """Return the statements that guard a table."""
    for event in events(vendor):
        if vendor == "postgresql":
            level = "STATEMENT" if event == "truncate" else "ROW"
            yield (
                f"CREATE TRIGGER {table}_no_{event} BEFORE {event} ON {table} "
                f"FOR EACH {level} EXECUTE FUNCTION models_store_append_only()"
            )
        else:
            yield (
                f"CREATE TRIGGER {table}_no_{event} BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {event} is refused'); END"
            )


class Migration(migrations.Migration):

    dependencies = [
        ("models_store", "0002_approvals_audit_outbox"),
    ]

    operations = [
        migrations.RunPython(
            lambda apps, schema_editor: guard(schema_editor.connection),
            lambda apps, schema_editor: unguard(schema_editor.connection),
        ),
    ]
