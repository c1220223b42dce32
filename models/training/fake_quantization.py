"""Quantization-aware training: a network that computes with int8 weights and 8-bit activations while it learns (Jacob et al. 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", section 3).

Rounding has the gradient 1 inside its range and 0 outside (the straight-through estimator, Bengio et al. 2013). What comes out is an
ordinary float network whose weights lie on the levels that the static int8 quantizers of every format take: they need not know of it.
(In OpenVINO all but the first convolution's: NNCF gives those 7 bits, so that sums of products do not overflow on older processors.)

The arithmetic is torch's own. The libraries around it do not fit a trainer of any network: torch.ao's quantization says of itself
that it will be removed, torchao rounds convolutions only in an exported graph, in which a generator and its discriminator cannot take
turns, and NNCF refuses an ``nn.Sequential`` (it adds a module to it that has no forward), compiles C++ when it is first used, and reaches
OpenVINO and ONNX only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import InputError, needs

if TYPE_CHECKING:
    from torch import Tensor, nn

LEARNING_RATE = 0.1
"""The peak of the schedule, as a share of the recipe's: the weights are good already."""

_LARGEST_WEIGHT = 127
_LARGEST_ACTIVATION = 255
_AVERAGING = 0.01  # of a new batch's extremes in the moving average, as torch's own observers have it


def check_quantizable(module: nn.Module) -> None:
    """Raise `InputError` unless every weight with two dimensions or more is of a convolution or a linear layer, and there is one."""
    known = {f"{name}.weight".lstrip(".") for name in quantizable(module)}
    other = next((name for name, weight in module.named_parameters() if weight.ndim > 1 and name not in known), None)
    if other is not None or not known:
        raise InputError(
            "quantization-aware training cannot round all weights of this network",
            expected="all of them in convolutions and linear layers",
            got=f"'{other}'" if other is not None else "a network without any",
            hint="train it without --qat",
        )


def quantizable(module: nn.Module) -> dict[str, nn.Module]:
    """The convolutions, transposed or not, and the linear layers of a network, by name."""
    with needs("train"):
        from torch import nn
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, kinds)}


def quantized_weight(weight: Tensor, axis: int) -> Tensor:
    """Weights of any shape, rounded to 255 levels, symmetric around 0, up to the largest size of each channel along `axis`.

    So do the static quantizers. A factor for each output channel changes scale and weights alike: batch normalisation, which they fold
    into the weights before they round, needs no folding here, and goes on learning its statistics.
    """
    import torch

    largest = weight.detach().abs().amax([each for each in range(weight.ndim) if each != axis])
    scale = torch.where(largest > 0, largest / _LARGEST_WEIGHT, 1.0)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, axis, -_LARGEST_WEIGHT, _LARGEST_WEIGHT)


class FakeQuantization:
    """The layers of a network with rounded weights and inputs, until `remove`; raises `InputError` as `check_quantizable`.

    The ranges of the inputs are moving averages of each batch's extremes in training mode; they are buffers of the network, so that a
    checkpoint has them. In evaluation mode they stay.
    """

    def __init__(self, module: nn.Module) -> None:
        from torch import nn
        from torch.nn.utils import parametrize

        check_quantizable(module)
        self._layers = list(quantizable(module).values())
        self._hooks = []
        for layer in self._layers:
            # The weights of transposed convolutions are [in, out, ...], all others [out, in, ...].
            axis = 1 if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d) else 0
            parametrize.register_parametrization(layer, "weight", _weight_quantizer(axis))
            layer.input_quantizer = _input_quantizer()
            self._hooks.append(layer.register_forward_pre_hook(_quantize_input))

    def remove(self) -> None:
        """Leave plain layers with the rounded weights."""
        from torch.nn.utils import parametrize

        for layer, hook in zip(self._layers, self._hooks, strict=True):
            hook.remove()
            del layer.input_quantizer
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def _quantize_input(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (layer.input_quantizer(given[0]), *given[1:])


def _weight_quantizer(axis: int) -> nn.Module:
    import torch

    class WeightQuantizer(torch.nn.Module):  # type: ignore[misc]
        """`quantized_weight` as a parametrization."""

        def forward(self, weight: Tensor) -> Tensor:
            return quantized_weight(weight, axis)

    return WeightQuantizer()


def _input_quantizer() -> nn.Module:
    import torch

    class InputQuantizer(torch.nn.Module):  # type: ignore[misc]
        """Activations of any shape, rounded to 256 levels between the extremes that were seen."""

        def __init__(self) -> None:
            super().__init__()
            buffers = {"low": torch.inf, "high": -torch.inf, "scale": 1.0}
            for name, value in buffers.items():
                self.register_buffer(name, torch.tensor([value]))
            self.register_buffer("zero_point", torch.zeros(1, dtype=torch.int32))
            self.register_buffer("on", torch.ones(1, dtype=torch.int64), persistent=False)

        def forward(self, x: Tensor) -> Tensor:
            # Mixed precision gives bfloat16, of which torch cannot take the extremes.
            return torch.fused_moving_avg_obs_fake_quant(
                x.float(),
                self.on * self.training,
                self.on,
                self.low,
                self.high,
                self.scale,
                self.zero_point,
                _AVERAGING,
                0,
                _LARGEST_ACTIVATION,
                0,
            )

    return InputQuantizer()
