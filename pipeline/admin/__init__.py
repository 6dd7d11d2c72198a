"""Runs, drift reports, batch scores and alerts in the console."""

from pipeline.admin import drift, products, runs

__all__ = ["drift", "products", "runs"]
