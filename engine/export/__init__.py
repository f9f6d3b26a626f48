"""Results as files: OBJ, MTL, JPEG, 16-bit PNG and JSON, whole or absent. This is the public door."""

from engine.export.face import MAX_STRENGTH, ExportOptions, estimate_sizes, export_face, keys_to_make, planned_files
from engine.export.names import safe_stem
from engine.export.results import ResultOptions, WrittenResults, write_results

__all__ = [
    "MAX_STRENGTH",
    "ExportOptions",
    "ResultOptions",
    "WrittenResults",
    "estimate_sizes",
    "export_face",
    "keys_to_make",
    "planned_files",
    "safe_stem",
    "write_results",
]
