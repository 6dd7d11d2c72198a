"""Engines that are extras: imported when they are configured, and not before."""

import importlib
import importlib.util
import os
import shutil
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from features.errors import EngineMissingError

# The packages of each extra.
NEEDS = {"polars": ["polars"], "dask": ["dask", "pandas"], "spark": ["pyspark"]}


def open_extra(name: str) -> AbstractContextManager[Any]:
    """Open the engine of an extra.

    Raises
    ------
    EngineMissingError
        If a package of it, or the JDK Spark runs on, isn't installed.
    """
    lacking = [package for package in NEEDS[name] if importlib.util.find_spec(package) is None]
    if lacking:
        raise EngineMissingError(
            f"features.engine is {name}, and its extra is not installed ({', '.join(lacking)} is missing): "
            f"pip install -r requirements-{name}.txt",
            engine=name,
        )
    if name == "spark" and not _java():
        raise EngineMissingError(
            "features.engine is spark, and Spark needs a JDK, 17 or later: install one (apt-get install "
            "openjdk-17-jre-headless) or let JAVA_HOME name it",
            engine=name,
        )
    with warnings.catch_warnings():
        # Spark says at import that it doesn't take pandas 3 yet; nothing here hands it pandas.
        warnings.simplefilter("ignore", FutureWarning)
        module = importlib.import_module(f"features.adapters.engine_{name}")
    return module.open_engine()  # type: ignore[no-any-return]


def _java() -> bool:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java") is not None or (home is not None and (Path(home) / "bin" / "java").exists())
