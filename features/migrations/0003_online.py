import django.db.models.deletion
from django.db import migrations, models


def serve_nothing(apps, schema_editor):
    """Values were JSON, which loses bits: `materialize` makes them anew."""
    apps.get_model("features", "FeatureView").objects.update(live_snapshot=None)


class Migration(migrations.Migration):
    dependencies = [("features", "0003_snapshots")]

    operations = [
        migrations.RunPython(serve_nothing, migrations.RunPython.noop),
        migrations.DeleteModel("OnlineFeature"),
        migrations.CreateModel(
            name="OnlineFeature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("entity_key", models.CharField(max_length=300)),
                ("packed", models.BinaryField(help_text="As features/core/packed.py says.")),
                (
                    "snapshot",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="online",
                        to="features.featuresnapshot",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("snapshot", "entity_key"), name="online_feature_entity")
                ],
            },
        ),
    ]
