"""Random changes of a batch that leave its labels true."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def augment(images: Tensor, *, shift: int, flip: bool, fill: Tensor) -> Tensor:
    """Each image moved by up to `shift` pixels in both directions and, with `flip`, mirrored with probability one half.

    Args:
        images: ``[B, C, H, W]``.
        shift: the largest move in pixels; what comes into view is filled with `fill`.
        flip: whether images may be mirrored left to right.
        fill: ``[C]``, the prepared value of an empty pixel.

    Draws from torch's global generator, always the same number of values for the same sizes and settings.
    """
    import torch

    if not shift and not flip:
        return images
    batch, channels, height, width = images.shape
    padded = fill.view(1, -1, 1, 1).expand(batch, -1, height + 2 * shift, width + 2 * shift).clone()
    padded[:, :, shift : shift + height, shift : shift + width] = images
    rows = torch.randint(0, 2 * shift + 1, (batch, 1)) + torch.arange(height)
    columns = torch.randint(0, 2 * shift + 1, (batch, 1)) + torch.arange(width)
    if flip:
        columns = torch.where(torch.rand(batch, 1) < 0.5, columns.flip(1), columns)
    rows, columns = rows.to(images.device), columns.to(images.device)
    sample = torch.arange(batch, device=images.device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=images.device).view(1, -1, 1, 1)
    return padded[sample, channel, rows[:, None, :, None], columns[:, None, None, :]]
