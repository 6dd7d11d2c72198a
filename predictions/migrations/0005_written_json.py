"""A cheaper row of the prediction log: no check of JSON that our own code has made, no index that another serves for.

On SQLite the table is written anew, once for all its columns.
"""

import django.db.models.deletion
import predictions.models
from django.db import migrations, models


def lighten(apps, schema_editor):
    """Make the table what its model says: on SQLite anew, on PostgreSQL, where it has no checks, without the index."""
    model = apps.get_model("predictions", "Prediction")
    if schema_editor.connection.vendor == "sqlite":
        schema_editor._remake_table(model)
        return
    for name in schema_editor._constraint_names(model, ["model_version_id"], index=True):
        schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(name)}")


def restore(apps, schema_editor):
    """Make the table what its model said before."""
    model = apps.get_model("predictions", "Prediction")
    if schema_editor.connection.vendor == "sqlite":
        schema_editor._remake_table(model)
        return
    for statement in schema_editor._field_indexes_sql(model, model._meta.get_field("model_version")):
        schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('models_store', '0001_initial'),
        ('predictions', '0004_partitions'),
    ]

    operations = [
        # Undone last, when the model is again what it was.
        migrations.RunPython(migrations.RunPython.noop, restore),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='prediction',
                    name='columns',
                    field=predictions.models.WrittenJSONField(default=list, help_text='Names of the inputs, in order.'),
                ),
                migrations.AlterField(
                    model_name='prediction',
                    name='entity_keys',
                    field=predictions.models.WrittenJSONField(blank=True, default=list),
                ),
                migrations.AlterField(
                    model_name='prediction',
                    name='inputs',
                    field=predictions.models.WrittenJSONField(help_text='Rows as scored, after the missing-value policy.'),
                ),
                migrations.AlterField(
                    model_name='prediction',
                    name='model_version',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='predictions', to='models_store.modelversion'),
                ),
                migrations.AlterField(
                    model_name='prediction',
                    name='outputs',
                    field=predictions.models.WrittenJSONField(help_text='predictions and, for a classifier, probabilities.'),
                ),
                migrations.AlterField(
                    model_name='prediction',
                    name='route',
                    field=predictions.models.WrittenJSONField(blank=True, default=dict, help_text='Why this version answered: by, bucket, percent, key; empty if no canary is.'),
                ),
                migrations.AlterField(
                    model_name='prediction',
                    name='snapshots',
                    field=predictions.models.WrittenJSONField(blank=True, default=dict, help_text='Where features were looked up: the online snapshot of each view.'),
                ),
            ],
        ),
        migrations.RunPython(lighten, migrations.RunPython.noop),
    ]
