"""Datasets, feature views, snapshots and online values in the console."""

from features.admin import datasets, features, records

__all__ = ["datasets", "features", "records"]
