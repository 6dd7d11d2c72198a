"""Score a whole table, in chunks, with little memory, going on where an earlier attempt was stopped."""

import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pyarrow as pa
from django.db import transaction

from features.adapters.reading import CSV_MISSING
from features.ground.progress import Report, silent
from models_store.models import ModelVersion
from pipeline.adapters.batch_output import BatchOutput, Part, encode, output_format
from pipeline.adapters.scored import score_many
from pipeline.adapters.tables import Chunk, TableSource
from pipeline.core.batch import BatchPlan, ScoreResult, cells, output_table, rejected_line
from pipeline.errors import InvalidOutputError, UnreadableTableError
from pipeline.models import BatchScore
from predictions import engine
from predictions.adapters.loading import LoadedVersion
from predictions.core.frames import check_frame

DEFAULT_CHUNK_ROWS = 50_000
MAX_CHUNK_ROWS = 5_000_000


def score(
    spec: str,
    source: Path,
    output: Path,
    *,
    chunk_rows: int = DEFAULT_CHUNK_ROWS,
    only_predictions: bool = False,
    actor: str,
    run_id: UUID | None = None,
    report: Report = silent,
) -> ScoreResult:
    """Score a CSV or Parquet file or folder into another.

    Parameters
    ----------
    spec, actor : str
        `MODEL`, its production version, or `MODEL@N`; and who asks.
    source, output : Path
        Files, or folders of files, of one format. The output appears whole, at the end.
    chunk_rows : int
        Rows scored at a time. The same input, version and chunks give the same bytes, stopped in between or not.
    only_predictions : bool
        Whether to leave the input's columns out.
    run_id : UUID, optional
        The run this is done in.
    report : Report
        Takes a percent and a step.

    Returns
    -------
    ScoreResult
        Counts; refused rows stand in `OUTPUT.rejected.jsonl` with their reasons.

    Raises
    ------
    UnknownFileError, UnreadableTableError, InvalidRequestError, InvalidOutputError, OutputBusyError
        If the input is not there, is no such table or lacks columns, or the output can't be written now.
    """
    started, version, table = time.monotonic(), ModelVersion.objects.resolve(spec), TableSource(source)
    plan = _plan(version, table, output, chunk_rows=chunk_rows, only_predictions=only_predictions)
    kept = BatchOutput(output, plan, folder=source.is_dir())
    loaded = engine.version(version.model.name, version.number)
    check_frame(loaded.plan, {name: [] for name in table.columns})  # before anything is written
    rows, rejected = _Batch(plan=plan, table=table, loaded=loaded, output=kept, report=report).publish()
    row = BatchScore(run_id=run_id, model_version=version, rows=rows, rejected=rejected)
    row.input, row.output, row.seconds = str(source)[-500:], str(output)[-500:], time.monotonic() - started
    with transaction.atomic(durable=True):
        row.save(force_insert=True)
    report(100, "done")
    return _result(row, output, kept.rejected_path)


def _result(row: BatchScore, output: Path, rejected_path: Path) -> ScoreResult:
    return ScoreResult(
        run=str(row.run_id) if row.run_id else None,
        rows=row.rows,
        rejected=row.rejected,
        seconds=round(row.seconds, 3),
        output=str(output),
        rejected_output=str(rejected_path) if row.rejected else "",
        model_version=str(row.model_version),
    )


def _plan(
    version: ModelVersion, table: TableSource, output: Path, *, chunk_rows: int, only_predictions: bool
) -> BatchPlan:
    if not 1 <= chunk_rows <= MAX_CHUNK_ROWS:
        raise InvalidOutputError(f"chunk rows must be from 1 to {MAX_CHUNK_ROWS}; got {chunk_rows}")
    if output.resolve() == table.path.resolve():
        raise InvalidOutputError("the output must be another place than the input")
    plan = BatchPlan(
        model_version=str(version),
        digest=version.manifest_digest,
        classes=list(version.output_schema.get("classes") or ()),
        chunk_rows=chunk_rows,
        only_predictions=only_predictions,
        format=output_format(output, folder=table.path.is_dir(), like=table.format),
        input=table.fingerprint(),
    )
    if not only_predictions and (clash := sorted(set(plan.added()) & set(table.columns))):
        raise InvalidOutputError(
            f"the input has columns named like the output's: {', '.join(clash)}; "
            "rename them, or ask for --only-predictions",
            columns=clash,
        )
    return plan


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    plan: BatchPlan
    table: TableSource
    loaded: LoadedVersion
    output: BatchOutput
    report: Report

    def publish(self) -> tuple[int, int]:
        """Score, put the output in its place, and return the rows scored and refused."""
        with self.output.opened():
            rows, rejected = self.run()
            self.report(96, "putting the parts together")
            self.output.publish(rejected)
        return rows, rejected

    def run(self) -> tuple[int, int]:
        """Score what is not done yet and return the rows scored and refused, all parts together."""
        rows = rejected = chunks = 0
        workers = os.cpu_count() or 1
        with ThreadPoolExecutor(workers, thread_name_prefix="score") as pool:
            for done, refused in self._parts(pool, ahead=workers + 1):
                rows, rejected, chunks = rows + done, rejected + refused, chunks + 1
                self.report(self._percent(rows + rejected), f"{rows + rejected} rows")
        if not chunks:
            raise UnreadableTableError(f"{self.table.path.name} has a header and no rows: nothing to score")
        return rows, rejected

    def _parts(self, pool: ThreadPoolExecutor, *, ahead: int) -> Iterator[tuple[int, int]]:
        waiting: deque[Future[Part]] = deque()
        try:
            for chunk in self.table.chunks(self.plan.chunk_rows):
                if (counts := self.output.done(chunk.index)) is not None:
                    yield counts
                    continue
                waiting.append(pool.submit(self._score, chunk))
                if len(waiting) >= ahead:
                    yield self._keep(waiting.popleft())
            while waiting:
                yield self._keep(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _keep(self, future: Future[Part]) -> tuple[int, int]:
        part = future.result()
        self.output.keep(part)
        return part.rows, part.rejected

    def _score(self, chunk: Chunk) -> Part:
        missing = CSV_MISSING if self.table.format == "csv" else ()
        frame = {
            column["name"]: cells(chunk.table.column(column["name"]), column["dtype"], missing=missing)
            for column in self.loaded.plan.columns
        }
        checked = check_frame(self.loaded.plan, frame)
        scored = score_many(self.loaded, checked.frame)
        kept = [checked.kept[place] for place in scored.places]
        whole = len(kept) == chunk.table.num_rows
        good = chunk.table if whole else chunk.table.take(pa.array(kept, pa.int64()))
        rows = [chunk.rows[place] for place in kept]
        table = output_table(self.plan, good, rows, scored.predictions, scored.probabilities)
        failed = {checked.kept[place]: reason for place, reason in scored.failed.items()}
        rejects = self._rejects(chunk, checked.rejected | failed)
        return Part(
            index=chunk.index,
            data=encode(table, self.plan.format, header=chunk.index == 0 or self.table.path.is_dir()),
            rejects=b"".join(rejects),
            rows=len(rows),
            rejected=len(rejects),
        )

    def _rejects(self, chunk: Chunk, faults: dict[int, str]) -> list[bytes]:
        found = [(bad.row, bad.reason, bad.text) for bad in chunk.bad]
        found += [(chunk.rows[at], why, chunk.table.slice(at, 1).to_pylist()[0]) for at, why in faults.items()]
        return [rejected_line(*line) for line in sorted(found, key=lambda line: line[0])]

    def _percent(self, rows: int) -> int:
        return min(95, rows * 95 // max(self.table.estimated_rows(), rows, 1))
