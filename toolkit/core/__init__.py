"""The few types that every part shares. Standard library, NumPy, msgspec and platformdirs only: no engine, no framework."""

from __future__ import annotations

from .affine import Affine
from .artifact import MANIFEST, QAT_EPOCHS, Artifact, Bundle, CalibrationRecord, Manifest, Operators, Preprocessing, Scalar, artifact_name
from .discovery import discover
from .errors import (
    ArtifactError,
    ConversionError,
    DataError,
    DeviceError,
    EngineError,
    InputError,
    MissingDependencyError,
    ProcessError,
    SignatureError,
    StorageError,
    ToolkitError,
    UnknownNameError,
    printable,
)
from .evidence import ParityReport, TaskMetric, TensorError, Verdict
from .files import (
    cache_home,
    leftovers,
    make_folder,
    mark_used,
    new_folder,
    remove_folder,
    remove_leftover,
    sha256_of,
    size_of,
    storage_errors,
    write_file,
)
from .formats import Format, Precision
from .isolated import memory_limit, run_isolated, stop_isolated
from .machine import Machine, available_memory, available_threads, load_average, this_machine
from .needs import has_module, install_command, needs, version_of, without_telemetry
from .reading import decode_json, decode_toml, read_file, write_arrays
from .samples import NOISE, Samples, noise
from .signature import Arrays, Dimension, Outputs, Signature, TensorSpec, rename_symbols
from .statistics import Interval, bootstrap_median, bootstrap_ratio, mean_interval, paired_difference, wilson
from .vocabulary import Vocabulary

__all__ = [
    "MANIFEST",
    "NOISE",
    "QAT_EPOCHS",
    "Affine",
    "Arrays",
    "Artifact",
    "ArtifactError",
    "Bundle",
    "CalibrationRecord",
    "ConversionError",
    "DataError",
    "DeviceError",
    "Dimension",
    "EngineError",
    "Format",
    "InputError",
    "Interval",
    "Machine",
    "Manifest",
    "MissingDependencyError",
    "Operators",
    "Outputs",
    "ParityReport",
    "Precision",
    "Preprocessing",
    "ProcessError",
    "Samples",
    "Scalar",
    "Signature",
    "SignatureError",
    "StorageError",
    "TaskMetric",
    "TensorError",
    "TensorSpec",
    "ToolkitError",
    "UnknownNameError",
    "Verdict",
    "Vocabulary",
    "artifact_name",
    "available_memory",
    "available_threads",
    "bootstrap_median",
    "bootstrap_ratio",
    "cache_home",
    "decode_json",
    "decode_toml",
    "discover",
    "has_module",
    "install_command",
    "leftovers",
    "load_average",
    "make_folder",
    "mark_used",
    "mean_interval",
    "memory_limit",
    "needs",
    "new_folder",
    "noise",
    "paired_difference",
    "printable",
    "read_file",
    "remove_folder",
    "remove_leftover",
    "rename_symbols",
    "run_isolated",
    "sha256_of",
    "size_of",
    "stop_isolated",
    "storage_errors",
    "this_machine",
    "version_of",
    "wilson",
    "without_telemetry",
    "write_arrays",
    "write_file",
]
