"""The page's modules in Node: each call is one process that runs a script beside this file on a folder with the modules."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from toolkit.pipeline.export.web import boards
from toolkit.runtimes.browser.packages import NODE_PARTS, node

HERE = Path(__file__).parent
GAMES = Path(boards.__file__).parent / "games"


def modules(folder: Path) -> Path:
    """A folder with the modules of all games, as a page has them beside each other; skips where there is no Node."""
    if problem := NODE_PARTS[0].problem():
        pytest.skip(f"Node is {problem}; run: {NODE_PARTS[0].command}")
    folder.mkdir(exist_ok=True)
    for file in GAMES.glob("*.js"):
        shutil.copyfile(file, folder / file.name)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def run_node(script: str, folder: Path, given: object) -> Any:
    """What `script` writes as JSON when it is given the folder of `modules` and, on its input, `given` as JSON."""
    command = [str(node()), str(HERE / script), str(folder)]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
