"""What each operator of torch does with complex numbers, in real ones: `RULES` by the operator's name, with its arguments by theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from toolkit.core import ConversionError


@dataclass(frozen=True)
class Pair:
    """A complex tensor: its real and its imaginary part, tensors of one shape."""

    PARTS: ClassVar = ("real", "imag")

    real: Any
    imag: Any


@dataclass(frozen=True)
class Place:
    """Where a rule is applied: `owner` keeps constants, `node` is that of the program."""

    owner: Any
    node: Any

    def constant(self, key: str, make: Callable[[], Any]) -> Any:
        """A tensor that does not depend on the inputs."""
        return self.owner.constant(key, make)

    def refuse(self, why: str) -> ConversionError:
        """The error of a rule that cannot be applied here."""
        return ConversionError(f"{why}, at node '{self.node.name}'")


Rule = TypeVar("Rule", bound=Callable[..., Any])
RULES: dict[str, Callable[..., Any]] = {}
SEPARATE = frozenset(
    f"aten::{name}"
    for name in (
        "alias", "cat", "clone", "constant_pad_nd", "contiguous", "copy_", "cumsum", "detach", "diagonal", "expand", "fft_fftshift",
        "fft_ifftshift", "flatten", "flip", "gather", "index", "index_select", "lift_fresh_copy", "mean", "movedim", "narrow", "neg",
        "pad", "permute", "repeat", "reshape", "roll", "select", "slice", "split", "split_with_sizes", "chunk", "unbind", "squeeze",
        "stack", "sum", "t", "tile", "transpose", "tril", "triu", "unflatten", "unfold", "unsqueeze", "view", "view_as", "_unsafe_view",
    )
)  # fmt: skip
"""Operators that treat both parts alike, each without the other."""


def separately(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """An operator on the real parts, and on the imaginary ones, which real tensors beside complex ones have as zeros."""
    import torch

    def part(value: Any, name: str) -> Any:
        if isinstance(value, Pair):
            return getattr(value, name)
        if isinstance(value, (list, tuple)):
            return [part(each, name) for each in value]
        if isinstance(value, torch.Tensor) and value.is_floating_point() and name == "imag":
            return torch.zeros_like(value)
        return value

    real, imag = (
        target(*(part(value, name) for value in args), **{key: part(value, name) for key, value in kwargs.items()}) for name in Pair.PARTS
    )
    return [Pair(*both) for both in zip(real, imag, strict=True)] if isinstance(real, (list, tuple)) else Pair(real, imag)


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for operators of these names."""

    def register(function: Rule) -> Rule:
        RULES.update({f"aten::{name}": function for name in names})
        return function

    return register


def _pair(value: Any) -> Pair:
    """Real tensors and numbers as complex ones."""
    import torch

    if isinstance(value, Pair):
        return value
    if isinstance(value, complex):
        return Pair(value.real, value.imag)
    return Pair(value, torch.zeros_like(value) if isinstance(value, torch.Tensor) else 0.0)


@rule("real")
def _real(_: Place, self: Pair) -> Any:
    return self.real


@rule("imag")
def _imag(_: Place, self: Pair) -> Any:
    return self.imag


@rule("abs")
def _abs(_: Place, self: Pair) -> Any:
    return (self.real * self.real + self.imag * self.imag).sqrt()


@rule("angle")
def _angle(_: Place, self: Pair) -> Any:
    import torch

    return torch.atan2(self.imag, self.real)


@rule("view_as_real")
def _view_as_real(_: Place, self: Pair) -> Any:
    import torch

    return torch.stack([self.real, self.imag], dim=-1)


@rule("view_as_complex")
def _view_as_complex(_: Place, self: Any) -> Pair:
    return Pair(self[..., 0], self[..., 1])


@rule("complex")
def _complex(_: Place, real: Any, imag: Any) -> Pair:
    return Pair(real, imag)


@rule("polar")
def _polar(_: Place, abs: Any, angle: Any) -> Pair:
    return Pair(abs * angle.cos(), abs * angle.sin())


@rule("conj", "_conj", "conj_physical", "_conj_physical")
def _conj(_: Place, self: Pair) -> Pair:
    return Pair(self.real, -self.imag)


@rule("resolve_conj", "resolve_neg", "lift")
def _same(_: Place, self: Pair) -> Pair:
    return self


@rule("sym_size")
def _sym_size(_: Place, self: Pair, dim: int) -> Any:
    return self.real.shape[dim]


@rule("_assert_tensor_metadata")
def _no_metadata(_: Place, **_other: Any) -> None:
    """What a conversion that follows says of its input."""


@rule("_to_copy", "to")
def _to(place: Place, self: Any, **_: Any) -> Any:
    dtype = place.node.meta["val"].dtype
    if dtype.is_complex:
        return self if isinstance(self, Pair) else _pair(self.float())
    return self.real.to(dtype)


@rule("zeros", "new_zeros", "zeros_like", "ones", "ones_like", "full", "full_like", "new_ones", "new_full")
def _filled(place: Place, *_: Any, **given: Any) -> Pair:
    import torch

    like = place.node.meta["val"]
    value = 0 if "zeros" in str(place.node.target) else given.get("fill_value", 1)
    size = given.get("size", getattr(given.get("self"), "real", given.get("self")))
    shape = size if isinstance(size, (list, tuple)) else [*size.shape] if size is not None else []
    if not like.dtype.is_complex:
        raise place.refuse("a real tensor like a complex one has no rule")
    value = _pair(value)
    return Pair(torch.full(shape, float(value.real)), torch.full(shape, float(value.imag)))


@rule("add", "add_")
def _add(_: Place, self: Any, other: Any, alpha: float = 1) -> Pair:
    one, two = _pair(self), _pair(other)
    return Pair(one.real + alpha * two.real, one.imag + alpha * two.imag)


@rule("sub", "sub_")
def _sub(_: Place, self: Any, other: Any, alpha: float = 1) -> Pair:
    one, two = _pair(self), _pair(other)
    return Pair(one.real - alpha * two.real, one.imag - alpha * two.imag)


@rule("rsub")
def _rsub(place: Place, self: Any, other: Any, alpha: float = 1) -> Pair:
    return _sub(place, other, self, alpha)


def _bilinear(function: Callable[[Any, Any], Any], one: Any, two: Any) -> Pair:
    """``(a + bi)(c + di)`` for any product; less work where one is real."""
    if not isinstance(one, (Pair, complex)):
        two = _pair(two)
        return Pair(function(one, two.real), function(one, two.imag))
    if not isinstance(two, (Pair, complex)):
        one = _pair(one)
        return Pair(function(one.real, two), function(one.imag, two))
    one, two = _pair(one), _pair(two)
    return Pair(
        function(one.real, two.real) - function(one.imag, two.imag),
        function(one.real, two.imag) + function(one.imag, two.real),
    )


@rule("mul", "mul_", "multiply")
def _mul(_: Place, self: Any, other: Any) -> Pair:
    return _bilinear(lambda one, two: one * two, self, other)


@rule("matmul", "mm", "bmm")
def _matmul(_: Place, self: Any, other: Any = None, mat2: Any = None) -> Pair:
    import torch

    return _bilinear(torch.matmul, self, mat2 if other is None else other)


@rule("linear")
def _linear(_: Place, input: Any, weight: Any, bias: Any = None) -> Pair:
    import torch

    product = _bilinear(torch.nn.functional.linear, input, weight)
    return product if bias is None else _add(_, product, bias)


@rule("einsum")
def _einsum(place: Place, equation: str, tensors: Sequence[Any], path: Any = None) -> Any:  # noqa: ARG001 - an order, no meaning
    import torch

    if len(tensors) > 2:
        raise place.refuse("einsum of more than two complex tensors has no rule")
    if len(tensors) == 1:
        return Pair(*(torch.einsum(equation, getattr(tensors[0], part)) for part in Pair.PARTS))
    return _bilinear(lambda one, two: torch.einsum(equation, one, two), *tensors)


@rule("reciprocal")
def _reciprocal(_: Place, self: Pair) -> Pair:
    square = self.real * self.real + self.imag * self.imag
    return Pair(self.real / square, -self.imag / square)


@rule("div", "div_", "true_divide")
def _div(place: Place, self: Any, other: Any) -> Pair:
    if isinstance(other, complex):
        return _mul(place, self, 1 / other)
    if not isinstance(other, Pair):
        one = _pair(self)
        return Pair(one.real / other, one.imag / other)
    return _mul(place, self, _reciprocal(place, other))


@rule("pow")
def _pow(place: Place, self: Any, exponent: Any) -> Pair:
    if not isinstance(exponent, int) or not 1 <= exponent <= 8:
        raise place.refuse(f"the power {exponent} of a complex number has no rule")
    power = self
    for _ in range(exponent - 1):
        power = _mul(place, power, self)
    return _pair(power)


@rule("square")
def _square(place: Place, self: Pair) -> Pair:
    return _mul(place, self, self)


@rule("exp")
def _exp(place: Place, self: Pair) -> Pair:
    return _polar(place, self.real.exp(), self.imag)


@rule("log")
def _log(place: Place, self: Pair) -> Pair:
    return Pair(_abs(place, self).log(), _angle(place, self))


@rule("sgn")
def _sgn(place: Place, self: Pair) -> Pair:
    size = _abs(place, self)
    size = size + (size == 0)
    return Pair(self.real / size, self.imag / size)


@rule("where")
def _where(_: Place, condition: Any, self: Any, other: Any) -> Pair:
    import torch

    one, two = _pair(self), _pair(other)
    return Pair(torch.where(condition, one.real, two.real), torch.where(condition, one.imag, two.imag))


@rule("masked_fill")
def _masked_fill(_: Place, self: Pair, mask: Any, value: Any) -> Pair:
    number = _pair(value)
    return Pair(self.real.masked_fill(mask, number.real), self.imag.masked_fill(mask, number.imag))
