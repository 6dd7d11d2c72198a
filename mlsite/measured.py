"""The numbers of all serving processes."""

import os

from prometheus_client import REGISTRY, CollectorRegistry, multiprocess


def registry() -> CollectorRegistry:
    """Return what was measured, by all processes of this server where there are several."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    found = CollectorRegistry()
    multiprocess.MultiProcessCollector(found)
    return found
