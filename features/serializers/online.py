"""What asking for online values takes, and the shape of the answer."""

from typing import Any

from rest_framework import serializers

SPEC = r"^[\w-]{1,100}(@[1-9]\d{0,8})?\Z"
MAX_FEATURES = 500


class OnlineRequestSerializer(serializers.Serializer[Any]):
    """Whose newest values of which view."""

    refuses_unknown = True
    view = serializers.RegexField(SPEC, help_text="`NAME`, or `NAME@N` for a version.")
    entities = serializers.ListField(
        child=serializers.JSONField(),
        help_text="Keys (several columns joined by `|`), or objects with the view's entity columns.",
    )
    features = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, min_length=1, max_length=MAX_FEATURES,
        help_text="Which of its features; all if left out.",
    )  # fmt: skip

    def to_internal_value(self, data: Any) -> Any:
        """Refuse fields that are not known."""
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            text = f"unknown field; allowed: {', '.join(self.fields)}"
            raise serializers.ValidationError({str(name)[:100]: text for name in unknown})
        return super().to_internal_value(data)


class OnlineValueSerializer(serializers.Serializer[Any]):
    """One feature of one entity."""

    value = serializers.JSONField(allow_null=True, help_text="null unless present; NaN and infinities are texts.")
    age_seconds = serializers.FloatField(allow_null=True, help_text="Since the entity's newest row.")
    status = serializers.ChoiceField(choices=["present", "missing", "expired"])


class OnlineRowSerializer(serializers.Serializer[Any]):
    """One entity."""

    key = serializers.CharField()
    status = serializers.ChoiceField(choices=["present", "missing", "expired"])
    event_at = serializers.DateTimeField(allow_null=True, help_text="Time of the entity's newest row.")
    age_seconds = serializers.FloatField(allow_null=True)
    values = serializers.DictField(help_text="Feature values by name; empty unless present.")
    features = serializers.DictField(child=OnlineValueSerializer())


class OnlineAnswerSerializer(serializers.Serializer[Any]):
    """One row per entity, in the order asked for, all of one snapshot."""

    view = serializers.CharField()
    version = serializers.IntegerField()
    as_of = serializers.DateTimeField(allow_null=True, help_text="The moment the values are of.")
    rows = OnlineRowSerializer(many=True)
