"""What OpenVINO does to the signals of a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino")
_MODEL = """
import openvino
from openvino import opset13
x = opset13.parameter([-1, 4], openvino.Type.f32, name="x")
model = openvino.Model([opset13.relu(x)], [x], "net")
for port in (*model.inputs, *model.outputs):
    port.get_tensor().set_names({"x" if port in model.inputs else "y"})
openvino.save_model(model, "model.xml", compress_to_fp16=False)
"""
_SESSION = """
import toolkit
held = [toolkit.load("model.xml", engine="openvino")]
held[0].run(numpy.zeros((1, 4), numpy.float32))
"""
_TRACE = """
from toolkit.core import Signature, TensorSpec
from toolkit.runtimes.intermediates.openvino import OpenVinoTracer
signature = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 4)),))
held = [OpenVinoTracer().open(Path("model.xml"), signature, 1)]
held[0].run([[numpy.zeros((1, 4), numpy.float32)]], {})
"""
_END = """
end = threading.Thread(target=lambda: (held.clear(), gc.collect()))
end.start()
end.join()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="another system's signals")
@pytest.mark.parametrize("use", [_SESSION, _TRACE], ids=["session", "trace"])
def test_ctrl_c_comes_after_a_network_went_in_another_thread(tmp_path: Path, use: str) -> None:
    """The process ended by SIGSEGV without a word: OpenVINO had unmapped the stack on which the main thread handles signals."""
    head = "import gc, os, signal, threading, time\nfrom pathlib import Path\nimport numpy\n"
    done = subprocess.run([sys.executable, "-c", head + _MODEL + use + _END], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
