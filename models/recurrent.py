"""Recurrent networks that read an image as a sequence of its rows, from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from toolkit.core import needs

from ._layers import check_sizes
from .base import ImageClassifier, TrainingRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn

HIDDEN = 128
_FORGET_BIAS = 1.0


class _Recurrent(ImageClassifier):
    """One recurrent layer over rows; its last state makes the logits."""

    cell: ClassVar[str]
    bidirectional: ClassVar[bool] = False

    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """The network for images of at least 2 x 2 pixels: ``[B, C, H, W]`` is read as H steps of C * W numbers."""
        check_sizes(input_shape, classes, least=2)
        with needs("train"):
            import torch
            from torch import nn
        channels, _, width = input_shape
        directions = 2 if self.bidirectional else 1
        kind: type[nn.RNNBase] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[self.cell]

        class Rows(nn.Module):  # type: ignore[misc]
            """Rows, the layer, and a linear head on its last states."""

            def __init__(self) -> None:
                super().__init__()
                self.layer = kind(channels * width, HIDDEN, batch_first=True, bidirectional=directions == 2)
                self.head = nn.Linear(directions * HIDDEN, classes)

            def forward(self, image: Tensor) -> Tensor:
                steps, _ = self.layer(image.transpose(1, 2).flatten(2))
                last = steps[:, -1, :HIDDEN]
                # What reads from the bottom up has its last state at the top.
                return self.head(last if directions == 1 else torch.cat([last, steps[:, 0, HIDDEN:]], dim=1))

        module = Rows()
        _initialise(module.layer, gates=self.cell == "lstm")
        nn.init.xavier_uniform_(module.head.weight)
        nn.init.zeros_(module.head.bias)
        return module

    def recipe(self, data: str) -> TrainingRecipe:
        """A mirrored digit is another one; digits of 8 x 8 pixels need many passes over few images."""
        if data == "digits":
            return TrainingRecipe(epochs=40, batch_size=32, learning_rate=5e-3)
        return TrainingRecipe(epochs=8, learning_rate=4e-3, weight_decay=1e-2, flip=data == "fashion-mnist")


class Rnn(_Recurrent):
    """The simplest one: a tanh of the row and of the state before."""

    name = "rnn"
    summary = "tanh recurrence over rows, 128 units"
    paper = "Elman 1990, Finding Structure in Time"
    cell = "rnn"


class Lstm(_Recurrent):
    """Long short-term memory."""

    name = "lstm"
    summary = "LSTM over rows, 128 units"
    paper = "Hochreiter and Schmidhuber 1997, Long Short-Term Memory"
    cell = "lstm"


class Gru(_Recurrent):
    """Gated recurrent units."""

    name = "gru"
    summary = "GRU over rows, 128 units"
    paper = "Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation"
    cell = "gru"


class BiLstm(_Recurrent):
    """Long short-term memory that reads the rows both ways."""

    name = "bilstm"
    summary = "LSTM over rows in both directions, 2 x 128 units"
    paper = "Graves and Schmidhuber 2005, Framewise Phoneme Classification with Bidirectional LSTM"
    cell = "lstm"
    bidirectional = True


def _initialise(layer: nn.RNNBase, *, gates: bool) -> None:
    """Xavier for what comes in, orthogonal for what comes back (Saxe et al. 2014); an LSTM begins by keeping what it has
    (Jozefowicz et al. 2015, section 2.2).
    """
    from torch import nn

    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            for gate in parameter.data.split(HIDDEN):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(parameter)
            if gates and name.startswith("bias_ih"):
                nn.init.constant_(parameter.data[HIDDEN : 2 * HIDDEN], _FORGET_BIAS)  # gates are in the order i, f, g, o
