"""One process that holds a net for all processes of self-play and joins their batches: on a GPU one large batch costs hardly more than a
small one, and several processes there take turns.

Positions and answers lie in memory that both sides see; a message says only how many there are.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

import numpy as np

from toolkit.core import DeviceError, EngineError, ProcessError, needs, words_of
from toolkit.core.threads import let_threads_sleep
from toolkit.models.alphago.games import Game
from toolkit.models.alphago.net import NetOptions, build_net
from toolkit.runtimes import find_runtime

_STEP = 256
"""On a GPU a batch is filled up to a multiple of this: torch plans anew for each size that it has not seen."""


@dataclass(frozen=True)
class Seat:
    """Where one process asks: ``rows`` positions at once at most. ``bits`` and ``answers`` are shared memory for ``[rows, bytes]`` uint8,
    a position's planes as bits, and ``[rows, A + 1]`` float32, logits and the value.
    """

    connection: Connection
    rows: int
    bits: Any
    answers: Any

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """``bits`` and ``answers`` as arrays of their shapes."""
        return np.frombuffer(self.bits, np.uint8).reshape(self.rows, -1), np.frombuffer(self.answers, np.float32).reshape(self.rows, -1)


class SeatEvaluator:
    """``planes [B, C, H, W]`` float32 of zeros and ones -> policy logits ``[B, A]`` and value ``[B]`` float32, by the net's process."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._bits, self._answers = seat.arrays()

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Raises `EngineError` for what the net could not do, `ProcessError` when its process has ended."""
        parts = [self._ask(planes[start : start + self._seat.rows]) for start in range(0, len(planes), self._seat.rows)]
        answers = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return answers[:, :-1], answers[:, -1]

    def _ask(self, planes: np.ndarray) -> np.ndarray:
        rows = len(planes)
        self._bits[:rows] = np.packbits(planes.reshape(rows, -1) != 0, axis=1)
        _tell(self._seat.connection, str(rows))
        return self._answers[:rows].copy()


class JoinedNet:
    """The process of the net, as a context manager: ``seats`` are what `processes` others ask by, `rows` positions at once at most.

    Answers are fp32 on the CPU, of fp16 products on a GPU. Raises `DeviceError` for a device that torch does not have.
    """

    def __init__(self, game: Game, net: NetOptions, *, processes: int, rows: int, device: str) -> None:
        here = find_runtime("torch").devices()
        if device not in (*here, "auto"):
            raise DeviceError(f"torch has no device '{device}' here", expected=f"one of {', '.join(here)}", hint="run: toolkit doctor")
        context = multiprocessing.get_context("spawn")
        width = (game.planes * game.height * game.width + 7) // 8
        pipes = [context.Pipe() for _ in range(processes + 1)]
        self.seats = tuple(
            Seat(ours, rows, context.RawArray("B", rows * width), context.RawArray("f", rows * (game.actions + 1))) for ours, _ in pipes[1:]
        )
        self._connection, theirs = pipes[0]
        served = [Seat(end, seat.rows, seat.bits, seat.answers) for seat, (_, end) in zip(self.seats, pipes[1:], strict=True)]
        gpu = (here[0] if device == "auto" else device) != "cpu"
        self._process = context.Process(target=_serve, args=(theirs, served, game, net, gpu), daemon=True)
        self._process.start()
        for _, end in pipes:
            end.close()

    def use(self, weights: Path) -> None:
        """Answer with these weights from now on, a safetensors file of the whole net's state."""
        _tell(self._connection, str(weights))

    def close(self) -> None:
        """End the process; who asks then gets a `ProcessError`."""
        for connection in (self._connection, *(seat.connection for seat in self.seats)):
            connection.close()
        self._process.kill()
        self._process.join()

    def __enter__(self) -> JoinedNet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _tell(connection: Connection, message: str) -> None:
    """Send `message` and wait until it is done; the reply says what went wrong, or nothing."""
    try:
        connection.send_bytes(message.encode())
        failed = connection.recv_bytes().decode()
    except (EOFError, OSError) as error:
        raise ProcessError("the process of the net has ended", hint="run the same command again with --resume") from error
    if failed:
        raise EngineError(f"the net failed: {failed}", hint="fewer concurrent games need less memory")


def _serve(control: Connection, seats: Sequence[Seat], game: Game, options: NetOptions, gpu: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it ends this process.
    let_threads_sleep()
    with needs("train"):
        from safetensors.torch import load_file

    net = build_net(game, options).eval()
    answer = _answering(net, seats, game, gpu=gpu)
    asking = {seat.connection: index for index, seat in enumerate(seats)}
    while True:
        ready = cast("list[Connection]", wait([control, *asking]))
        try:
            if control in ready:
                net.load_state_dict(load_file(control.recv_bytes().decode()))
                control.send_bytes(b"")
                continue
        except (EOFError, OSError):
            return
        counts = {}
        for connection in ready:
            try:
                counts[asking[connection]] = int(connection.recv_bytes())
            except (EOFError, OSError):
                del asking[connection]  # That process has ended.
        failed = _failure(answer, counts)
        for index in counts:
            try:
                seats[index].connection.send_bytes(failed)
            except OSError:
                asking.pop(seats[index].connection, None)


def _failure(answer: Callable[[dict[int, int]], None], counts: dict[int, int]) -> bytes:
    """What kept `answer` from its work, in one line; nothing if nothing did."""
    try:
        answer(counts)
    except Exception as error:
        return words_of(error).encode() or b"error"
    return b""


def _answering(net: Any, seats: Sequence[Seat], game: Game, *, gpu: bool) -> Callable[[dict[int, int]], None]:
    """What answers ``{seat: rows}`` with one call of `net`: bits go to the device as they are and become planes there."""
    import torch

    device = torch.device("cuda" if gpu else "cpu")
    net.to(device, memory_format=torch.channels_last)
    arrays = [seat.arrays() for seat in seats]
    most = -(-sum(seat.rows for seat in seats) // _STEP) * _STEP
    bits = torch.zeros((most, arrays[0][0].shape[1]), dtype=torch.uint8, pin_memory=gpu)
    answers = torch.zeros((most, game.actions + 1), dtype=torch.float32, pin_memory=gpu)
    bits_array, answers_array, there = bits.numpy(), answers.numpy(), torch.zeros_like(bits, device=device)
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=device)
    size, shape = game.planes * game.height * game.width, (game.planes, game.height, game.width)

    def forward(rows: int) -> torch.Tensor:
        spread = (there[:rows, :, None] >> shifts) & 1
        planes = spread.flatten(1)[:, :size].reshape(rows, *shape).to(torch.float32, memory_format=torch.channels_last)
        with torch.autocast("cuda", torch.float16, cache_enabled=False) if gpu else nullcontext():
            logits, values = net(planes)
        return torch.cat([logits.float(), values.float()[:, None]], dim=1)

    compute = _recorded(forward) if gpu else forward

    def answer(counts: dict[int, int]) -> None:
        total = 0
        for index, rows in counts.items():
            bits_array[total : total + rows] = arrays[index][0][:rows]
            total += rows
        padded = -(-total // _STEP) * _STEP if gpu else total
        there[:padded].copy_(bits[:padded], non_blocking=True)
        with torch.inference_mode():
            answers[:padded].copy_(compute(padded))
        place = 0
        for index, rows in counts.items():
            arrays[index][1][:rows] = answers_array[place : place + rows]
            place += rows

    return answer


def _recorded(forward: Callable[[int], Any]) -> Callable[[int], Any]:
    """`forward` as CUDA graphs, one for each number of rows: Python needs longer to start its kernels than they run."""
    import torch

    graphs: dict[int, tuple[Any, Any]] = {}
    pool = torch.cuda.graph_pool_handle()  # One for all: each output is read before the next graph runs.

    def replay(rows: int) -> Any:
        if rows not in graphs:
            forward(rows)  # What is planned and allocated once must not be in the graph.
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool):
                output = forward(rows)
            graphs[rows] = graph, output
        graph, output = graphs[rows]
        graph.replay()
        return output

    return replay
