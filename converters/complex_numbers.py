"""Complex numbers as pairs of real ones: TF Lite has none, and the readers of OpenVINO know few operators on them.

An exported program is run node by node, with a `Pair` wherever it has a complex tensor, and exported again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toolkit.core import ConversionError, Signature

from . import complex_fourier  # noqa: F401 - for the rules that it registers
from .complex_rules import RULES, SEPARATE, Pair, Place, separately
from .pt2 import examples, export, flat_module


def without_complex(program: Any, signature: Signature) -> Any:
    """An exported program that computes with real numbers alone what `program` does; `program` itself if it has no others.

    Raises:
        ConversionError: an operator on complex numbers that has no rule here, by its name.
    """
    import torch

    if not has_complex(program):
        return program
    module = flat_module(program)

    class Split(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.training = False
            self.whole = module

        def constant(self, key: str, make: Callable[[], Any]) -> Any:
            """What does not depend on the inputs is computed once: in the first run, which is not traced."""
            if key not in self._buffers:
                self.register_buffer(key, make())
            return self.get_buffer(key)

        def forward(self, *tensors: Any) -> Any:
            return _runner(self, module).run(*tensors, enable_io_processing=False)

    split = Split()
    given = examples(module, signature)
    with torch.no_grad():
        split(*given)
    _forget_complex(module)  # Both parts are kept by now.
    return export(split, signature, example=given)


def has_complex(program: Any) -> bool:
    """Whether an exported program computes with complex numbers."""
    return any(_gives_complex(node) for node in program.graph.nodes)


def _gives_complex(node: Any) -> bool:
    return bool(getattr(getattr(node.meta.get("val"), "dtype", None), "is_complex", False))


def _runner(owner: Any, module: Any) -> Any:
    import torch

    class Runner(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, node: Any) -> Any:
            self.node = node
            return super().run_node(node)

        def get_attr(self, target: str, args: Any, kwargs: Any) -> Any:
            if not _gives_complex(self.node):
                return super().get_attr(target, args, kwargs)

            def part(name: str) -> Any:
                own = super(Runner, self).get_attr
                return owner.constant(
                    f"{target.replace('.', '_')}_{name}", lambda: getattr(own(target, args, kwargs).detach(), name).clone()
                )

            return Pair(*map(part, Pair.PARTS))

        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            if not isinstance(target, torch._ops.OpOverload):  # One of several results, or a number made of sizes.
                return super().call_function(target, args, kwargs)
            name = target._schema.name
            whole = [*args, *kwargs.values(), *(each for value in args if isinstance(value, (list, tuple)) for each in value)]
            if not _gives_complex(self.node) and not any(isinstance(each, (Pair, complex)) for each in whole):
                return super().call_function(target, args, kwargs)
            if name in SEPARATE:
                return separately(target, args, kwargs)
            if name not in RULES:
                raise ConversionError(f"no rule for '{name}' on complex numbers, at node '{self.node.name}'")
            names = [argument.name for argument in target._schema.arguments]
            return RULES[name](Place(owner, self.node), **dict(zip(names, args, strict=False)), **kwargs)

    runner = Runner(module)
    runner.extra_traceback = False  # An error says its node itself.
    return runner


def _forget_complex(module: Any) -> None:
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_complex():
            owner, _, own = name.rpartition(".")
            delattr(module.get_submodule(owner), own)
