"""The output of a batch: parts that survive a kill, put together and made visible in one step at the end."""

import csv
import dataclasses
import fcntl
import io
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.ground.canonical import canonical_json
from features.ground.files import fsync_folder, write_atomic
from pipeline.adapters.tables import FORMATS, table_format
from pipeline.core.batch import BatchPlan
from pipeline.errors import InvalidOutputError, OutputBusyError, UnreadableTableError


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One chunk's output, ready to be kept."""

    index: int
    data: bytes
    rejects: bytes
    rows: int
    rejected: int


def output_format(output: Path, *, folder: bool, like: str) -> str:
    """Return the format of an output: by its ending for a file, like the input for a folder.

    Raises
    ------
    InvalidOutputError
        If the ending is unknown, a file stands where a folder should be, or the other way round.
    """
    if folder:
        if output.suffix.lower().removeprefix(".") in FORMATS or output.is_file():
            raise InvalidOutputError(f"the input is a folder, so the output must be one too; got {output.name}")
        return like
    if output.is_dir():
        raise InvalidOutputError(f"the input is a file, so the output must be one too; {output} is a folder")
    try:
        return table_format(output)
    except UnreadableTableError as error:
        raise InvalidOutputError(f"the output must end in .csv or .parquet; got {output.name}") from error


def encode(table: pa.Table, kind: str, *, header: bool) -> bytes:
    """Return a table as the bytes of one part."""
    if kind == "parquet":
        sink = io.BytesIO()
        pq.write_table(table, sink)
        return sink.getvalue()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return text.getvalue().encode()


class BatchOutput:
    """A working folder beside the output: finished parts in it are not done again under the same plan."""

    def __init__(self, output: Path, plan: BatchPlan, *, folder: bool) -> None:
        self._output, self._plan, self._folder = output, plan, folder
        self._work = output.with_name(f"{output.name}.partial")
        self.rejected_path = output.with_name(f"{output.name}.rejected.jsonl")
        if not output.parent.is_dir():
            raise InvalidOutputError(f"there is no folder {output.parent} to write to")
        if folder and output.is_dir() and not all(_is_part(entry, plan.format) for entry in output.iterdir()):
            raise InvalidOutputError(f"{output} holds other files than an earlier output: name a new or empty folder")

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the working folder; start it anew if it belongs to another plan."""
        try:
            self._work.mkdir(exist_ok=True)
        except OSError as error:
            raise InvalidOutputError(f"can't write beside {self._output}: {error.strerror}") from error
        with (self._work / "lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputBusyError(f"another process is writing {self._output}") from error
            self._begin()
            yield

    def done(self, index: int) -> tuple[int, int] | None:
        """Return the scored and refused rows of a part that is finished, else None."""
        mark = self._work / "done" / f"{index:05d}.json"
        if not mark.exists():
            return None
        counts = json.loads(mark.read_bytes())
        return counts["rows"], counts["rejected"]

    def keep(self, part: Part) -> None:
        """Write a part; its mark comes last, so that a mark means a whole part."""
        write_atomic(self._work / "parts" / f"part-{part.index:05d}.{self._plan.format}", part.data)
        write_atomic(self._work / "rejects" / f"{part.index:05d}.jsonl", part.rejects)
        mark = canonical_json({"rows": part.rows, "rejected": part.rejected})
        write_atomic(self._work / "done" / f"{part.index:05d}.json", mark)

    def publish(self, rejected: int) -> None:
        """Put the parts together and move the result to its place; the refused rows come first."""
        self._publish_rejects(rejected)
        parts = sorted((self._work / "parts").iterdir())
        if self._folder:
            self._swap_folder(self._work / "parts")
        else:
            whole = self._work / "whole"
            (_join_parquet if self._plan.format == "parquet" else _join_bytes)(parts, whole)
            whole.replace(self._output)
        fsync_folder(self._output.parent)
        shutil.rmtree(self._work)

    def _begin(self) -> None:
        wanted, path = canonical_json(dataclasses.asdict(self._plan)), self._work / "plan.json"
        if path.exists() and path.read_bytes() == wanted:
            return
        path.unlink(missing_ok=True)
        for name in ("parts", "rejects", "done"):
            shutil.rmtree(self._work / name, ignore_errors=True)
            (self._work / name).mkdir()
        write_atomic(path, wanted)

    def _publish_rejects(self, rejected: int) -> None:
        if not rejected:
            self.rejected_path.unlink(missing_ok=True)
            return
        whole = self._work / "rejected"
        _join_bytes(sorted((self._work / "rejects").iterdir()), whole)
        whole.replace(self.rejected_path)

    def _swap_folder(self, fresh: Path) -> None:
        old = self._output.with_name(f".{self._output.name}.{uuid.uuid4().hex[:8]}")
        if self._output.exists():
            self._output.rename(old)
        fresh.rename(self._output)
        shutil.rmtree(old, ignore_errors=True)


def _is_part(entry: Path, kind: str) -> bool:
    return entry.name.startswith("part-") and entry.suffix == f".{kind}"


def _join_bytes(parts: list[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())


def _join_parquet(parts: list[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        with pq.ParquetWriter(target, pq.read_schema(parts[0])) as writer:
            for part in parts:
                writer.write_table(pq.read_table(part))
        target.flush()
        os.fsync(target.fileno())
