"""The net, the replay window, the learner and its checkpoint, on small boards with known answers."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core import ArtifactError, DataError, InputError, SignatureError
from toolkit.models.alphago.checkpoint import CHECKPOINT, Standing, load, save
from toolkit.models.alphago.games import FIRST, SECOND, Game, Gomoku, TicTacToe
from toolkit.models.alphago.learner import Learner, LearnerOptions
from toolkit.models.alphago.net import NetOptions, build_net, export_net, signature_of
from toolkit.models.alphago.record import NOBODY, GameRecord
from toolkit.models.alphago.replay import Replay
from toolkit.runtimes import open_session

SMALL = NetOptions(blocks=2, channels=8, pooling=True, ownership=True, score=True)
FAST = LearnerOptions(batch_size=32, learning_rate=1e-2, warm_up=5, average=0.5, bf16=False)


def record_of(game: Game, actions: list[int], *, outcome: float = 1.0, full: bool = True) -> GameRecord:
    """A game with these moves, each of them its own policy target."""
    states, planes, mover = game.new(1), [], []
    row = np.array([0])
    for action in actions:
        seen = np.empty((1, game.planes, game.height, game.width), np.float32)
        game.encode(states, row, seen)
        planes.append(np.packbits(seen.reshape(-1) != 0))
        mover.append(int(game.to_move(states, row)[0]))
        game.play(states, row, np.array([action]))
    return GameRecord(
        actions=np.array(actions, np.int16),
        planes=np.stack(planes),
        policy=np.eye(game.actions, dtype=np.float16)[actions],
        full=np.full(len(actions), full),
        values=np.zeros(len(actions), np.float32),
        mover=np.array(mover, np.int8),
        outcome=outcome,
    )


def test_signature_and_outputs() -> None:
    game = Gomoku(7)
    net = build_net(game, SMALL).eval()
    assert str(signature_of(game)) == "(planes:float32[batch,3,7,7]) -> (policy:float32[batch,49], value:float32[batch])"
    with torch.no_grad():
        policy, value = net(torch.rand(5, 3, 7, 7))
        heads = net.heads(torch.rand(5, 3, 7, 7))
    assert policy.shape == (5, 49)
    assert value.shape == (5,)
    assert value.abs().max() <= 1
    assert {name: tuple(tensor.shape) for name, tensor in heads.items()} == {
        "policy": (5, 49), "value": (5,), "ownership": (5, 49), "score": (5,)
    }  # fmt: skip


def test_one_set_of_weights_fits_every_size() -> None:
    weights = build_net(Gomoku(7), SMALL).state_dict()
    larger = build_net(Gomoku(12), SMALL)
    larger.load_state_dict(weights)
    assert larger.eval()(torch.rand(1, 3, 12, 12))[0].shape == (1, 144)


@pytest.mark.parametrize(("blocks", "channels"), [(0, 8), (2, 2), (99, 8)])
def test_impossible_sizes_are_refused(blocks: int, channels: int) -> None:
    with pytest.raises(InputError, match="net's size"):
        NetOptions(blocks, channels)


def test_export_leaves_the_net_in_training_and_says_the_same(tmp_path: Path) -> None:
    game = TicTacToe()
    net = build_net(game, NetOptions(1, 8))
    artifact = export_net(net, game=game, options=NetOptions(1, 8), out=tmp_path / "pt2-fp32", recipe={"generation": 3})
    assert net.training
    assert artifact.manifest.details == {"game": "tic-tac-toe"}
    assert artifact.manifest.recipe["generation"] == 3
    planes = np.random.default_rng(0).random((4, 3, 3, 3), np.float32)
    with open_session(artifact) as session, torch.no_grad():
        policy, value = session.run(planes)
        want = copy.deepcopy(net).eval()(torch.from_numpy(planes))
    np.testing.assert_allclose(policy, want[0], atol=1e-5)
    np.testing.assert_allclose(value, want[1], atol=1e-5)


def test_nan_weights_are_not_exported(tmp_path: Path) -> None:
    net = build_net(TicTacToe(), NetOptions(1, 8))
    torch.nn.init.constant_(net.stem[0].weight, float("nan"))
    with pytest.raises(InputError, match="NaN"):
        export_net(net, game=TicTacToe(), options=NetOptions(1, 8), out=tmp_path / "pt2-fp32")
    assert not (tmp_path / "pt2-fp32").exists()


def test_values_are_the_movers() -> None:
    game = TicTacToe()
    replay = Replay(game)
    replay.add([record_of(game, [0, 3, 1, 4, 2], outcome=1.0)])
    newest = replay.newest(5)
    assert newest.value.tolist() == [1, -1, 1, -1, 1]
    assert newest.policy.argmax(axis=1).tolist() == [0, 3, 1, 4, 2]
    assert newest.planes[1, 1, 0, 0] == 1, "the other's stone lies in the second plane"
    assert newest.planes[:, 2, 0, 0].tolist() == [1, 0, 1, 0, 1], "the third plane says whether the first player moves"


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_samples_are_symmetries_of_what_was_played(seed: int) -> None:
    game = TicTacToe()
    replay = Replay(game)
    replay.add([record_of(game, [1, 0, 5])])
    batch = replay.sample(16, np.random.default_rng(seed))
    cells, actions = game.symmetries()
    played = replay.newest(3)
    for planes, policy, value in zip(batch.planes, batch.policy, batch.value, strict=True):
        matches = [
            (turned == planes).all() and (played.policy[i][actions[s]] == policy).all() and played.value[i] == value
            for i in range(3)
            for s, turned in enumerate(played.planes[i].reshape(3, -1)[:, cells].transpose(1, 0, 2).reshape(len(cells), 3, 3, 3))
        ]
        assert any(matches)


def test_the_window_grows_and_forgets() -> None:
    game = TicTacToe()
    replay = Replay(game, least=20, most=40)
    for index in range(60):
        replay.add([record_of(game, [index % 9, (index + 1) % 9])])
    assert replay.total == 120
    assert len(replay) == replay.window == 40
    assert replay.newest(2).policy.argmax(axis=1).tolist() == [59 % 9, 60 % 9]


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(DataError, match="no positions"):
        Replay(TicTacToe()).sample(2, np.random.default_rng(0))


def test_moves_with_few_playouts_teach_only_the_value() -> None:
    game = TicTacToe()
    learner, replay = Learner(game, NetOptions(1, 8), FAST, seed=0), Replay(game)
    replay.add([record_of(game, [0, 1, 2], full=False)])
    losses = learner.learn(replay, 2, np.random.default_rng(0))
    assert losses.policy == 0
    assert losses.value > 0


def test_it_learns_what_it_sees() -> None:
    game = TicTacToe()
    learner, replay = Learner(game, SMALL, FAST, seed=0), Replay(game)
    replay.add([record_of(game, [4, 0, 2, 6, 3])])
    random = np.random.default_rng(0)
    first = learner.learn(replay, 5, random)
    last = [learner.learn(replay, 20, random) for _ in range(6)][-1]
    # The second move, a corner, is one of four by symmetry, the third one of two: nobody can know which.
    floor = (np.log(4) + np.log(2)) / 5
    assert floor * 0.8 < last.policy < floor + 0.1 < first.policy
    assert last.value < 0.1 < first.value
    played = replay.newest(5)
    with torch.no_grad():
        policy, value = learner.average.eval()(torch.from_numpy(played.planes))
    assert policy[[0, 3, 4]].argmax(dim=1).tolist() == [4, 6, 3]
    assert (np.sign(value.numpy()) == played.value).all()


def test_a_checkpoint_goes_on_exactly(tmp_path: Path) -> None:
    game = TicTacToe()
    file = tmp_path / CHECKPOINT

    def fresh() -> tuple[Learner, Replay]:
        return Learner(game, SMALL, FAST, seed=1), Replay(game)

    learner, replay = fresh()
    random = np.random.default_rng(5)
    replay.add([record_of(game, [4, 0, 2, 6, 3]), record_of(game, [0, 4, 8], outcome=-1.0)])
    learner.learn(replay, 4, random)
    identity = {"game": game.name}
    save(
        file,
        standing=Standing(identity, (), dict(random.bit_generator.state), replay.total, learner.steps, 12.5),
        learner=learner,
        replay=replay,
    )
    want = learner.learn(replay, 3, random)

    other, window = fresh()
    standing = load(file, identity=identity, learner=other, replay=window)
    again = np.random.default_rng(0)
    again.bit_generator.state = standing.random
    assert standing.seconds == 12.5
    assert window.total == replay.total
    assert other.learn(window, 3, again) == want
    mine, theirs = learner.state(), other.state()
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=0, msg=name)


def test_checkpoints_of_others_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    game, file = TicTacToe(), tmp_path / CHECKPOINT
    learner, replay = Learner(game, NetOptions(1, 8), FAST, seed=0), Replay(game)
    replay.add([record_of(game, [0, 1])])
    state = dict(np.random.default_rng(0).bit_generator.state)
    save(file, standing=Standing({"game": "go-9x9"}, (), state, 2, 0, 0.0), learner=learner, replay=replay)
    with pytest.raises(InputError, match="another run"):
        load(file, identity={"game": "tic-tac-toe"}, learner=learner, replay=replay)
    bigger = Learner(game, NetOptions(2, 8), FAST, seed=0)
    with pytest.raises(InputError, match="another network"):
        load(file, identity={"game": "go-9x9"}, learner=bigger, replay=replay)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ArtifactError, match="no checkpoint"):
        load(file, identity={"game": "go-9x9"}, learner=learner, replay=replay)


@pytest.mark.parametrize(("outcome", "who", "false"), [(1.0, FIRST, True), (-1.0, FIRST, False), (-1.0, SECOND, True), (0.0, SECOND, True)])
def test_a_resignation_is_false_when_the_game_was_not_lost(outcome: float, who: int, false: bool) -> None:
    record = record_of(TicTacToe(), [0, 1], outcome=outcome)
    assert not record.falsely_resigned
    assert record.would_resign == NOBODY
    told = GameRecord(**{**vars(record), "would_resign": who})
    assert told.falsely_resigned is false


def test_a_net_of_another_game_does_not_fit(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    from toolkit.pipeline.go.evaluator import open_net

    artifact = export_net(
        build_net(TicTacToe(), NetOptions(1, 8)), game=TicTacToe(), options=NetOptions(1, 8), out=tmp_path / "alphago" / "pt2-fp32"
    )
    with pytest.raises(SignatureError, match="no net for gomoku-5x5"):
        open_net(artifact.path, Gomoku(5))
    policy, value = open_net(artifact.path, TicTacToe())(np.zeros((2, 3, 3, 3), np.float32))
    assert policy.shape == (2, 9)
    assert value.shape == (2,)
