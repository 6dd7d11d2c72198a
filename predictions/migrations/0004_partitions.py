"""On PostgreSQL the prediction log becomes a table partitioned by day; rows that are there are taken along."""

from datetime import timedelta

from django.db import migrations
from django.utils import timezone

TABLE, OLD, REST = "predictions_prediction", "predictions_prediction_old", "predictions_prediction_rest"
AHEAD_DAYS = 7
# What a partition's key must hold can't be in a key of (id) alone: the outcomes' reference takes the time along. Their
# model knows nothing of it; the database fills it, and refuses an outcome of a prediction that is not there.
OUTCOMES = """
CREATE FUNCTION predictions_outcome_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT at INTO NEW.prediction_at FROM predictions_prediction WHERE id = NEW.prediction_id;
    RETURN NEW;
END $$;
ALTER TABLE predictions_outcome ADD COLUMN prediction_at timestamptz;
UPDATE predictions_outcome o SET prediction_at = p.at FROM predictions_prediction p WHERE p.id = o.prediction_id;
ALTER TABLE predictions_outcome ALTER COLUMN prediction_at SET NOT NULL;
ALTER TABLE predictions_outcome ADD CONSTRAINT predictions_outcome_prediction FOREIGN KEY (prediction_id, prediction_at)
    REFERENCES predictions_prediction (id, at) DEFERRABLE INITIALLY DEFERRED;
CREATE TRIGGER predictions_outcome_at BEFORE INSERT OR UPDATE OF prediction_id ON predictions_outcome
    FOR EACH ROW EXECUTE FUNCTION predictions_outcome_at();
"""


def partition(apps, schema_editor):
    """Make the partitioned table under the name of the plain one."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        run = cursor.execute
        run("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = %s", [TABLE])
        indexes = [(name, text) for name, text in cursor.fetchall() if "UNIQUE" not in text]
        for kind, table in (("f", "predictions_outcome"), ("f", TABLE), ("c", TABLE)):
            run(
                "SELECT conname, pg_get_constraintdef(oid), confrelid::regclass::text FROM pg_constraint "
                "WHERE conrelid = %s::regclass AND contype = %s",
                [table, kind],
            )
            for name, text, other in cursor.fetchall():
                if table == TABLE:
                    indexes.append((None, f'ALTER TABLE {TABLE} ADD CONSTRAINT "{name}" {text}'))
                elif other == TABLE:
                    run(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for name, _ in indexes:
            if name:
                run(f'DROP INDEX "{name}"')
        run(f"ALTER TABLE {TABLE} RENAME TO {OLD}")
        run(f"CREATE TABLE {TABLE} (LIKE {OLD} INCLUDING DEFAULTS) PARTITION BY RANGE (at)")
        run(f"CREATE TABLE {REST} PARTITION OF {TABLE} DEFAULT")
        run(f"SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM {OLD}")
        today = timezone.now().date()
        for day in {day for (day,) in cursor.fetchall()} | {today + timedelta(days=n) for n in range(AHEAD_DAYS + 1)}:
            bounds = f"FROM ('{day} 00:00:00+00') TO ('{day + timedelta(days=1)} 00:00:00+00')"
            run(f"CREATE TABLE {TABLE}_{day:%Y%m%d} PARTITION OF {TABLE} FOR VALUES {bounds}")
        run(f"INSERT INTO {TABLE} SELECT * FROM {OLD}")
        run(f"DROP TABLE {OLD}")
        run(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id, at)")
        for _, text in indexes:
            run(text)
        run(OUTCOMES)


class Migration(migrations.Migration):

    dependencies = [
        ('predictions', '0003_stream_positions'),
    ]

    operations = [
        migrations.RunPython(partition),
    ]
