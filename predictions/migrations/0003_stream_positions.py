"""Positions of streams in a table of their own: what holds one prediction a message, whatever the log is partitioned by."""

from django.db import migrations, models

COPY = """
INSERT INTO predictions_streamposition (prediction_id, topic, partition, "offset", at)
SELECT id, topic, partition, "offset", at FROM predictions_prediction WHERE topic IS NOT NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('predictions', '0002_routes_and_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='StreamPosition',
            fields=[
                ('prediction_id', models.UUIDField(primary_key=True, serialize=False)),
                ('topic', models.CharField(max_length=250)),
                ('partition', models.PositiveIntegerField()),
                ('offset', models.PositiveBigIntegerField()),
                ('at', models.DateTimeField(db_index=True, help_text='When it was predicted, as the prediction says.')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('topic', 'partition', 'offset'), name='stream_position_once')],
            },
        ),
        migrations.RunSQL(COPY, migrations.RunSQL.noop),
        migrations.RemoveConstraint(
            model_name='prediction',
            name='prediction_stream_position',
        ),
    ]
