"""Shapes of requests and answers: read by the views that need it, shown by the API's document."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from rest_framework import serializers
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
)
from rest_framework_simplejwt.tokens import AccessToken, Token

from predictions.actions.record_outcomes import OutcomeItem
from predictions.models import Prediction
from predictions.tokens import roles_of

MAX_OUTCOMES = 1000
# What claims that are not what they should be make the library raise, in a token that is signed all the same.
ODD_CLAIMS = (ObjectDoesNotExist, KeyError, ValueError, TypeError, OverflowError)


class TokenPairSerializer(TokenObtainPairSerializer):
    """Username and password for a pair of tokens that carry the user's roles."""

    @classmethod
    def get_token(cls, user: Any) -> Token:
        """Return the refresh token; the access token made from it has its claims."""
        token = super().get_token(user)
        token["roles"] = list(roles_of(user))
        return token


class FreshTokenSerializer(TokenRefreshSerializer):
    """A refresh token for a new pair, with the roles the user has now."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        """Return the new pair."""
        try:
            pair = super().validate(attrs)
            access = AccessToken(pair["access"])  # type: ignore[arg-type]  # the library takes text here
            access["roles"] = list(roles_of(get_user_model().objects.get(pk=access["user_id"])))
        except ODD_CLAIMS as error:
            raise InvalidToken from error
        return {**pair, "access": str(access)}


class RevokedTokenSerializer(TokenBlacklistSerializer):
    """A refresh token that is to be worthless."""

    def validate(self, attrs: dict[str, Any]) -> dict[Any, Any]:
        """Put it on the list of those that are."""
        try:
            return super().validate(attrs)
        except ODD_CLAIMS as error:
            raise InvalidToken from error


class TokenAnswerSerializer(serializers.Serializer[Any]):
    """A pair of tokens."""

    access = serializers.CharField(help_text="Send it as `Authorization: Bearer …`.")
    refresh = serializers.CharField(help_text="Good for one new pair.")


class PredictSerializer(serializers.Serializer[Any]):
    """What to predict; exactly one of the three."""

    data = serializers.ListField(  # type: ignore[assignment]  # the contract names the key so
        child=serializers.ListField(), required=False, help_text="Rows in the model's column order; null is missing."
    )
    records = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="Rows as objects by column name."
    )
    entities = serializers.ListField(
        child=serializers.JSONField(),
        required=False,
        help_text="Whose newest features are looked up: a key, or an object with the entity columns.",
    )


class AnsweringModelSerializer(serializers.Serializer[Any]):
    """Who answered."""

    name = serializers.CharField()
    version = serializers.IntegerField()
    role = serializers.ChoiceField(choices=["production", "canary", "pinned"])


class ExplanationSerializer(serializers.Serializer[Any]):
    """What moved one answer."""

    method = serializers.ChoiceField(choices=["linear", "shapley", "shapley_sampling"])
    base = serializers.FloatField(
        help_text="The margin of the baseline: log-odds of the class that was chosen, or the value."
    )
    output = serializers.FloatField(help_text="The margin of the row.")
    contributions = serializers.DictField(
        child=serializers.FloatField(), help_text="By column; they add up to output − base."
    )


class PredictAnswerSerializer(serializers.Serializer[Any]):
    """One prediction per row."""

    predictions = serializers.ListField(child=serializers.JSONField(), help_text="Labels or values as in training.")
    probabilities = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()),
        required=False,
        help_text="One share per class and row; absent for a regression.",
    )
    explanations = serializers.ListField(
        child=ExplanationSerializer(), required=False, help_text="One per row, if asked for."
    )
    threshold = serializers.FloatField(
        required=False, help_text="Beside explanations: the share from which on the second class is predicted."
    )
    model = AnsweringModelSerializer()
    prediction_id = serializers.UUIDField(help_text="Its id in the prediction log; outcomes are sent with it.")
    timestamp = serializers.DateTimeField()


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error's shape."""

    error = serializers.CharField()
    code = serializers.CharField()
    fields = serializers.DictField(required=False)  # type: ignore[assignment]  # the contract names the key so
    request_id = serializers.CharField()


class V2ErrorSerializer(serializers.Serializer[Any]):
    """An error of the Open Inference Protocol."""

    error = serializers.CharField()


class MlflowErrorSerializer(serializers.Serializer[Any]):
    """An error of MLflow's scoring server."""

    error_code = serializers.CharField()
    message = serializers.CharField()


class TensorSerializer(serializers.Serializer[Any]):
    """A tensor of the Open Inference Protocol."""

    name = serializers.CharField()
    datatype = serializers.CharField(help_text="BOOL, INT64, FP64, BYTES and the like.")
    shape = serializers.ListField(child=serializers.IntegerField(min_value=0), min_length=1, max_length=8)
    parameters = serializers.DictField(required=False)
    data = serializers.ListField(required=False, help_text="Absent where the bytes follow the JSON.")  # type: ignore[assignment]  # the protocol names the key so


class WishSerializer(serializers.Serializer[Any]):
    """An output that is wanted."""

    name = serializers.ChoiceField(choices=["predictions", "probabilities"])
    parameters = serializers.DictField(required=False)


class InferSerializer(serializers.Serializer[Any]):
    """One tensor per column, or one of all columns."""

    id = serializers.CharField(required=False)
    parameters = serializers.DictField(required=False)
    inputs = serializers.ListField(child=TensorSerializer(), min_length=1)
    outputs = serializers.ListField(child=WishSerializer(), required=False)


class InferAnswerSerializer(serializers.Serializer[Any]):
    """Predictions as tensors."""

    model_name = serializers.CharField()
    model_version = serializers.CharField()
    id = serializers.CharField(required=False)
    parameters = serializers.DictField()
    outputs = serializers.ListField(child=TensorSerializer())


class IndexedModelSerializer(serializers.Serializer[Any]):
    """A model of the repository."""

    name = serializers.CharField()
    version = serializers.CharField(required=False)
    state = serializers.ChoiceField(choices=["READY", "UNAVAILABLE"])
    reason = serializers.CharField(allow_blank=True)


class InvocationsAnswerSerializer(serializers.Serializer[Any]):
    """One prediction per row."""

    predictions = serializers.ListField()


class OutcomeItemSerializer(serializers.Serializer[Any]):
    """What really happened for one row of a prediction."""

    prediction_id = serializers.UUIDField()
    actual = serializers.JSONField(help_text="A class of the model, or a number.")
    row = serializers.IntegerField(default=0, min_value=0, max_value=1_000_000, help_text="Which row, from 0.")
    observed_at = serializers.DateTimeField(required=False, help_text="When it happened; now if left out.")


class FeedbackSerializer(serializers.Serializer[Any]):
    """One outcome, or many under `outcomes`."""

    outcomes = serializers.ListField(child=OutcomeItemSerializer(), max_length=MAX_OUTCOMES, min_length=1)

    def to_internal_value(self, data: Any) -> Any:
        """Accept one outcome without the list around it."""
        if isinstance(data, dict) and "outcomes" not in data:
            return {"outcomes": [OutcomeItemSerializer().run_validation(data)]}
        return super().to_internal_value(data)

    def items(self) -> list[OutcomeItem]:
        """Return what the action takes."""
        return [OutcomeItem(**item) for item in self.validated_data["outcomes"]]


class FeedbackAnswerSerializer(serializers.Serializer[Any]):
    """How many outcomes were added."""

    recorded = serializers.IntegerField()


class OutcomeSerializer(serializers.Serializer[Any]):
    """A recorded outcome."""

    row = serializers.IntegerField()
    actual = serializers.JSONField()
    observed_at = serializers.DateTimeField()
    known_at = serializers.DateTimeField()
    actor = serializers.CharField()


class PredictionSerializer(serializers.ModelSerializer[Prediction]):
    """A logged prediction, with what came true."""

    model = serializers.CharField(source="model_version.model.name")
    version = serializers.IntegerField(source="model_version.number")
    outcomes = OutcomeSerializer(many=True)

    class Meta:
        model = Prediction
        fields = (
            "id",
            "request_id",
            "model",
            "version",
            "generation",
            "role",
            "principal",
            "entity_keys",
            "columns",
            "inputs",
            "snapshots",
            "route",
            "outputs",
            "latency_ms",
            "at",
            "source",
            "outcomes",
        )
