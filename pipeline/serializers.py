"""What a client may ask for: names and numbers, never a path or an address."""

import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from features.adapters.read_options import ReadOptions
from features.ground.errors import DomainError
from features.models import DatasetVersion
from pipeline.actions.train_request import TrainRequest, planned
from pipeline.core.training_errors import InvalidTrainingRequestError
from pipeline.core.training_plan import CALIBRATIONS, MAX_SEED, SPLITS
from pipeline.models import Run

NAME = r"^[\w-]{1,100}\Z"
SPEC = r"^[\w-]{1,100}(@[1-9]\d{0,8})?\Z"
COLUMN = r"^[^\x00-\x1f]{1,200}\Z"
FINDING = r"^[a-z_]{1,40}(:[^\x00-\x1f]{1,200})?\Z"
SETTING = re.compile(r"[\w.-]{1,100}\Z")
TEXT = re.compile(r"[^\x00-\x1f\ud800-\udfff]{0,200}\Z")
FILE = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}\.(csv|parquet)\Z")

ROLE_FIELDS = ("target", "entity", "timestamp", "known_at", "ignore")
READ_FIELDS = ("format", "delimiter", "quote", "encoding", "columns", "header", "na", "timezone")
PLAIN_FIELDS = ("max_rejected", "mode", "key")


class Strict(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know."""

    refuses_unknown = True

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            allowed = ", ".join(sorted(self.fields))
            text = f"unknown field; allowed: {allowed}"
            raise serializers.ValidationError({str(name)[:100]: text for name in unknown})
        return super().to_internal_value(data)


def names(pattern: str = NAME, most: int = 50) -> serializers.ListField:
    """Return a field for a short list of names."""
    return serializers.ListField(child=serializers.RegexField(pattern), max_length=most, default=list)


def choice(allowed: Sequence[str]) -> serializers.ChoiceField:
    """Return a field for one of some words, whose refusal names them."""
    text = f"must be one of {', '.join(allowed)}, got {{input}}"
    return serializers.ChoiceField(choices=allowed, required=False, error_messages={"invalid_choice": text})


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return bool(TEXT.match(value))
    return value is None or (isinstance(value, int | float) and math.isfinite(value))


class TrainParams(Strict):
    """Params of a training run."""

    model = serializers.RegexField(NAME)
    dataset = serializers.RegexField(SPEC, required=False)
    snapshot_id = serializers.IntegerField(min_value=1, required=False)
    target = serializers.RegexField(COLUMN, required=False)
    views = names()
    estimator = serializers.RegexField(NAME, required=False)
    params = serializers.DictField(child=serializers.JSONField(allow_null=True), required=False)
    class_weight = serializers.JSONField(required=False, help_text='"balanced", or a weight for each label.')
    calibrate = choice(CALIBRATIONS)
    threshold_goal = serializers.CharField(max_length=60, required=False)
    tune = serializers.IntegerField(required=False)
    split = choice(SPLITS)
    group = serializers.RegexField(COLUMN, required=False)
    cv = serializers.IntegerField(required=False)
    test_size = serializers.FloatField(min_value=0.01, max_value=0.9, required=False)
    seed = serializers.IntegerField(min_value=0, max_value=MAX_SEED, required=False)
    importance = serializers.BooleanField(required=False)
    check_reproducible = serializers.BooleanField(required=False)
    slices = names(COLUMN)
    accept = serializers.ListField(child=serializers.RegexField(FINDING), max_length=50, required=False)
    reason = serializers.CharField(max_length=500, required=False)

    def validate_params(self, value: dict[str, Any]) -> dict[str, Any]:
        if len(value) > 50 or not all(SETTING.match(key) and _plain(setting) for key, setting in value.items()):
            text = "must be at most 50 names, each with a number, a short text, true, false or null"
            raise serializers.ValidationError(text)
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("dataset" in attrs) == ("snapshot_id" in attrs):
            raise serializers.ValidationError({"dataset": "give exactly one of dataset and snapshot_id"})
        try:
            planned(TrainRequest(**attrs))
        except InvalidTrainingRequestError as error:
            field = error.fields.get("field", "params")
            raise serializers.ValidationError({field: error.message}) from error
        return attrs


class ScoreParams(Strict):
    """Params of a batch-scoring run; files are named below the inbox and the outbox of the installation."""

    model = serializers.RegexField(SPEC)
    input = serializers.CharField(max_length=150, trim_whitespace=False)
    output = serializers.CharField(max_length=150, required=False, trim_whitespace=False)
    chunk_rows = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)
    only_predictions = serializers.BooleanField(required=False)

    def validate_input(self, value: str) -> str:
        if FILE.match(value) or re.match(SPEC, value):
            return value
        text = "must be a dataset (NAME or NAME@N) or the bare name of a .csv or .parquet file in the inbox"
        raise serializers.ValidationError(text)

    def validate_output(self, value: str) -> str:
        if not FILE.match(value):
            raise serializers.ValidationError("must be the bare name of a .csv or .parquet file")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        source, output = attrs.pop("input"), attrs.pop("output", None)
        files = {"outbox": output} if output else {}
        return {**attrs, **files, "inbox" if FILE.match(source) else "dataset": source}


class MaterializeParams(Strict):
    """Params of a materialisation."""

    view = serializers.RegexField(NAME)
    as_of = serializers.DateTimeField(required=False)
    full = serializers.BooleanField(required=False)


class DriftParams(Strict):
    """Params of a drift report; the file to compare, if any, lies in the inbox."""

    model = serializers.RegexField(SPEC)
    window_hours = serializers.FloatField(min_value=0.01, max_value=24 * 366, required=False)
    method = serializers.ChoiceField(choices=("psi", "ks", "wasserstein", "jensenshannon"), required=False)
    current = serializers.RegexField(FILE, required=False, trim_whitespace=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        current = attrs.pop("current", None)
        return {**attrs, "inbox": current} if current else attrs


# Not how new rows meet the old ones, but rows of the quarantine that come back.
FIX = "fix"


class UploadOptions(Strict):
    """How an uploaded file is read and taken in: fields of its form, or of the address."""

    filename = serializers.CharField(max_length=300, required=False, help_text="Names the format where it ends in one.")
    format = serializers.ChoiceField(choices=("csv", "parquet", "jsonl"), required=False)
    mode = serializers.ChoiceField(choices=(*DatasetVersion.Mode.values, FIX), required=False)
    key = names(COLUMN)
    delimiter = serializers.CharField(max_length=9, required=False, trim_whitespace=False)
    quote = serializers.CharField(max_length=4, required=False, trim_whitespace=False)
    encoding = serializers.CharField(max_length=40, required=False)
    timezone = serializers.CharField(max_length=64, required=False)
    # As a text: a form says nothing of a box that isn't ticked.
    header = serializers.ChoiceField(choices=("true", "false"), required=False)
    columns = names(COLUMN, 500)
    na = names(r"^[^\x00]{1,40}\Z")
    max_rejected = serializers.FloatField(min_value=0, max_value=1, required=False)
    target = serializers.RegexField(COLUMN, required=False, trim_whitespace=False)
    timestamp = serializers.RegexField(COLUMN, required=False, trim_whitespace=False)
    known_at = serializers.RegexField(COLUMN, required=False, trim_whitespace=False)
    entity = names(COLUMN)
    ignore = names(COLUMN, 500)

    def to_internal_value(self, data: Any) -> Any:
        # A form sends every field it has: one left empty says nothing.
        return super().to_internal_value(_filled(data) if isinstance(data, QueryDict) else data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return what the run's params hold, grouped as the ingestion takes it."""
        roles = {name: attrs[name] for name in ROLE_FIELDS if attrs.get(name)}
        read = {name: attrs[name] for name in READ_FIELDS if attrs.get(name)}
        if "header" in read:
            read["header"] = read["header"] == "true"
        _check_reading(read)
        others = [name for name, said in attrs.items() if said != [] and name not in ("mode", "filename", "format")]
        if attrs.get("mode") == FIX and others:
            text = f"mode {FIX} takes a mended export as it is, without options; got {', '.join(others)}"
            raise serializers.ValidationError({"options": text})
        plain = {name: attrs[name] for name in PLAIN_FIELDS if attrs.get(name) not in (None, [])}
        groups = {"roles": roles, "read": read}
        return {**plain, **{name: group for name, group in groups.items() if group}}


def _check_reading(read: dict[str, Any]) -> None:
    options: dict[str, Any] = {name: tuple(said) if isinstance(said, list) else said for name, said in read.items()}
    try:
        ReadOptions(**options).checked()
    except DomainError as error:
        raise serializers.ValidationError({"options": error.message}) from error


def _filled(data: QueryDict) -> QueryDict:
    kept = QueryDict(mutable=True)
    for name, values in data.lists():
        if filled := [value for value in values if value != ""]:
            kept.setlist(name, filled)
    return kept


PARAMS: dict[str, type[Strict]] = {
    Run.Kind.TRAIN: TrainParams,
    Run.Kind.SCORE: ScoreParams,
    Run.Kind.MATERIALIZE: MaterializeParams,
    Run.Kind.DRIFT: DriftParams,
}


class RunRequest(Strict):
    """A request for a run."""

    kind = serializers.ChoiceField(choices=sorted(PARAMS))
    params = serializers.DictField(default=dict)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        params = PARAMS[attrs["kind"]](data=attrs["params"])
        if not params.is_valid():
            raise serializers.ValidationError({"params": params.errors})
        return {"kind": attrs["kind"], "params": {key: _as_json(value) for key, value in params.validated_data.items()}}


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
