"""Classes of other libraries around a network's inputs and outputs are read as plain containers, and nothing else is let in with them."""

from __future__ import annotations

import json
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from toolkit.core import ArtifactError
from toolkit.formats.parts.pt2_archive import check_pt2
from toolkit.formats.parts.pt2_plain import plain_pt2

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")


class Fields(OrderedDict[str, Any]):
    """As a ``ModelOutput`` of `transformers`: fields by name."""


class Pair(NamedTuple):
    """A tuple with names."""

    first: Any
    second: Any


torch.utils._pytree.register_pytree_node(
    Fields,
    lambda value: (list(value.values()), list(value)),
    lambda values, names: Fields(zip(names, values, strict=True)),
    serialized_type_name="elsewhere.Fields",
)
torch.utils._pytree._register_namedtuple(Pair, serialized_type_name="elsewhere.Pair")


class Net(torch.nn.Module):  # type: ignore[name-defined]
    def forward(self, x: Any) -> Any:
        return Fields(logits=x + 1, rest=Pair(x * 2, (x * 3,)))


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    program = torch.export.export(Net(), (torch.zeros(2, 3),))
    torch.export.save(program, tmp_path / "model.pt2")
    return tmp_path / "model.pt2"


def test_a_class_of_another_library_becomes_a_dictionary_or_a_tuple(foreign: Path) -> None:
    with pytest.raises(ArtifactError, match="inputs or outputs in a 'elsewhere"):
        check_pt2(foreign)
    found = torch.export.load(plain_pt2(foreign)).module()(torch.ones(2, 3))
    assert list(found) == ["logits", "rest"]
    assert type(found) is dict
    assert type(found["rest"]) is tuple
    first, (third,) = found["rest"]
    for value, wanted in ((found["logits"], 2), (first, 2), (third, 3)):
        np.testing.assert_array_equal(value.numpy(), np.full((2, 3), wanted, np.float32))


def test_a_plain_archive_is_read_as_it_is(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(torch.nn.Linear(3, 2), (torch.zeros(2, 3),)), tmp_path / "model.pt2")
    assert plain_pt2(tmp_path / "model.pt2") == tmp_path / "model.pt2"


def test_the_rest_of_the_archive_is_checked_as_ever(foreign: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(foreign) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith("models/model.json"))
    program = json.loads(members[name])
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.system"
    members[name] = json.dumps(program).encode()
    with zipfile.ZipFile(tmp_path / "bad.pt2", "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(ArtifactError, match=r"the operator 'torch\.os\.system'"):
        plain_pt2(tmp_path / "bad.pt2")
