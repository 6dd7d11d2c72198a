"""What a training set must not hold: findings, and what it takes to accept one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from features.errors import AcceptanceError, LeakageFoundError
from features.ground.errors import bounded

Severity = Literal["stop", "note"]
MAX_REASON = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was found.

    Parameters
    ----------
    name : str
        Stable: the kind, and after a colon what it was found in, such as target_copy:price.
    severity : str
        stop, unless accepted; or note, for people to know.
    text : str
        What was found, in words.
    evidence : dict of str to number or text
        What was measured.
    """

    name: str
    severity: Severity
    text: str
    evidence: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """Findings somebody takes responsibility for.

    Parameters
    ----------
    names : tuple of str
        Names of findings.
    reason : str
        Why they do no harm.
    actor : str
        Who says so.
    """

    names: tuple[str, ...] = field(default=())
    reason: str = ""
    actor: str = ""

    def checked(self) -> "Acceptance":
        """Return it, if names and reason go together.

        Returns
        -------
        Acceptance

        Raises
        ------
        AcceptanceError
            If one is there without the other, or the reason is too long.
        """
        reason = self.reason.strip()
        if bool(self.names) != bool(reason) or len(reason) > MAX_REASON or not reason.isprintable():
            raise AcceptanceError(
                f"accepting a finding takes its name and a reason of 1 to {MAX_REASON} printable characters; "
                f"got {bounded(list(self.names), 200)} and {bounded(repr(reason), 80)}"
            )
        return self


def judged(findings: Sequence[Finding], acceptance: Acceptance) -> list[dict[str, Any]]:
    """Return the findings as they are kept, each stopping one with who accepted it and why.

    Parameters
    ----------
    findings : sequence of Finding
        What was found.
    acceptance : Acceptance
        What is accepted; names that were not found do no harm.

    Returns
    -------
    list of dict
        name, severity, text, evidence, accepted; with the reason and by whom, where accepted.

    Raises
    ------
    LeakageFoundError
        If a finding that stops is not accepted.
    """
    open_ones = [one for one in findings if one.severity == "stop" and one.name not in acceptance.names]
    if open_ones:
        options = " ".join(f"--accept {one.name}" for one in open_ones)
        found = "; ".join(f"{one.name}: {one.text}" for one in open_ones)
        hint = f"Take it out (role ignore), or accept it by name: {bounded(options, 120)} --reason …"
        raise LeakageFoundError(
            f"{bounded(found, 380)}. {hint}",
            findings=[asdict(one) for one in open_ones],
        )
    return [_kept(one, acceptance) for one in findings]


def _kept(finding: Finding, acceptance: Acceptance) -> dict[str, Any]:
    accepted = finding.severity == "stop"
    by = {"reason": acceptance.reason.strip(), "by": acceptance.actor} if accepted else {}
    return {**asdict(finding), "accepted": accepted, **by}


def as_findings(kept: Sequence[dict[str, Any]]) -> list[Finding]:
    """Return kept findings as they were found, accepted by nobody.

    Parameters
    ----------
    kept : sequence of dict
        What `judged` returned.

    Returns
    -------
    list of Finding
    """
    return [Finding(**{key: one[key] for key in ("name", "severity", "text", "evidence")}) for one in kept]
