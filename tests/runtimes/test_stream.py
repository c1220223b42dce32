"""Streams: states are kept, begin anew, and are each caller's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.streams import summing_net
from toolkit.core import EngineError, SignatureError
from toolkit.runtimes import Session, open_session

ONE = np.ones((1, 2), np.float32)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return summing_net(tmp_path_factory.mktemp("stream") / "sums.onnx")


@pytest.fixture
def session(net: Path) -> Iterator[Session]:
    with open_session(net, engine="onnxruntime") as opened:
        yield opened


def test_a_step_goes_on_where_the_last_one_ended(session: Session) -> None:
    stream = session.stream()
    assert stream.states == {}
    answers = [stream.run(ONE * number) for number in (1, 2, 3)]
    assert [float(each["y"][0, 0]) for each in answers] == [10, 30, 60]
    assert answers[0].keys() == ("y",), "the state is no answer"
    assert stream.steps == 3
    np.testing.assert_array_equal(stream.states["sum"], np.full((1, 1, 2), 6, np.float32))


def test_it_begins_anew_from_zero_or_what_is_said(session: Session) -> None:
    stream = session.stream(start={"sum": 5})
    assert float(stream.run(ONE)["y"][0, 0]) == 60
    stream.reset()
    assert (float(stream.run(ONE)["y"][0, 0]), stream.steps) == (60, 1)
    stream.reset({"sum": np.arange(2, dtype=np.float32).reshape(1, 1, 2)})
    assert stream.run({"x": ONE})["y"].tolist() == [[10, 20]]


def test_two_streams_of_one_session_know_nothing_of_each_other(session: Session) -> None:
    first, second = session.stream(), session.stream()
    first.run(ONE * 100)
    assert float(second.run(ONE)["y"][0, 0]) == 10


def test_samples_beside_each_other_have_states_of_their_own(session: Session) -> None:
    stream = session.stream()
    both = np.array([[1, 1], [5, 5]], np.float32)
    stream.run(both)
    assert stream.run(both)["y"][:, 0].tolist() == [20, 100]
    with pytest.raises(SignatureError, match="dimension 'batch' differs between inputs"):
        stream.run(ONE)
    assert stream.run(both)["y"][:, 0].tolist() == [30, 150], "a step that was refused is none"


def test_every_call_of_several_threads_is_a_step(session: Session) -> None:
    stream = session.stream()

    def work() -> None:
        for _ in range(50):
            stream.run(ONE)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert float(stream.states["sum"][0, 0, 0]) == 400
    assert stream.steps == 400


def test_an_engine_of_its_own_process_keeps_states_too(net: Path) -> None:
    with open_session(net, engine="onnxruntime", isolated=True) as session:
        stream = session.stream()
        assert [float(stream.run(ONE)["y"][0, 0]) for _ in range(3)] == [10, 20, 30]


def test_what_is_no_stream_is_one_line(session: Session, tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="no state 'sum' with next value 'y'"):
        session.stream(states={"sum": "y"})
    with pytest.raises(SignatureError, match=r"start of 'x': expected a state: sum"):
        session.stream(start={"x": 1})
    with pytest.raises(SignatureError, match="wrong input names: expected x, got picture"):
        session.stream().run({"picture": ONE})
    with pytest.raises(SignatureError, match="wrong number of inputs: expected 1: x, got 2"):
        session.stream().run([ONE, ONE])
    with open_session(summing_net(tmp_path / "other.onnx", memory="a", total="b")) as other:
        with pytest.raises(SignatureError, match=r"no state is known by its name.*states=\{'h': 'h_out'\}"):
            other.stream()
        assert float(other.stream(states={"a": "b"}).run(ONE)["y"][0, 0]) == 10


def test_a_size_that_no_input_says_is_not_guessed(net: Path) -> None:
    """OpenVINO does not say of a bare file which free sizes are one; an attention cache one longer than it should be would be wrong."""
    with open_session(net, engine="openvino") as session:
        with pytest.raises(SignatureError, match=r"state 'sum' has a size that no input says.*start=\{'sum': array\}"):
            session.stream().run(ONE)
        stream = session.stream(start={"sum": np.zeros((1, 1, 2), np.float32)})
        assert [float(stream.run(ONE)["y"][0, 0]) for _ in range(2)] == [10, 20]


def test_a_closed_session_ends_its_streams_and_keeps_their_states(net: Path) -> None:
    session = open_session(net, engine="onnxruntime")
    stream = session.stream()
    stream.run(ONE)
    session.close()
    with pytest.raises(EngineError, match="the session is closed"):
        stream.run(ONE)
    assert float(stream.states["sum"][0, 0, 0]) == 1
