"""What `Session.run` costs above each engine's own fastest call, on the smallest reference model.

    python benchmarks/overhead.py --json out.json

The baseline is the least that the engine lets anyone do: buffers are bound once, the same input is used again, and where the engine
allows it nothing is copied and the caller gets no array of his own. `Session.run` checks its input, copies it in, and returns arrays
that belong to the caller; ``owned_us`` is the engine's own fastest way to the same. Rounds alternate in a random order, one thread.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Interval, Precision, bootstrap_median, write_file
from toolkit.runtimes import SessionOptions, runtimes_for

Call = Callable[[], Any]

BUDGET_US = 2.0
BUDGET_SHARE = 0.05


@dataclass(frozen=True)
class Overhead:
    """Microseconds a call; ``above`` is the median over rounds of session minus raw in the same round, with its 95 % interval."""

    engine: str
    format: str
    model: str
    raw_us: float
    owned_us: float
    session_us: float
    above: Interval
    budget_us: float

    @property
    def within_budget(self) -> bool:
        """Whether the overhead is at most 2 us or 5 % of the raw call, whichever is more."""
        return self.above.value <= self.budget_us


@contextmanager
def raw_calls(engine: str, file: Path, x: np.ndarray) -> Iterator[tuple[Call, Call]]:
    """The engine's own fastest call on one thread, and the fastest that copies in and gives the caller arrays of his own."""
    yield _RAW[engine](file, x)


def _onnxruntime(file: Path, x: np.ndarray) -> tuple[Call, Call]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    binding, source, target = session.io_binding(), session.get_inputs()[0].name, session.get_outputs()[0].name
    output = np.empty_like(session.run(None, {source: x})[0])
    given = x.copy()
    binding.bind_input(source, "cpu", 0, np.float32, given.shape, given.ctypes.data)
    binding.bind_output(target, "cpu", 0, np.float32, output.shape, output.ctypes.data)

    def owned() -> Any:
        given[...] = x
        session.run_with_iobinding(binding)
        return output.copy()

    return partial(session.run_with_iobinding, binding), owned


def _openvino(file: Path, x: np.ndarray) -> tuple[Call, Call]:
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    request = core.compile_model(core.read_model(file), "CPU", settings).create_infer_request()
    given = x.copy()
    request.set_input_tensor(0, openvino.Tensor(given, shared_memory=True))

    def owned() -> Any:
        given[...] = x
        return next(iter(request.infer().values()))

    return partial(request.infer, share_outputs=True), owned


def _tflite(interpreter: Any, x: np.ndarray) -> tuple[Call, Call]:
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.set_tensor(source, x)

    def owned() -> Any:
        interpreter.set_tensor(source, x)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return interpreter.invoke, owned


def _litert(file: Path, x: np.ndarray) -> tuple[Call, Call]:
    from ai_edge_litert.interpreter import Interpreter

    return _tflite(Interpreter(model_path=str(file), num_threads=1), x)


def _tensorflow(file: Path, x: np.ndarray) -> tuple[Call, Call]:
    from tensorflow.lite.python.interpreter import Interpreter

    return _tflite(Interpreter(model_path=str(file), num_threads=1), x)


def _torch(file: Path, x: np.ndarray) -> tuple[Call, Call]:
    import torch

    torch.set_num_threads(1)
    module = torch.export.load(file).module(check_guards=False).requires_grad_(requires_grad=False)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    module.recompile()
    tensor, forward = torch.from_numpy(x), module.forward
    return partial(forward, tensor), lambda: forward(torch.from_numpy(x))[0].numpy()  # noqa: PLW0108 - each call makes its own tensor


_RAW: dict[str, Callable[[Path, np.ndarray], tuple[Call, Call]]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "litert": _litert,
    "tensorflow": _tensorflow,
    "torch": _torch,
}


def measure_overhead(artifact: Artifact, engine: str, *, rounds: int = 60, calls: int = 200, warm_up: int = 500, seed: int = 0) -> Overhead:
    """Compare the engine's calls and `Session.run` on `artifact` in interleaved rounds of `calls` calls, batch 1, one thread."""
    (spec,) = artifact.manifest.signature.inputs
    x = np.random.default_rng(seed).standard_normal(spec.concrete(1)).astype(spec.dtype)
    runtime = next(r for r in runtimes_for(artifact.manifest.format, Precision.FP32) if r.name == engine)
    order = random.Random(seed)
    with (
        runtime.open(artifact, SessionOptions(threads=1)) as session,
        raw_calls(engine, artifact.model_file, x) as (raw, owned),
    ):
        cases: dict[str, Call] = {"raw": raw, "owned": owned, "session": partial(session.run, x)}
        times: dict[str, list[float]] = {name: [] for name in cases}
        for call in cases.values():
            _time(call, warm_up)
        for _ in range(rounds):
            for name in order.sample(list(cases), len(cases)):
                times[name].append(_time(cases[name], calls))
    differences = [ours - raw_us for ours, raw_us in zip(times["session"], times["raw"], strict=True)]
    raw_us = float(np.median(times["raw"]))
    return Overhead(
        engine=engine,
        format=artifact.manifest.format,
        model=f"{artifact.manifest.model} {list(x.shape)}",
        raw_us=raw_us,
        owned_us=float(np.median(times["owned"])),
        session_us=float(np.median(times["session"])),
        above=bootstrap_median(differences),
        budget_us=max(BUDGET_US, BUDGET_SHARE * raw_us),
    )


def _time(call: Call, calls: int) -> float:
    """Microseconds a call, over one round."""
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - start) / calls / 1e3


def main() -> int:
    """Measure every installed engine on the digits and the Fashion-MNIST size; 1 when one is over its budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--engine", action="append", help="only this engine; may be given several times")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.runtimes.nets import NETS, make_artifacts

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cnn", "cnn28"):
            for format, artifact in make_artifacts(NETS[name], Path(folder) / name).items():
                engines = [runtime.name for runtime in runtimes_for(format) if runtime.name in (options.engine or _RAW)]
                rows += [measure_overhead(artifact, engine, rounds=options.rounds) for engine in engines]
    for row in rows:
        print(
            f"{row.model:<20} {row.format:<9} {row.engine:<12} raw {row.raw_us:7.2f}  owned {row.owned_us:7.2f}"
            f"  session {row.session_us:7.2f}  above {row.above.value:6.2f} [{row.above.low:.2f}, {row.above.high:.2f}] us"
            f"  budget {row.budget_us:.2f}  {'within' if row.within_budget else 'OVER'}"
        )
    if options.json:
        write_file(options.json, json.dumps([{**asdict(row), "within_budget": row.within_budget} for row in rows], indent=2) + "\n")
    return 0 if all(row.within_budget for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
