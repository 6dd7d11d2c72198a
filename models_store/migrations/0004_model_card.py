from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("models_store", "0003_append_only"),
    ]

    operations = [
        migrations.RenameField(model_name="registeredmodel", old_name="description", new_name="purpose"),
        migrations.AlterField(
            model_name="registeredmodel",
            name="purpose",
            field=models.TextField(blank=True, help_text="What it predicts, and which decision that serves."),
        ),
        migrations.AddField(
            model_name="registeredmodel",
            name="intended_use",
            field=models.TextField(blank=True, help_text="Who may use it for what, and what it is not for."),
        ),
        migrations.AddField(
            model_name="registeredmodel",
            name="limits",
            field=models.TextField(blank=True, help_text="Where it is known to be wrong, unfair or untested."),
        ),
        migrations.AlterField(
            model_name="registeredmodel",
            name="owner",
            field=models.CharField(blank=True, help_text="Who answers for it.", max_length=150),
        ),
    ]
