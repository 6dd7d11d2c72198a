"""The forms of the registry's answers."""

from typing import Any

from rest_framework import serializers

from features.ground.fields import TextField
from models_store.core.card import WRITTEN
from models_store.core.lifecycle import TARGETS
from models_store.core.reasons import MAX_REASON
from models_store.models import ModelVersion, PromotionRequest, RegisteredModel
from models_store.presenting import experiments_detail, model_summary, request_summary, version_detail, version_summary


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


class ExperimentSerializer(serializers.Serializer[Any]):
    """One version beside others."""

    version = serializers.IntegerField()
    stage = serializers.CharField()
    estimator = serializers.CharField()
    params = serializers.DictField(help_text="Those in which the versions differ.")
    metrics = serializers.DictField(help_text="Of the test part.")
    intervals = serializers.DictField(help_text="The middle 95 % of each metric.")
    snapshot = serializers.IntegerField(allow_null=True)
    test_rows = serializers.CharField(help_text="Equal for versions that were tested on the same rows.")


class ExperimentsSerializer(serializers.Serializer[RegisteredModel]):
    """A model's versions side by side, the newest first."""

    model = serializers.CharField()
    primary_metric = serializers.CharField()
    experiments = ExperimentSerializer(many=True)

    def to_representation(self, instance: RegisteredModel) -> dict[str, Any]:
        return experiments_detail(instance)


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


class RequestSerializer(serializers.Serializer[PromotionRequest]):
    """A promotion request, who said what about it, and which gates were waived."""

    request = serializers.IntegerField()
    state = serializers.ChoiceField(choices=PromotionRequest.State.choices)
    version = serializers.CharField(help_text="MODEL@N")
    target_stage = serializers.CharField()
    percent = serializers.IntegerField(allow_null=True)
    requester = serializers.CharField()
    reason = serializers.CharField()
    evidence_digest = serializers.CharField(help_text="What the approvals are bound to.")
    expected_generation = serializers.IntegerField()
    not_before = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    refusal = serializers.DictField()
    approvals = serializers.ListField(child=serializers.DictField())
    waivers = serializers.ListField(child=serializers.DictField())

    def to_representation(self, instance: PromotionRequest) -> dict[str, Any]:
        return request_summary(instance)


class PromotionSerializer(serializers.Serializer[Any]):
    """What came of asking or approving."""

    request = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["applied", "waiting", "scheduled"])
    generation = serializers.IntegerField()
    gates = serializers.ListField(child=serializers.DictField())
    warning = serializers.CharField(help_text="What is left to repair; empty if nothing is.")


class Strict(serializers.Serializer[Any]):
    """A body with no other field than these."""

    refuses_unknown = True

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(map(str, set(data) - set(self.fields)))):
            text = f"unknown field; allowed: {', '.join(sorted(self.fields))}"
            raise serializers.ValidationError({name[:100]: text for name in unknown[:20]})
        return super().to_internal_value(data)


class WrittenSerializer(serializers.Serializer[Any]):
    """What people have written on a model's card."""

    model = serializers.CharField()
    written = serializers.DictField(child=serializers.CharField(), help_text="Purpose, intended use, limits, owner.")
    missing = serializers.ListField(child=serializers.CharField(), help_text="Parts that are still empty.")


class CardSerializer(WrittenSerializer):
    """A version's model card."""

    version = serializers.IntegerField()
    task = serializers.CharField()
    stage = serializers.CharField()
    trained_on = serializers.DictField(help_text="Dataset, snapshot, fingerprints; empty for a model made elsewhere.")
    rows = serializers.DictField(help_text="By part: train, test.")
    metrics = serializers.ListField(child=serializers.DictField(), help_text="Of the test part, beside the baselines'.")
    slices = serializers.DictField()
    gates = serializers.ListField(child=serializers.DictField())
    waivers = serializers.ListField(child=serializers.DictField())
    inputs = serializers.ListField(child=serializers.DictField())
    training = serializers.DictField()
    artefact = serializers.DictField()


class EditCardSerializer(Strict):
    """Write parts of a model's card."""

    purpose = TextField(required=False, allow_blank=True, max_length=WRITTEN["purpose"])
    intended_use = TextField(required=False, allow_blank=True, max_length=WRITTEN["intended_use"])
    limits = TextField(required=False, allow_blank=True, max_length=WRITTEN["limits"])
    owner = TextField(required=False, allow_blank=True, max_length=WRITTEN["owner"])
    reason = TextField(max_length=MAX_REASON)


class AskSerializer(Strict):
    """Ask for a stage."""

    target_stage = serializers.ChoiceField(choices=TARGETS)
    reason = TextField(max_length=MAX_REASON)
    percent = serializers.IntegerField(required=False, min_value=1, max_value=100, help_text="Of a canary.")
    expected_generation = serializers.IntegerField(required=False, min_value=0, help_text="As you saw the model.")
    not_before = serializers.DateTimeField(required=False)
    waive = serializers.DictField(child=TextField(max_length=MAX_REASON), required=False, help_text="Reasons by gate.")


class ApproveSerializer(Strict):
    """Approve a request."""

    reason = TextField(max_length=MAX_REASON, required=False, allow_blank=True)


class RejectSerializer(Strict):
    """Reject a request."""

    reason = TextField(max_length=MAX_REASON)


class RollBackSerializer(Strict):
    """Return to an earlier production version."""

    to = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    reason = TextField(max_length=MAX_REASON)
    expected_generation = serializers.IntegerField(required=False, min_value=0, help_text="As you saw the model.")


class RolledBackSerializer(serializers.Serializer[Any]):
    """From which version to which."""

    from_version = serializers.IntegerField(allow_null=True)
    to_version = serializers.IntegerField()
    seconds = serializers.FloatField()
    generation = serializers.IntegerField()
    warning = serializers.CharField(help_text="What is left to repair; empty if nothing is.")


class DrillSerializer(serializers.Serializer[Any]):
    """What a drill measured."""

    live = serializers.IntegerField(help_text="In production before and after.")
    tried = serializers.IntegerField(help_text="What was rolled back to meanwhile.")
    seconds_there = serializers.FloatField()
    seconds_back = serializers.FloatField()
    served_there_s = serializers.FloatField(help_text="Until the first answer of that version.")
    served_back_s = serializers.FloatField()
    answers = serializers.IntegerField()
    failed = serializers.IntegerField()
    wrong = serializers.IntegerField()
    held_back = serializers.IntegerField(help_text="Sent away by the rate limit.")
    fault = serializers.CharField()
    generation = serializers.IntegerField()
