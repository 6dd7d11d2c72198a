"""Datasets, feature views, snapshots and online values in the console."""

from features.admin import datasets, features, records, versions

__all__ = ["datasets", "features", "records", "versions"]
