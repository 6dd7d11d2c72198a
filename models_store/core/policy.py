"""A model's promotion policy: which gates stand before which stage, and how many people must agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.ground.errors import bounded
from models_store.core.gates import GATES
from models_store.core.gates.signature_compatible import DIFFERENCES
from models_store.errors import PolicyError

ROLLBACK = "rollback"
STAGES = ("production", "canary", "shadow", ROLLBACK)
MAX_APPROVALS = 10
_SOUND = ["artefact_verified", "signature_compatible", "smoke_prediction_finite"]
_NUMBERS = {
    "primary_metric": "bound",
    "better_than_baseline": "margin",
    "better_than_linear": "margin",
    "not_worse_than_champion": "tolerance",
    "calibration_error": "max",
}


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
    """

    approvals: int = 0
    stages: Mapping[str, list[str]] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

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
            `approvals`, `stages` and `settings`.
        """
        return {
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
        `approvals`, `stages` and `settings`, each optional.
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
    _only(data, ("approvals", "stages", "settings"), "a policy's keys are")
    approvals = data.get("approvals", 0)
    if isinstance(approvals, bool) or not isinstance(approvals, int) or not 0 <= approvals <= MAX_APPROVALS:
        raise PolicyError(f"approvals must be a whole number from 0 to {MAX_APPROVALS}, got {bounded(approvals)}")
    stages, settings = data.get("stages", {}), data.get("settings", {})
    _only(stages, STAGES, "stages with gates are")
    for names in stages.values():
        if not isinstance(names, list | tuple):
            raise PolicyError(f"a stage has a list of gates, got {bounded(names)}")
        _only(dict.fromkeys(map(str, names)), tuple(GATES), "gates are")
    _only(settings, (*_NUMBERS, "signature_compatible"), "gates with settings are")
    for gate, values in settings.items():
        _check_settings(gate, values)
    return Policy(
        approvals=approvals,
        stages={**default_policy(task).stages, **{stage: list(map(str, names)) for stage, names in stages.items()}},
        settings={gate: dict(values) for gate, values in settings.items()},
    )


def _only(data: Any, allowed: tuple[str, ...], said: str) -> None:
    if not isinstance(data, Mapping):
        raise PolicyError(f"{said} {', '.join(allowed)}, in a mapping; got {bounded(data)}")
    if unknown := [str(key) for key in data if key not in allowed]:
        raise PolicyError(f"{said} {', '.join(allowed)}; got {bounded(', '.join(unknown))}")


def _check_settings(gate: str, values: Any) -> None:
    if gate == "signature_compatible":
        _only(values, ("allow",), f"settings of {gate} are")
        allow = values.get("allow", ())
        if not isinstance(allow, list | tuple) or set(map(str, allow)) - set(DIFFERENCES):
            raise PolicyError(f"{gate}.allow is a list of {', '.join(DIFFERENCES)}; got {bounded(allow)}")
        return
    _only(values, (_NUMBERS[gate],), f"settings of {gate} are")
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1e308 < value < 1e308:
            raise PolicyError(f"{gate}.{key} must be a number, got {bounded(value)}")
