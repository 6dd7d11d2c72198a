"""Runs, drift reports, batch scores, alerts and consumers in the console, and the runs that other pages ask for."""

from pipeline.admin import drift, model_jobs, products, runs, streams

__all__ = ["drift", "model_jobs", "products", "runs", "streams"]
