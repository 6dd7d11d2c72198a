"""A model's promotion policy: which gates stand before which stage, and how many people must agree."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.ground.errors import bounded
from models_store.core.calendar import Calendar
from models_store.core.calendar_form import calendar_as_dict, parse_calendar
from models_store.core.gates import GATES, SETTINGS
from models_store.errors import PolicyError

ROLLBACK = "rollback"
STAGES = ("production", "canary", "shadow", ROLLBACK)
MAX_APPROVALS = 10
DEFAULT_EXPIRES_HOURS = 168
MAX_EXPIRES_HOURS = 8760
KEYS = (
    "approvals",
    "stages",
    "settings",
    "request_expires_hours",
    "separate_roles",
    "callers",
    "windows",
    "freezes",
    "timezone",
)
CALLER = re.compile(r"(user|service|key|role):[^\s,]{1,150}")
_SOUND = ["artefact_verified", "signature_compatible", "smoke_prediction_finite"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A checked policy.

    Attributes
    ----------
    approvals : int
        People who must agree before a promotion to production is applied.
    stages : mapping of str to list of str
        Gates by target stage, `rollback` among them.
    settings : mapping of str to mapping
        Each gate's own settings.
    request_expires_hours : int
        How long a request may wait, from the time it may first be applied.
    separate_roles : bool
        Whether only a promoter may ask and only an approver approve, an administrator neither.
    callers : tuple of str
        Who may ask for predictions, as `user:NAME`, `service:NAME`, `key:NAME` or `role:ROLE`; anybody if empty.
    calendar : Calendar
        When what serves may change.
    """

    approvals: int = 0
    stages: Mapping[str, list[str]] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    request_expires_hours: int = DEFAULT_EXPIRES_HOURS
    separate_roles: bool = False
    callers: tuple[str, ...] = ()
    calendar: Calendar = field(default_factory=Calendar)

    def gates(self, stage: str) -> list[str]:
        """Return the gates that stand before a stage, in order; the artefact is looked at before all of them.

        Parameters
        ----------
        stage : str
            Target stage, or `rollback`.

        Returns
        -------
        list of str
            Keys of `GATES`; empty for a stage that serves nothing.
        """
        if stage not in STAGES:
            return []
        return ["artefact_verified", *(name for name in self.stages.get(stage, ()) if name != "artefact_verified")]

    def as_dict(self) -> dict[str, Any]:
        """Return the policy in the form a model's row holds.

        Returns
        -------
        dict
            `approvals`, `stages`, `settings` and what else differs from the default.
        """
        more = {
            "request_expires_hours": (self.request_expires_hours, DEFAULT_EXPIRES_HOURS),
            "separate_roles": (self.separate_roles, False),
            "callers": (list(self.callers), []),
        }
        return {
            **{key: value for key, (value, default) in more.items() if value != default},
            **calendar_as_dict(self.calendar),
            "approvals": self.approvals,
            "stages": {stage: list(names) for stage, names in self.stages.items()},
            "settings": {gate: dict(values) for gate, values in self.settings.items()},
        }


def default_policy(task: str) -> Policy:
    """Return the policy of a model that was trained here.

    Parameters
    ----------
    task : str
        classification or regression.

    Returns
    -------
    Policy
        Every gate that applies before production; the artefact, its signature and an answer before the rest.
    """
    quality = ["primary_metric", "better_than_baseline", "not_worse_than_champion"]
    calibration = ["calibration_error"] if task == "classification" else []
    return Policy(stages=_stages(["artefact_verified", *quality, *calibration, *_SOUND[1:]]))


def imported_policy() -> Policy:
    """Return the policy of a model that was made elsewhere and so brings no metrics.

    Returns
    -------
    Policy
        The artefact, its signature and an answer, before every stage.
    """
    return Policy(stages=_stages(_SOUND))


def _stages(production: list[str]) -> dict[str, list[str]]:
    return {"production": production, "canary": list(_SOUND), "shadow": list(_SOUND), ROLLBACK: list(_SOUND)}


def parse_policy(data: Mapping[str, Any], task: str) -> Policy:
    """Read a policy from the form a row, a YAML file or a form holds.

    Parameters
    ----------
    data : mapping
        `approvals`, `stages`, `settings`, `request_expires_hours`, `separate_roles`, `callers`, `windows`, `freezes`
        and `timezone`, each optional.
    task : str
        Of the model; a stage that is left out has the gates of the task's default policy.

    Returns
    -------
    Policy
        The checked policy.

    Raises
    ------
    PolicyError
        If a key, stage, gate or setting is unknown, or a value has another type.
    """
    _only(data, KEYS, "a policy's keys are")
    approvals = _whole(data, "approvals", 0, 0, MAX_APPROVALS)
    separate = data.get("separate_roles", False)
    if not isinstance(separate, bool):
        raise PolicyError(f"separate_roles must be true or false, got {bounded(separate)}")
    stages, settings = data.get("stages", {}), data.get("settings", {})
    _only(stages, STAGES, "stages with gates are")
    for names in stages.values():
        if not isinstance(names, list | tuple):
            raise PolicyError(f"a stage has a list of gates, got {bounded(names)}")
        _only(dict.fromkeys(map(str, names)), tuple(GATES), "gates are")
    _only(settings, tuple(SETTINGS), "gates with settings are")
    for gate, values in settings.items():
        _check_settings(gate, values)
    return Policy(
        approvals=approvals,
        stages={**default_policy(task).stages, **{stage: list(map(str, names)) for stage, names in stages.items()}},
        settings={gate: dict(values) for gate, values in settings.items()},
        request_expires_hours=_whole(data, "request_expires_hours", DEFAULT_EXPIRES_HOURS, 1, MAX_EXPIRES_HOURS),
        separate_roles=separate,
        callers=_callers(data.get("callers", ())),
        calendar=parse_calendar(data.get("windows", ()), data.get("freezes", ()), data.get("timezone", "UTC")),
    )


def _callers(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) and CALLER.fullmatch(one) for one in found):
        raise PolicyError(f"callers is a list of user:NAME, service:NAME, key:NAME, role:ROLE; got {bounded(found)}")
    return tuple(dict.fromkeys(found))


def _whole(data: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise PolicyError(f"{key} must be a whole number from {low} to {high}, got {bounded(value)}")
    return value


def _only(data: Any, allowed: tuple[str, ...], said: str) -> None:
    if not isinstance(data, Mapping):
        raise PolicyError(f"{said} {', '.join(allowed)}, in a mapping; got {bounded(data)}")
    if unknown := [str(key) for key in data if key not in allowed]:
        raise PolicyError(f"{said} {', '.join(allowed)}; got {bounded(', '.join(unknown))}")


def _check_settings(gate: str, values: Any) -> None:
    _only(values, tuple(SETTINGS[gate]), f"settings of {gate} are")
    for key, value in values.items():
        if fault := SETTINGS[gate][key].fault(value):
            raise PolicyError(f"{gate}.{key} {fault}")
