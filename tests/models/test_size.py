from __future__ import annotations

from toolkit.core import Signature, TensorSpec
from toolkit.models import find_model
from toolkit.models.data import find_data
from toolkit.models.results import known_results
from toolkit.models.training.size import Size, size_of


def test_counts_by_hand() -> None:
    import torch

    signature = Signature((TensorSpec("x", "float32", ("batch", 5)),), (TensorSpec("y", "float32", ("batch", 3)),))
    assert size_of(torch.nn.Linear(5, 3), signature) == Size(18, 15)
    sequence = Signature((TensorSpec("x", "float32", ("batch", 7, 4)),), ())
    layer = torch.nn.LSTM(4, 6, batch_first=True)
    found = size_of(layer, sequence)
    assert found.parameters == 4 * 6 * (4 + 6 + 2)
    assert found.multiply_adds == 7 * 4 * 6 * (4 + 6)


def test_the_published_sizes_are_those_of_the_code() -> None:
    """A model that was changed has to be measured again."""
    for result in known_results():
        if result.quality is None:
            continue  # A part of another model.
        model, data = find_model(result.model), find_data(result.data)
        if data.name == "movie-reviews":
            continue  # Its vocabulary is known only where the data are.
        export = model.exports(model.module(data), data)[0]
        size = size_of(export.module, export.signature)
        assert (size.parameters, size.multiply_adds) == (result.parameters, result.multiply_adds), result.model
