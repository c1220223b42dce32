"""An ONNX graph as a torch module for inputs of fixed sizes: the second way from ONNX to what starts at PyTorch.

Sizes are numbers while the module is traced. So what computes shapes, and every branch and loop whose condition follows from them, is
gone from the traced program.
"""

from .module import OnnxModule

__all__ = ["OnnxModule"]
