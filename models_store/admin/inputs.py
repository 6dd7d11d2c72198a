"""What a version takes in, and a request that it answers."""

import json
from collections.abc import Sequence
from typing import Any

from features.ground.console import mono, number
from features.ground.panels import Code, Table
from models_store.core.sample import sample_rows
from models_store.models import ModelVersion


def inputs_table(version: ModelVersion) -> Table:
    """Return the input columns in order."""
    means = version.metrics.get("features") or {}
    rows = [input_row(column, means.get(column["name"])) for column in version.input_schema]
    headers = ("Column", "Type", "Missing", "Allowed", "Mean")
    return Table(title="Inputs, in order", headers=headers, rows=rows, wide=True, foldable=True)


def input_row(column: dict[str, Any], mean: Any) -> Sequence[Any]:
    """Return one input's row."""
    missing = "may be missing" if column.get("nullable") else "required"
    return (mono(column["name"]), column.get("dtype"), missing, limits(column), number(mean))


def limits(column: dict[str, Any]) -> str:
    """Return the range or the values that the data contract allows."""
    if values := column.get("allowed"):
        return ", ".join(map(str, values[:8])) + (f", … ({len(values)} values)" if len(values) > 8 else "")
    if column.get("min") is None and column.get("max") is None:
        return "–"
    return f"{number(column.get('min'))} to {number(column.get('max'))}"


def sample_record(version: ModelVersion, sample: Sequence[Any] | None) -> dict[str, Any]:
    """Return a record this version accepts: the artefact's own sample row, else one made from the schema."""
    names = [column["name"] for column in version.input_schema]
    row = sample if sample and len(sample) == len(names) else sample_rows(version.input_schema)[0]
    return {
        name: round(value, 4) if isinstance(value, float) else value for name, value in zip(names, row, strict=True)
    }


def sample_request(version: ModelVersion, site: str, sample: Sequence[Any] | None) -> Code:
    """Return a curl line that asks for a prediction."""
    body = json.dumps({"records": [sample_record(version, sample)]}, ensure_ascii=False)
    quoted = body.replace("'", "'\\''")
    text = (
        "TOKEN=$(.venv/bin/python manage.py issue_token USER)\n"
        f"curl -s {site}/api/v1/models/{version.model.name}/predict \\\n"
        '  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n'
        f"  -d '{quoted}'"
    )
    note = "Answered by the version in production, or by a canary for its share of requests."
    return Code(title="Try it", note=note, text=text, wide=True)
