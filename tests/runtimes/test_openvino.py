"""OpenVINO on bare files."""

from __future__ import annotations

from pathlib import Path

from tests.streams import summing_net
from toolkit.runtimes import open_session


def test_outputs_of_a_bare_file_are_called_as_in_the_file(tmp_path: Path) -> None:
    """Its compiler moves a squeeze behind the product, which then has both names: the session gave the first by the alphabet, ``plain``."""
    with open_session(summing_net(tmp_path / "sums.onnx"), engine="openvino") as session:
        assert [spec.name for spec in session.signature.outputs] == ["y", "sum_out"]
