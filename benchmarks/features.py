"""Features against raw DuckDB and, where a Python with Feast is named, Feast: whole processes, interleaved.

    python benchmarks/features.py aggregates [--events 20000000] [--rounds 3] [--json]
    python benchmarks/features.py join [--feast /path/to/python] [--rounds 3] [--json]

`aggregates`: count, mean, std, min, max and newest value over 1, 7 and 30 days of 100,000 entities. Ours is a process
with Django set up that reads a dataset's Delta table; raw DuckDB is one query over the same Parquet files. Both write
their answer as Parquet, and the answers are compared.

`join`: the newest of 10 features of 3 million rows for a million labels, each as of its own time. Ours and DuckDB's
ASOF join do all of it; Feast is given a tenth of the rows and as many labels as it takes, and is compared by labels a
second, once within whole processes and once by its own call alone.

The data are made once, below --data.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DAYS, ENTITIES, LABELS, HISTORY = (1, 7, 30), 100_000, 1_000_000, 30
DAY_US, NOW_US = 86_400_000_000, 1_750_000_000_000_000
FEAST_SHARE, FEAST_LABELS = 0.1, 20_000


# Data -----------------------------------------------------------------------------------------------------------------


def make_events(path: Path, count: int) -> None:
    """Write events of a month in order of time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    at = np.sort(NOW_US - 1 - random.integers(0, 30 * DAY_US, count))
    kind = pa.timestamp("us", tz="UTC")
    schema = pa.schema([("entity_id", pa.int64()), ("happened", kind), ("value", pa.float64())])
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, count, 1 << 20):
            part = at[first : first + (1 << 20)]
            columns = [
                random.integers(0, ENTITIES, len(part)),
                pa.array(part).cast(kind),
                random.gamma(2, 20, len(part)),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def make_history(features: Path, labels: Path) -> None:
    """Write 30 rows of 10 features for each entity, and labels of the same month."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(1)
    kind = pa.timestamp("us", tz="UTC")
    owner = np.repeat(np.arange(ENTITIES), HISTORY)
    at = (
        NOW_US
        - 30 * DAY_US
        + np.tile(np.arange(HISTORY), ENTITIES) * DAY_US
        + random.integers(0, DAY_US // 2, len(owner))
    )
    order = np.argsort(at, kind="stable")
    columns = {f"f{number}": random.standard_normal(len(owner)) for number in range(10)}
    pq.write_table(
        pa.table({"entity_id": owner[order], "happened": pa.array(at[order]).cast(kind), **columns}), features
    )
    asked = NOW_US - random.integers(0, 29 * DAY_US, LABELS)
    pq.write_table(
        pa.table({"entity_id": random.integers(0, ENTITIES, LABELS), "happened": pa.array(asked).cast(kind)}), labels
    )


def make_dataset(name: str, source: Path) -> None:
    """Store rows as a dataset: the table as an ingestion writes it, and its rows in the database."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from features.adapters.commits import commit
    from features.core.schema import Column
    from features.models import Dataset, DatasetVersion

    file = pq.ParquetFile(source)
    reader = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(1 << 20))
    number = commit(name, reader, mode="append", about={}, partitioned=False)
    dtypes = {"entity_id": "integer", "happened": "timestamp"}
    columns = [Column(name=n, dtype=dtypes.get(n, "number")).as_dict() for n in file.schema_arrow.names]
    dataset = Dataset.objects.create(name=name, schema=columns, timestamp_column="happened")
    DatasetVersion.objects.create(
        dataset=dataset, number=1, delta_version=number, fingerprint="0" * 64, rows_valid=file.metadata.num_rows,
        rows_total=file.metadata.num_rows, source=source.name,
    )  # fmt: skip


# What is measured: each in a process of its own -----------------------------------------------------------------------


def django_setup() -> None:
    """Set Django up as manage.py does."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlsite.settings")
    sys.path.insert(0, str(ROOT))
    django.setup()


def prepare(data: Path, events: int) -> None:
    """Make the data, the database and the datasets."""
    make_events(data / "events.parquet", events)
    make_history(data / "history.parquet", data / "labels.parquet")
    django_setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    make_dataset("events", data / "events.parquet")
    make_dataset("history", data / "history.parquet")


def ours_aggregates(data: Path, out: Path) -> None:
    """Compute the aggregates through the product."""
    django_setup()
    from datetime import UTC, datetime

    import pyarrow.parquet as pq

    from features.adapters.as_of import values_as_of
    from features.core.windows import parse_view
    from features.models import DatasetVersion

    functions = {"c": "count", "m": "mean", "s": "std", "lo": "min", "hi": "max", "l": "last"}
    features = [
        {"name": f"{short}{days}", "function": function, "column": "value", "window": f"{days}d"}
        for days in DAYS
        for short, function in functions.items()
    ]
    view = parse_view({"name": "v", "dataset": "events", "entity": "entity_id", "features": features})
    moment = datetime.fromtimestamp(NOW_US // 1_000_000, UTC)
    pq.write_table(values_as_of(view, DatasetVersion.objects.resolve("events"), moment), out)


def duckdb_aggregates(data: Path, out: Path) -> None:
    """Compute the aggregates in one query."""
    import duckdb

    parts = []
    for days in DAYS:
        within = f"filter (where happened >= now_ - interval {days} day)"
        parts += [f"count(*) {within} c{days}", f"avg(value) {within} m{days}", f"stddev_samp(value) {within} s{days}"]
        parts += [
            f"min(value) {within} lo{days}",
            f"max(value) {within} hi{days}",
            f"arg_max(value, happened) {within} l{days}",
        ]
    duckdb.sql(
        f"copy (select entity_id, {', '.join(parts)} from (select *, make_timestamptz({NOW_US}) now_ from "
        f"read_parquet('{data}/var/datasets/events/table/*.parquet')) group by entity_id) to '{out}' (format parquet)"
    )


def ours_join(data: Path, out: Path) -> None:
    """Join labels to features through the product."""
    django_setup()
    import pyarrow.parquet as pq

    from features.adapters.engine import values_at
    from features.core.windows import parse_view
    from features.models import DatasetVersion

    features = [{"name": f"f{n}", "function": "last", "column": f"f{n}", "window": "30d"} for n in range(10)]
    view = parse_view({"name": "v", "dataset": "history", "entity": "entity_id", "features": features})
    started = time.perf_counter()
    labels = pq.read_table(data / "labels.parquet")
    values = values_at(view, DatasetVersion.objects.resolve("history"), labels, labels["happened"])
    for name in values.column_names:
        labels = labels.append_column(name, values[name])
    print(json.dumps({"call_seconds": time.perf_counter() - started}))
    pq.write_table(labels, out)


def duckdb_join(data: Path, out: Path) -> None:
    """Join labels to features in one query; a row counts from the moment after it happened."""
    import duckdb

    duckdb.sql(
        f"copy (select l.*, f.* exclude (entity_id, happened) from '{data}/labels.parquet' l asof left join "
        f"read_parquet('{data}/var/datasets/history/table/*.parquet') f on l.entity_id = f.entity_id "
        f"and l.happened > f.happened) to '{out}' (format parquet)"
    )


CHILDREN = {f.__name__: f for f in (ours_aggregates, duckdb_aggregates, ours_join, duckdb_join)}


# Running --------------------------------------------------------------------------------------------------------------


def timed(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run a process; return its seconds, the memory it took at most, and what it said."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    said = process.communicate()[0] if process.stdout is None else process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    seconds, cpu = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu, "mib": usage.ru_maxrss / 1024, "said": said}


def total(path: Path, columns: list[str]) -> float:
    """Return a sum to compare answers by."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=columns)
    return sum(pc.sum(table[name].cast(pa.float64())).as_py() or 0.0 for name in columns)


def rounds(names: list[str], options: argparse.Namespace, columns: list[str]) -> dict[str, dict[str, Any]]:
    """Run each in turn, as often as asked."""
    data: Path = options.data
    environment = {**os.environ, "VAR_DIR": str(data / "var")}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            out = data / f"{name}.parquet"
            if name == "feast":
                command = [options.feast, str(ROOT / "benchmarks" / "feast_join.py"), str(data)]
                one = timed([*command, str(FEAST_SHARE), str(FEAST_LABELS)], environment)
                one |= json.loads(one["said"].splitlines()[-1])
            else:
                one = timed([sys.executable, __file__, "--child", name, str(data), str(out)], environment)
                one |= json.loads(one["said"] or "{}") | {"check": total(out, columns)}
            found[name].append(one)
    return {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0] if key != "said"}
        for name, runs in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("aggregates", "join"))
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=ROOT / "var" / "benchmarks" / "features")
    parser.add_argument("--feast", help="a Python that has Feast installed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.data = options.data.resolve() / str(options.events)
    if not (options.data / "ready").exists():
        options.data.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "VAR_DIR": str(options.data / "var")}
        # In a process of its own: the memory a process took is counted to those it starts.
        timed([sys.executable, __file__, "--child", "prepare", str(options.data), str(options.events)], environment)
        (options.data / "ready").touch()
    if options.what == "aggregates":
        names, columns = ["ours_aggregates", "duckdb_aggregates"], ["c1", "m7", "s30", "lo7", "hi1", "l30"]
    else:
        names, columns = ["ours_join", "duckdb_join"], ["f0", "f5", "f9"]
        names += ["feast"] if options.feast else []
    found = rounds(names, options, columns)
    ours, raw = (found[name] for name in names[:2])
    result: dict[str, Any] = {"of": found, "time_of_raw": ours["seconds"] / raw["seconds"]}
    # On a machine that does other things besides, the fairer of the two.
    result["cpu_of_raw"] = ours["cpu_seconds"] / raw["cpu_seconds"]
    result["mib_above_raw"] = ours["mib"] - raw["mib"]
    result["answers_differ_by"] = abs(ours["check"] - raw["check"]) / abs(raw["check"])
    if "feast" in found:
        for key, text in (("seconds", "times_feast"), ("call_seconds", "times_feast_calls_alone")):
            result[text] = (LABELS / ours[key]) / (FEAST_LABELS / found["feast"][key])
    if options.json:
        print(json.dumps(result))
        return
    for name, one in found.items():
        print(f"{name:20} {one['seconds']:8.2f} s {one['cpu_seconds']:8.2f} s of CPU {one['mib']:8.0f} MiB")
    for key, value in result.items():
        if key != "of":
            print(f"{key:24} {value:.3g}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        name, data, *rest = sys.argv[2:]
        prepare(Path(data), int(rest[0])) if name == "prepare" else CHILDREN[name](Path(data), *map(Path, rest))
    else:
        main()
