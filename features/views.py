"""Datasets and features over HTTP."""
