"""What the reference networks share: checks of the input's size, initialisation, and the way between inputs and pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import InputError, Preprocessing, needs

if TYPE_CHECKING:
    from torch import Tensor, nn


def check_sizes(input_shape: tuple[int, int, int], classes: int, *, least: int) -> None:
    """Raise `InputError` unless images are at least `least` x `least` pixels and there are two classes or more."""
    check_images(input_shape, least=least)
    if classes < 2:
        raise InputError("classes", expected="at least 2", got=str(classes))


def check_images(input_shape: tuple[int, int, int], *, least: int) -> None:
    """Raise `InputError` unless images are at least `least` x `least` pixels."""
    channels, height, width = input_shape
    if channels < 1 or min(height, width) < least:
        raise InputError(
            "input shape", expected=f"[C, H, W] with at least 1 channel and {least} x {least} pixels", got=str(list(input_shape))
        )


def check_vocabulary(tokens: int, classes: int) -> None:
    """Raise `InputError` unless there is a word besides the two tokens for no word and any other, and two classes or more."""
    if tokens < 3:
        raise InputError("tokens", expected="at least 3: no word, any other, and one word", got=str(tokens))
    if classes < 2:
        raise InputError("classes", expected="at least 2", got=str(classes))


def initialise(module: nn.Module, last: nn.Module) -> None:
    """He initialisation (He et al. 2015a, section 2.2) for each layer that a ReLU follows, Xavier (Glorot and Bengio 2010) for `last`."""
    from torch import nn

    for layer in module.modules():
        if layer is last:
            nn.init.xavier_uniform_(layer.weight)
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def cut(height: int, width: int) -> nn.Module:
    """A layer that keeps the first `height` rows and `width` columns of images ``[B, C, H, W]``."""
    with needs("train"):
        import torch

    class Cut(torch.nn.Module):  # type: ignore[misc]
        def forward(self, image: Tensor) -> Tensor:
            return image[:, :, :height, :width]

    return Cut()


def pixels_to_inputs(preprocessing: Preprocessing, channels: int) -> nn.Module:
    """A layer: pixels from 0 to 1 ``[B, C, H, W]`` -> the prepared images that a network takes, and with ``.back`` the reverse."""
    with needs("train"):
        import torch

    class Pixels(torch.nn.Module):  # type: ignore[misc]
        """Mean and deviation as constants, which do not learn."""

        def __init__(self) -> None:
            super().__init__()
            for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std)):
                self.register_buffer(name, torch.tensor(values, dtype=torch.float32).expand(channels).reshape(1, -1, 1, 1).clone())

        def forward(self, pixels: Tensor) -> Tensor:
            return (pixels - self.mean) / self.std

        def back(self, prepared: Tensor) -> Tensor:
            return prepared * self.std + self.mean

    return Pixels()
