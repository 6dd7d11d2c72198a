"""Take refused rows in after they have been mended."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from django.db import IntegrityError

from features.actions.add_version import IngestResult, add_version
from features.actions.beside_rows import BesideRows, beside_rows
from features.actions.changes import APPENDED
from features.actions.check_rows import checked_rows
from features.actions.contract import agreed_contract
from features.adapters.mended_files import MendedRows
from features.adapters.quarantine import unfit_references
from features.adapters.staging import Staging
from features.core.schema import ColumnRoles
from features.errors import DatasetChangedError, NothingFixedError
from features.ground.audit import refusals_audited
from features.ground.errors import bounded
from features.ground.progress import Report, silent
from features.models import Dataset, DatasetVersion


@dataclass(frozen=True, kw_only=True, slots=True)
class FixResult:
    """What a mended file brought.

    Parameters
    ----------
    dataset : str
        The dataset's name.
    version : int
        The version that holds the mended rows.
    rows_read, rows_fixed, rows_refused : int
        Rows of the file; those taken in; those that were not, and stay in quarantine.
    reasons : dict of str to int
        Refused rows by rule: a rule of the contract, or already_fixed, not_in_quarantine, row_comes_twice.
    created : bool
        False where the same file was taken before, or nothing was to be written.
    """

    dataset: str
    version: int
    rows_read: int
    rows_fixed: int
    rows_refused: int
    reasons: dict[str, int]
    created: bool


@refusals_audited("fix_quarantined", object_type="dataset", of="dataset")
def fix_quarantined(
    dataset: str, file: Path | str, *, actor: str, dry_run: bool = False, report: Report = silent
) -> FixResult:
    """Check mended rows and append those that are valid now as a new version.

    Each row takes the place of the refused row it names, once: that is written in the transaction of the version. Rows
    still faulty stay in quarantine. Rules of the dataset as a whole are about what sources deliver, not about these.

    Parameters
    ----------
    dataset, actor : str
        Its name; and who asks.
    file : path
        What `quarantine --export` wrote, mended: CSV or JSON Lines.
    dry_run : bool
        Check all and write nothing.
    report : Report
        Told how far it is.

    Returns
    -------
    FixResult

    Raises
    ------
    FeaturesError
        If there is no such dataset, no row of the file can be taken, or somebody else was faster.
    """
    known = Dataset.objects.named(dataset)
    contract = agreed_contract(dataset, known, None, ColumnRoles(), None)
    rows = MendedRows(Path(file), dataset, [column.name for column in contract.columns])
    report(5, "finding the refused rows")
    references = rows.references
    if seen := APPENDED.applied(known, rows.fingerprint)[1]:
        return _result(dataset, seen.number, len(references), seen.rows_valid, Counter(), created=False)
    reasons = _leave_out(rows, known)
    last = known.versions.order_by("-number").first()
    with checked_rows(rows, contract, last) as staged:
        still, reasons = staged.forget_refused(), reasons + staged.reasons
        if not staged.rows_valid:
            raise _nothing(rows, reasons)
        if dry_run:
            return _result(
                dataset, last.number + 1 if last else 1, len(references), staged.rows_valid, reasons, created=False
            )
        fixes = _fixes(known, references, {*rows.left_out, *(row - 1 for row in still)})
        made = _taken(rows, staged, beside_rows(contract, staged, last, fixes=fixes), dataset, actor)
        return _result(dataset, made.version, len(references), made.rows_valid, reasons, created=made.created)


def _leave_out(rows: MendedRows, dataset: Dataset) -> Counter[str]:
    unfit = unfit_references(dataset, rows.references)
    rows.left_out = set(unfit)
    reasons = Counter(unfit.values())
    if len(unfit) == len(rows.references):
        raise _nothing(rows, reasons)
    return reasons


def _taken(rows: MendedRows, staged: Staging, beside: BesideRows, dataset: str, actor: str) -> IngestResult:
    try:
        return add_version(dataset, rows, staged, beside, APPENDED, actor=actor)
    except IntegrityError as error:
        raise DatasetChangedError(f"somebody else fixed rows of {rows.label} meanwhile; ask again") from error


def _fixes(dataset: Dataset, references: list[tuple[int, int] | None], without: set[int]) -> list[tuple[int, int]]:
    keys = dict(DatasetVersion.objects.filter(dataset=dataset).values_list("number", "pk"))
    return [(keys[one[0]], one[1]) for place, one in enumerate(references) if one and place not in without]


def _nothing(rows: MendedRows, reasons: Counter[str]) -> NothingFixedError:
    told = ", ".join(f"{rule} ({count})" for rule, count in reasons.most_common(5))
    return NothingFixedError(
        f"none of the {len(rows.references)} {rows.label} can be taken; nothing was written: {bounded(told, 300)}",
        reasons=dict(reasons),
    )


def _result(dataset: str, version: int, read: int, fixed: int, reasons: Counter[str], *, created: bool) -> FixResult:
    return FixResult(
        dataset=dataset,
        version=version,
        rows_read=read,
        rows_fixed=fixed,
        rows_refused=read - fixed,
        reasons=dict(reasons),
        created=created,
    )
