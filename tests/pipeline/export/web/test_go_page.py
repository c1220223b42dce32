"""The board in a real headless Chromium: a game against a net by mouse and keyboard, records, both widths, and without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pages import browser, faults_of
from tests.pipeline.export.visits import Visit, hosted, installed, ready, visit
from toolkit.models.alphago.games import Go, Position
from toolkit.models.alphago.sgf import SgfGame, SgfMove, parse_sgf, sgf_text
from toolkit.models.alphago.shipped import shipped_net
from toolkit.pipeline.export.web import export_web

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["browser", "installed", "visit"]
PLAYOUTS = 16
RULES = Go(7, komi=9.0)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_web(shipped_net("go-7x7") / "onnx-int8", tmp_path_factory.mktemp("board") / "site").folder


@pytest.fixture
def page(site: Path, visit: Visit) -> Iterator[Page]:
    with hosted(site) as host, visit(host) as tab:
        tab.select_option("#playouts", str(PLAYOUTS))
        yield tab


def moves(page: Page, *, expect: int) -> list[str]:
    """The moves of the game once there are so many and nobody thinks."""
    page.wait_for_function(
        "count => { const {moves, thinking} = document.querySelector('#view').dataset; return thinking === 'false' &&"
        " moves.split(' ').filter(Boolean).length === count; }",
        arg=expect,
        timeout=60_000,
    )
    return (page.get_attribute("#view", "data-moves") or "").split()


def replayed(names: list[str]) -> Position:
    """The game as the toolkit's own rules know it, which refuse what is not legal."""
    position = Position(RULES)
    for name in names:
        position.play(RULES.action_of(name))
    return position


def stones(page: Page) -> dict[str, str]:
    """What the points say to a screen reader that are not empty."""
    labels: list[str] = page.eval_on_selector_all(".points button", "points => points.map(point => point.ariaLabel)")
    assert len(labels) == 49
    return dict(label.split(", ", 1) for label in labels if not label.endswith("empty"))


def test_a_move_is_answered_shown_spoken_and_taken_back(page: Page) -> None:
    assert page.inner_text("h1") == "Play Go"
    page.click("[data-cell=D4]")
    first, answer = moves(page, expect=2)
    assert first == "D4"
    assert stones(page) == {"D4": "black stone", answer: "white stone, last move"}
    assert page.inner_text("#spoken") == f"White {answer}. Your move."
    assert page.inner_text("#turn") == "Your move"
    visits = page.eval_on_selector_all(
        "#candidates tbody tr", "rows => rows.map(row => [row.cells[0].textContent, Number(row.cells[1].textContent)])"
    )
    assert visits[0][0] == answer
    assert 0 < sum(count for _, count in visits) <= PLAYOUTS
    shares = [float(text) for name in ("#black", "#white") for text in re.findall(r"[\d.]+", page.inner_text(name))]
    assert sum(shares) == pytest.approx(100, abs=0.11)
    page.click("[data-cell=D4]")
    assert page.inner_text("#detail") == "D4 is not legal: the point is occupied."
    assert page.inner_text("#spoken") == "D4 is not legal: the point is occupied."
    page.click("#undo")
    assert moves(page, expect=0) == []
    assert stones(page) == {}
    assert page.is_disabled("#undo")


LARGE = """async () => {
  const {board} = await import('./go-board.js');
  const {Go} = await import('./go-rules.js');
  const rules = new Go({size: 19, komi: 7});
  const state = rules.start();
  for (const cell of [0, 18, 342, 360, 180]) rules.play(state, cell);
  const tips = [{action: 200, winRate: 0.51}, {action: 201, winRate: 0.49}];
  board(document.querySelector('#goban'), rules, () => {}).show(state, {last: 180, turn: 2, tips});
}"""
OFFSETS = """() => {
  const stones = [...document.querySelectorAll('#goban .stone')];
  const taken = [...document.querySelectorAll('.points button')].filter(button => !button.ariaLabel.endsWith('empty'));
  const middle = ({left, top, width, height}) => [left + width / 2, top + height / 2];
  return taken.map((button, place) => {
    const [[x, y], [u, v]] = [button, stones[place]].map(each => middle(each.getBoundingClientRect()));
    return Math.hypot(x - u, y - v);
  });
}"""


def test_a_point_is_where_its_stone_is_drawn_and_the_largest_board_fits(page: Page) -> None:
    page.click("[data-cell=A1]")
    moves(page, expect=2)
    assert max(page.evaluate(OFFSETS)) < 1
    page.evaluate(LARGE)
    offsets = page.evaluate(OFFSETS)
    assert len(offsets) == 5
    assert max(offsets) < 1
    assert faults_of(page) == []


def test_the_keyboard_plays_passes_asks_and_takes_back(page: Page) -> None:
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Enter"):  # The first one goes into the board.
        page.keyboard.press(key)
    names = moves(page, expect=2)
    assert names[0] == "E5"
    assert page.evaluate("document.activeElement.ariaLabel") == "E5, black stone"
    assert page.locator(".points button[tabindex='0']").count() == 1
    page.keyboard.press("h")
    page.wait_for_function("document.querySelector('#spoken').textContent.startsWith('The network would play')")
    assert page.locator("#goban .tip").count() > 0
    assert faults_of(page) == []
    page.keyboard.press("p")
    names = moves(page, expect=4)
    assert names[2] == "pass"
    assert page.locator("#goban .tip").count() == 0, "of a position that is gone"
    page.keyboard.press("u")
    assert moves(page, expect=2) == names[:2]
    replayed(names)


def test_a_game_is_played_to_its_end_and_its_record_is_the_same(page: Page, tmp_path: Path) -> None:
    page.select_option("#colour", "0")
    page.fill("#komi", "8.5")
    page.click("#new button[type=submit]")
    played = ["D4", "D3", "E4", "E3", "C4", "C3", "B4", "B3", "F4", "F3", "G4", "G3", "A4", "A3", "pass", "pass"]
    for count, name in enumerate(played, 1):
        page.click("#pass" if name == "pass" else f"[data-cell={name}]")
        moves(page, expect=count)
    assert page.inner_text("#turn") == "White wins by 1.5."  # 28 points against 21 and komi
    assert page.locator("#goban .area.black").count() == 21
    assert faults_of(page) == []
    with page.expect_download() as download:
        page.click("#save")
    record = tmp_path / "game.sgf"
    download.value.save_as(record)
    read = parse_sgf(record.read_bytes())
    assert (read.size, read.komi, read.result) == (7, 8.5, "W+1.5")
    assert [RULES.action_name(move.action) for move in read.moves] == played
    page.click("#new button[type=submit]")
    moves(page, expect=0)
    page.set_input_files("#file", record)
    assert moves(page, expect=len(played)) == played
    assert page.inner_text("#turn") == "White wins by 1.5."
    assert page.input_value("#komi") == "8.5"


def test_a_record_goes_on_from_where_it_ends_and_a_wrong_one_changes_nothing(page: Page, tmp_path: Path) -> None:
    texts = {
        "good": sgf_text(SgfGame(7, 9.0, (SgfMove(0, 24), SgfMove(1, 16), SgfMove(0, 32)))),
        "size": sgf_text(SgfGame(9, 7.0)),
        "illegal": sgf_text(SgfGame(7, 9.0, (SgfMove(0, 24), SgfMove(1, 24)))),
        "none": "no record",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.sgf").write_text(text)
    page.set_input_files("#file", tmp_path / "good.sgf")
    assert moves(page, expect=3) == ["D4", "C5", "E3"]
    assert page.inner_text("#turn") == "Your move", "White's, who is to move"
    for name, words in {
        "size": "expected a record on 7 x 7, got 9 x 9",
        "illegal": "move 2 of the record: D4 is not legal: the point is occupied",
        "none": "expected a game record (SGF)",
    }.items():
        page.set_input_files("#file", tmp_path / f"{name}.sgf")
        page.wait_for_function("words => document.querySelector('.alert')?.textContent === words", arg=words)
        assert moves(page, expect=3) == ["D4", "C5", "E3"]
    page.click("[data-cell=E5]")
    assert moves(page, expect=5)[:4] == ["D4", "C5", "E3", "E5"]


def test_white_begins_after_a_handicap_and_the_page_needs_no_network(page: Page) -> None:
    page.select_option("#handicap", "2")
    page.select_option("#colour", "1")
    page.click("#new button[type=submit]")
    (answer,) = moves(page, expect=1)
    assert stones(page) == {"C3": "black stone", "E5": "black stone", answer: "white stone, last move"}
    assert page.is_disabled("#undo"), "the network's own move is not yours to take back"
    page.context.set_offline(True)
    page.reload()
    ready(page)
    assert "works without a network" in page.inner_text("#facts")
    page.select_option("#playouts", str(PLAYOUTS))
    page.select_option("#colour", "2")
    page.click("#new button[type=submit]")
    moves(page, expect=1)
    page.click("[data-cell=A1]")
    assert moves(page, expect=3)[1] == "A1"
