"""What the debugger found, as data and as sentences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One tensor of the reference that was found again in the candidate, in the order of the candidate's computation.

    Args:
        layer: the path of its module where it has one, else the reference's own name for it.
        kind: the reference's operator.
        reference: the reference's tensor.
        candidate: the candidate's tensor.
        operator: the candidate's operator.
        matched_by: ``name``, ``weights``, ``values``, ``signature``, or what it was where it diverges: ``trial`` is a value that, replaced
            by the reference's, made the outputs right again.
        error: the largest difference when the candidate runs from its inputs, in units of the reference's root mean square.
        ratio_db: the same as a signal-to-noise ratio.
        own_error: the largest difference when the layer computes from the reference's values.
        own_ratio_db: the same as a ratio.
        diverges: whether that breaks the precision's rule.
    """

    layer: str
    kind: str
    reference: str
    candidate: str
    operator: str
    matched_by: str
    error: float
    ratio_db: float
    own_error: float
    own_ratio_db: float
    diverges: bool


@dataclass(frozen=True)
class Divergence:
    """A layer that diverges while its inputs agree.

    Args:
        index: its place in `Finding.layers`.
        layers: the layers between it and the last values that agree: those with weights, if one has; a converter may have fused several.
        operators: the candidate's operators there.
        inputs_error: the largest error of its inputs, when the candidate runs from its own.
    """

    index: int
    layers: tuple[str, ...]
    operators: tuple[str, ...]
    inputs_error: float


@dataclass(frozen=True)
class Finding:
    """The comparison of a candidate with its reference; ``unmatched`` are the candidate's tensors that are none of the reference's, such as
    a product before its bias is added.
    """

    model: str
    reference: str
    candidate: str
    precision: str
    rule: str
    inputs: str
    layers: tuple[Layer, ...]
    divergences: tuple[Divergence, ...]
    unmatched: tuple[str, ...]
    unseen: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> Divergence | None:
        """The first divergence."""
        return self.divergences[0] if self.divergences else None

    @property
    def verdict(self) -> str:
        """One line."""
        if self.first is None:
            worst = max(self.layers, key=lambda layer: layer.error)
            return f"no layer diverges: {len(self.layers)} compared, the largest error is {worst.error:.1e} in '{worst.layer}'"
        layer = self.layers[self.first.index]
        name = " + ".join(self.first.layers)
        return (
            f"first divergence: layer '{name}' ({', '.join(self.first.operators)}), error {layer.own_error:.1e}, "
            f"its inputs agree to {self.first.inputs_error:.1e}"
        )

    @property
    def noisiest(self) -> str:
        """For integers: where the signal-to-noise ratio falls most in one step."""
        worst = min(self.layers, key=lambda layer: layer.own_ratio_db)
        return f"most noise in one step: layer '{worst.layer}' ({worst.operator}), {worst.own_ratio_db:.1f} dB"
