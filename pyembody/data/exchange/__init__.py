"""Datasets in the formats of others: exported to Minari's and LeRobot's, imported from them."""

from .convert import FORMATS, export_dataset, find_format, import_dataset

__all__ = ["FORMATS", "export_dataset", "find_format", "import_dataset"]
