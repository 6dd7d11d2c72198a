"""Evidently, the library that measures drift and draws the page."""

import math
import os
import warnings
from typing import Any

from pipeline.core.drift import ColumnDrift, Comparison, DriftMethod, Verdict
from pipeline.errors import DriftReportError

# Between these the page holds data; what follows is the library's own script. A line break can't stand inside JSON.
_DATA_BEGINS = "<script>\n    var metric_"
_DATA_ENDS = "\n</script>\n    </head>"


def measure_drift(pair: Comparison, method: DriftMethod) -> Verdict:
    """Compare two frames and return the verdict with its page.

    Raises
    ------
    DriftReportError
        If the library can't measure the values, or its page is not of the known form.
    """
    os.environ["DO_NOT_TRACK"] = "1"
    with warnings.catch_warnings():
        # Divisions by empty bins and the library's own deprecated calls; the scores are checked below.
        warnings.simplefilter("ignore")
        snapshot = _run(pair, method)
        body = snapshot.dict()
        html, text = snapshot.get_html_str(as_iframe=False), snapshot.json()
    scores = {m["config"]["column"]: float(m["value"]) for m in body["metrics"] if "column" in m["config"]}
    failed = {t["metric_config"]["params"].get("column"): _is_fail(t["status"]) for t in body["tests"]}
    whole = failed.pop(None)
    columns = {
        pair.names[label]: ColumnDrift(score=score, drifted=failed[label])
        for label, score in sorted(scores.items())
        if math.isfinite(score)  # a test of independence has no answer for a column of one value
    }
    return Verdict(dataset_drift=whole, columns=columns, html=_escaped(html), json=text)


def _run(pair: Comparison, method: DriftMethod) -> Any:
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 (265 MB and 4 s: only where a report is made)
    from evidently.presets import DataDriftPreset  # noqa: PLC0415 (the same)

    definition = DataDefinition(numerical_columns=pair.numerical, categorical_columns=pair.categorical)
    preset = DataDriftPreset(
        columns=pair.numerical + pair.categorical,
        num_method=method.name,
        num_threshold=method.threshold,
        cat_method=method.categorical,
        cat_threshold=method.categorical_threshold,
        drift_share=method.drift_share,
    )
    current = Dataset.from_pandas(pair.current, data_definition=definition)
    reference = Dataset.from_pandas(pair.reference, data_definition=definition)
    try:
        # Without its tests the library gives numbers and no verdict.
        return Report([preset], include_tests=True).run(current_data=current, reference_data=reference)
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise DriftReportError(f"the values can't be measured with {method.name}: {error}") from error


def _is_fail(status: Any) -> bool:
    return str(getattr(status, "value", status)) == "FAIL"


def _escaped(html: str) -> str:
    """Return the page with every `<` of its data escaped, so that no name or value can end the script it stands in."""
    begin = html.find(_DATA_BEGINS)
    end = html.find(_DATA_ENDS, begin)
    if begin < 0 or end < 0:
        raise DriftReportError("the report's page is not of the form its escaping was written for")
    begin += len("<script>")
    return html[:begin] + html[begin:end].replace("<", "\\u003c") + html[end:]
