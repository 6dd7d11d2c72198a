"""What a person keeps in the console."""

from django.conf import settings
from django.db import models


class SavedFilter(models.Model):
    """A search and filters of one list, by a name of its owner's choice."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters")
    table = models.CharField(max_length=100, help_text="The list, such as pipeline_run.")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, help_text="What follows the ? in the list's address.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("user", "table", "name"), name="one_saved_filter_of_a_name"),)

    def __str__(self) -> str:
        return self.name
