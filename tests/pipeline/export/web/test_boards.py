"""Which models get the board of a game, and with which files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.core import Artifact, Format, Manifest, Scalar
from toolkit.models.alphago.shipped import shipped_net, shipped_nets
from toolkit.pipeline.export.web import export_web
from toolkit.pipeline.export.web.boards import Board, board_of, files_of_board
from toolkit.runtimes.browser.packages import NODE_PARTS, missing, repair


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Artifact.load(shipped_net("go-9x9") / "onnx-int8").manifest


def with_details(manifest: Manifest, **details: Scalar) -> Manifest:
    return replace(manifest, details={**manifest.details, **details})


def test_every_net_that_comes_with_the_project_gets_its_board() -> None:
    for name, folder in shipped_nets().items():
        for precision in ("fp32", "int8"):
            known = Artifact.load(folder / f"onnx-{precision}").manifest
            board = board_of(known)
            size = int(name.rpartition("x")[2])
            rules = {"komi": known.details["komi"], "score_weight": known.details["score_weight"]}
            assert board == Board("go", size, size, rules)  # type: ignore[arg-type]


@pytest.mark.parametrize("game", ["connect-four-7x6", "gomoku-9x9", "tic-tac-toe", "go-7x7", "go", "", "../go-9x9"])
def test_another_game_or_size_has_no_board(manifest: Manifest, game: str) -> None:
    assert board_of(with_details(manifest, game=game)) is None


def test_what_is_no_policy_value_net_in_onnx_has_none(manifest: Manifest) -> None:
    assert board_of(manifest) is not None
    assert board_of(replace(manifest, format=Format.TFLITE)) is None
    assert board_of(replace(manifest, details={})) is None
    outputs = manifest.signature.outputs
    assert board_of(replace(manifest, signature=replace(manifest.signature, outputs=outputs[:1]))) is None


def test_a_game_brings_the_files_of_its_own_and_of_all_games() -> None:
    names = set(files_of_board(Board("go", 9, 9, {})))
    assert {"go.js", "go.html", "go.css", "go-rules.js", "search.js", "worker.js", "thinker.js", "net.js"} <= names
    assert not {name for name in files_of_board(Board("other", 9, 9, {})) if name.startswith("go")}


def test_the_page_knows_its_game_and_keeps_its_files(tmp_path: Path, manifest: Manifest) -> None:
    if absent := missing(NODE_PARTS[1:]):
        pytest.skip(f"{absent}; run: {repair(NODE_PARTS[1:])}")
    site = export_web(shipped_net("go-9x9") / "onnx-int8", tmp_path / "site")
    about = json.loads((site.folder / "model.json").read_text())
    assert about["game"] == {"family": "go", "width": 9, "height": 9, "rules": {"komi": 7.0, "score_weight": 0.1}}
    board = board_of(manifest)
    assert board is not None
    worker = (site.folder / "sw.js").read_text()
    for name in files_of_board(board):
        assert (site.folder / name).is_file()
        assert f'"{name}"' in worker, "a page without a network has it"
