"""Callers that wait together: each gets its own answer, whatever the others ask."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.streams import summing_net
from toolkit.core import Arrays, EngineError, InputError, Outputs, Signature, SignatureError, TensorSpec
from toolkit.runtimes import Batcher, Session, open_session


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """``y = 10 * (sum + x)``, with ``x`` of [batch, 2] and ``sum`` of [1, batch, 2], whose next value is ``sum_out``."""
    with open_session(summing_net(tmp_path_factory.mktemp("batcher") / "sums.onnx"), engine="onnxruntime") as opened:
        yield opened


def ask(number: float, rows: int = 1) -> dict[str, np.ndarray]:
    return {"x": np.full((rows, 2), number, np.float32), "sum": np.full((1, rows, 2), 0.5, np.float32)}


class Slow:
    """A session that notes the rows of its calls, and takes its time so that others come."""

    def __init__(self, session: Session, seconds: float = 0.01) -> None:
        self.signature, self.rows = session.signature, list[int]()
        self._session, self._seconds = session, seconds
        self.problem = -1.0

    def run(self, inputs: Arrays) -> Outputs:
        time.sleep(self._seconds)
        self.rows.append(len(inputs[0]))  # type: ignore[index]
        if (np.asarray(inputs[0]) == self.problem).any():  # type: ignore[index]
            raise EngineError("that number")
        return self._session.run(inputs)


def test_ten_thousand_callers_in_eight_threads_get_their_own_answers(session: Session) -> None:
    with session.batcher(most=64) as batcher:
        wrong = list[float]()

        def work(first: int) -> None:
            numbers = range(first, 10_000, 8)
            for start in range(0, len(numbers), 50):
                some = numbers[start : start + 50]
                answers = [batcher.submit(ask(number, 1 + number % 3)) for number in some]
                for number, answer in zip(some, answers, strict=True):
                    y, after = answer.result()
                    right = y.shape == (1 + number % 3, 2) and after.shape == (1, 1 + number % 3, 2)
                    wrong.extend([] if right and (y == 10 * (number + 0.5)).all() and (after == number + 0.5).all() else [number])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_those_who_wait_are_joined_up_to_the_most(session: Session) -> None:
    slow = Slow(session)
    with Batcher(slow, most=8) as batcher:
        answers = [batcher.submit(ask(number)) for number in range(33)]
        assert [float(answer.result()["y"][0, 0]) for answer in answers] == [10 * (number + 0.5) for number in range(33)]
    assert max(slow.rows) == 8
    assert len(slow.rows) <= 6, "one alone, then four of eight"


def test_a_delay_waits_for_others_and_a_caller_with_many_rows_is_alone(session: Session) -> None:
    slow = Slow(session, 0)
    with Batcher(slow, most=4, delay_s=5.0) as batcher:
        began = time.monotonic()
        wait([batcher.submit(ask(number)) for number in range(4)])
        assert time.monotonic() - began < 4, "four are enough"
        assert slow.rows == [4]
        assert batcher.submit(ask(7, 9)).result()["y"].shape == (9, 2)
    assert slow.rows == [4, 9]


def test_what_is_wrong_with_one_is_not_the_others(session: Session) -> None:
    slow = Slow(session)
    slow.problem = 3
    with Batcher(slow) as batcher:
        answers = [batcher.submit(ask(number)) for number in range(6)]
        wait(answers)
        assert [number for number, answer in enumerate(answers) if answer.exception()] == [3]
        with pytest.raises(SignatureError, match="wrong input names"):
            batcher.submit({"x": np.zeros((1, 2), np.float32)})
        with pytest.raises(EngineError, match="that number"):
            batcher.run(ask(3))


def test_coroutines_and_one_that_goes_away(session: Session) -> None:
    async def all_of_them(batcher: Batcher) -> list[Any]:
        tasks = [asyncio.create_task(batcher.answer(ask(number))) for number in range(20)]
        await asyncio.sleep(0)
        tasks[11].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    with Batcher(Slow(session)) as batcher:
        found = asyncio.run(all_of_them(batcher))
    assert isinstance(found.pop(11), asyncio.CancelledError)
    assert [float(each["y"][0, 0]) for each in found] == [10 * (number + 0.5) for number in range(20) if number != 11]


def test_closing_answers_those_who_wait_and_refuses_others(session: Session) -> None:
    batcher = Batcher(Slow(session))
    answers: list[Future[Outputs]] = [batcher.submit(ask(number)) for number in range(5)]
    batcher.close()
    batcher.close()
    assert all(answer.done() and not answer.exception() for answer in answers)
    with pytest.raises(EngineError, match="the batcher is closed"):
        batcher.submit(ask(1))


def test_too_many_who_wait_are_refused(session: Session) -> None:
    with Batcher(Slow(session, 0.2), most=1, waiting=2) as batcher:
        first = batcher.submit(ask(0))
        time.sleep(0.05)
        kept = [batcher.submit(ask(number)) for number in (1, 2)]
        with pytest.raises(EngineError, match="2 callers wait already"):
            batcher.submit(ask(3))
        wait([first, *kept])


def test_what_cannot_be_joined_is_refused(session: Session) -> None:
    def network(first: int | str, out: tuple[int | str, ...]) -> Any:
        slow = Slow(session)
        slow.signature = Signature((TensorSpec("x", "float32", (first, 2)),), (TensorSpec("y", "float32", out),))
        return slow

    with pytest.raises(SignatureError, match="joins samples of a free batch"):
        Batcher(network(1, (1, 2)))
    with pytest.raises(SignatureError, match=r"cannot be divided among callers: expected an axis 'batch' in each, got y"):
        Batcher(network("batch", (3, 2)))
    with pytest.raises(InputError, match="most: expected at least 1, got 0"):
        Batcher(session, most=0)


def test_other_sizes_wait_for_their_own_call(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "any",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "length"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "length"])],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "any.onnx")
    with open_session(tmp_path / "any.onnx", engine="onnxruntime") as opened, Batcher(Slow(opened)) as batcher:
        arrays = [np.full((1, 1 + number % 3), number, np.float32) for number in range(30)]
        answers = [batcher.submit(array) for array in arrays]
        for array, answer in zip(arrays, answers, strict=True):
            np.testing.assert_array_equal(answer.result()["y"], -array)
