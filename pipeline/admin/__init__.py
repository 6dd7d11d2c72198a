"""Runs, drift reports, batch scores and alerts in the console, and the runs that other pages ask for."""

from pipeline.admin import drift, model_jobs, products, runs

__all__ = ["drift", "model_jobs", "products", "runs"]
