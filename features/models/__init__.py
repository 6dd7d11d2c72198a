"""Datasets, their versions, feature views, snapshots and the online store."""

from features.models.datasets import ColumnProfile, ContractVersion, Dataset, DatasetVersion, QuarantineFix
from features.models.views import FeatureSnapshot, FeatureView, OnlineFeature

__all__ = [
    "ColumnProfile",
    "ContractVersion",
    "Dataset",
    "DatasetVersion",
    "FeatureSnapshot",
    "FeatureView",
    "OnlineFeature",
    "QuarantineFix",
]
