"""Samples whose rows are not on the first axis of what the network takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolkit.core import DataError, Samples, Signature, TensorSpec
from toolkit.core.sample_axes import rows_first

STATEFUL = Signature(
    (
        TensorSpec("x", "float32", ("batch", 4)),
        TensorSpec("state", "float32", (2, "batch", 3)),
        TensorSpec("rate", "int64", ()),
    ),
    (TensorSpec("y", "float32", ("batch", 1)),),
)


def _arrays(rows: int = 5) -> dict[str, np.ndarray]:
    return {
        "x": np.arange(rows * 4, dtype=np.float32).reshape(rows, 4),
        "state": np.arange(rows * 6, dtype=np.float32).reshape(2, rows, 3),
        "rate": np.array(16000),
    }


def test_a_call_has_the_rows_where_the_network_has_them_and_constants_as_they_are() -> None:
    arrays = _arrays()
    fitted = Samples(arrays).fit(STATEFUL)
    assert len(fitted) == 5
    batch = fitted.batch(slice(1, 3))
    assert {name: array.shape for name, array in batch.items()} == {"x": (2, 4), "state": (2, 2, 3), "rate": ()}
    np.testing.assert_array_equal(batch["state"], arrays["state"][:, 1:3])
    np.testing.assert_array_equal(fitted.rows(np.array([4, 0])).batch(slice(None))["state"], arrays["state"][:, [4, 0]])


def test_fitting_twice_saving_and_sharing_change_nothing(tmp_path: Path) -> None:
    fitted = Samples(_arrays(3)).fit(STATEFUL)
    fitted.save(tmp_path / "s.npz")
    (tmp_path / "shared").mkdir()
    fitted.share(tmp_path / "shared")
    for other in (fitted.fit(STATEFUL), Samples.load(tmp_path / "s.npz").fit(STATEFUL), Samples.shared(tmp_path / "shared").fit(STATEFUL)):
        assert other.sha256 == fitted.sha256
        np.testing.assert_array_equal(other.batch(slice(None))["state"], _arrays(3)["state"])
        assert other.batch(slice(0, 1))["rate"] == 16000


def test_one_value_for_all_rows_is_a_constant_and_others_are_refused() -> None:
    rates = np.full(5, 8000)
    assert Samples(_arrays() | {"rate": rates}).fit(STATEFUL).constants["rate"] == 8000
    rates[0] = 1
    with pytest.raises(DataError, match="input 'rate' is the same for all samples"):
        Samples(_arrays() | {"rate": rates}).fit(STATEFUL)


def test_rows_on_the_wrong_axis_are_refused_with_the_networks_shape() -> None:
    with pytest.raises(DataError, match=r"expected state:float32\[2,batch,3\], got float32\[5,2,3\]"):
        Samples(_arrays() | {"state": np.zeros((5, 2, 3), np.float32)}).fit(STATEFUL)


def test_a_state_without_a_start_value_is_one_line_with_the_call() -> None:
    arrays = {name: array for name, array in _arrays().items() if name != "state"}
    with pytest.raises(DataError, match=r"nothing for input 'state': .* --set state=0"):
        Samples(arrays).fit(STATEFUL)


def test_values_of_the_signature_fill_what_samples_do_not_say() -> None:
    signature = Signature(STATEFUL.inputs, STATEFUL.outputs, values={"state": 0.5, "rate": 16000})
    batch = Samples({"x": _arrays()["x"]}).fit(signature).batch(slice(0, 2))
    assert batch["state"].shape == (2, 2, 3)
    assert (batch["state"] == 0.5).all()
    assert batch["rate"].dtype == np.int64
    assert batch["rate"] == 16000


def test_a_network_without_a_batch_takes_one_sample_a_call() -> None:
    signature = Signature((TensorSpec("x", "float32", (6,)),), (TensorSpec("y", "float32", (2,)),))
    fitted = Samples({"x": np.arange(24, dtype=np.float32).reshape(4, 6)}).fit(signature)
    assert len(fitted) == 4
    assert fitted.one_by_one
    np.testing.assert_array_equal(fitted.batch(slice(2, 3))["x"], np.arange(12, 18, dtype=np.float32))


def test_the_state_of_a_fixed_batch_is_found_by_the_number_of_rows() -> None:
    signature = Signature(
        (TensorSpec("x", "float32", (1, 4)), TensorSpec("h", "float32", (2, 1, 3)), TensorSpec("table", "float32", (3, 2))), ()
    )
    arrays = {**{name: _arrays(7)[name] for name in ("x",)}, "h": np.zeros((2, 7, 3), np.float32), "table": np.ones((3, 2), np.float32)}
    fitted = Samples(arrays).fit(signature)
    assert {name: array.shape for name, array in fitted.batch(slice(0, 1)).items()} == {"x": (1, 4), "h": (2, 1, 3), "table": (3, 2)}


@pytest.mark.parametrize(
    ("first", "shape", "got", "rows"),
    [
        ("batch", ("batch", 4), (5, 4), (5, 4)),
        ("batch", (20, "batch", 4), (20, 5, 4), (5, 20, 4)),
        ("batch", (), (), (1,)),
        (1, (1, 4), (1, 4), (1, 4)),
        (1, ("time", 1, 4), (20, 1, 4), (1, 20, 1, 4)),
        (1, (9, 4), (9, 4), (1, 9, 4)),
        (1, (), (), (1,)),
        (8, (8, 4), (8, 4), (8, 4)),
    ],
)
def test_the_rows_of_an_output_come_first(
    first: int | str, shape: tuple[int | str, ...], got: tuple[int, ...], rows: tuple[int, ...]
) -> None:
    """Of ddddocr, whose only sample has characters by time on the first axis, the user's metric got each character as a sample."""
    spec = TensorSpec("y", "float32", shape)
    signature = Signature((TensorSpec("x", "float32", (first, 2)),), (spec,))
    assert rows_first(np.zeros(got, np.float32), spec, signature).shape == rows
