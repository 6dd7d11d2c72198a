"""The forms of the registry's answers."""

from typing import Any

from rest_framework import serializers

from models_store.models import ModelVersion, RegisteredModel
from models_store.presenting import model_summary, version_detail, version_summary


class ModelSerializer(serializers.Serializer[RegisteredModel]):
    """A registered model, and which of its versions serve."""

    name = serializers.CharField()
    task = serializers.ChoiceField(choices=RegisteredModel.Task.choices)
    primary_metric = serializers.CharField()
    owner = serializers.CharField()
    generation = serializers.IntegerField(help_text="Goes up by one whenever a stage changes.")
    production = serializers.IntegerField(allow_null=True)
    canary = serializers.IntegerField(allow_null=True)
    shadow = serializers.IntegerField(allow_null=True)
    canary_percent = serializers.IntegerField()
    created_at = serializers.DateTimeField()

    def to_representation(self, instance: RegisteredModel) -> dict[str, Any]:
        return model_summary(instance)


class VersionSerializer(serializers.Serializer[ModelVersion]):
    """One version in a list."""

    version = serializers.IntegerField()
    stage = serializers.CharField()
    digest = serializers.CharField(help_text="sha256 of the signed manifest.")
    metrics = serializers.DictField(help_text="Of the test part.")
    estimator = serializers.CharField()
    engine = serializers.ChoiceField(choices=["onnx", "sklearn"])
    created_at = serializers.DateTimeField()

    def to_representation(self, instance: ModelVersion) -> dict[str, Any]:
        return version_summary(instance)


class ModelDetailSerializer(ModelSerializer):
    """A registered model with its policy and its newest versions."""

    policy = serializers.DictField()
    versions = VersionSerializer(many=True, help_text="The newest 50; /versions pages through all.")

    def to_representation(self, instance: RegisteredModel) -> dict[str, Any]:
        newest = instance.versions.order_by("-number")[:50]
        versions = [version_summary(version) for version in newest]
        return {**model_summary(instance), "policy": instance.policy, "versions": versions}


class VersionDetailSerializer(VersionSerializer):
    """Everything of one version."""

    name = serializers.CharField()
    engine_reason = serializers.CharField()
    gates = serializers.ListField(child=serializers.DictField())
    waivers = serializers.ListField(child=serializers.DictField(), help_text="Gates somebody waived, for good.")
    lineage = serializers.DictField()
    schema = serializers.DictField()
    signature = serializers.DictField()

    def to_representation(self, instance: ModelVersion) -> dict[str, Any]:
        return version_detail(instance)
