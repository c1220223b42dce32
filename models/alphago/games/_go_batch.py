"""Go on many positions: the loops over rows, compiled. `states` are the arrays of `_go_rules` with the row as first axis."""

from __future__ import annotations

import numpy as np

from .._compiled import compiled
from ._go_rules import (
    CAPTURES,
    ENDED,
    HEIGHT,
    KEY,
    KO_RULE,
    SIMPLE,
    TURN,
    WIDTH,
    is_in_atari,
    make_move,
    may_place,
    point_of,
    situation,
    was_seen,
)
from ._go_score import mark_area


@compiled
def _row(states, row):
    stones, past, chains, liberties, keys, seen, info = states
    return stones[row], past[row], chains[row], liberties[row], keys[row], seen[row], info[row]


@compiled
def play_rows(states, rows, actions, rules, zobrist):
    """`Game.play`."""
    taken = np.empty(states[0].shape[1], np.int16)
    for i in range(len(rows)):
        make_move(_row(states, rows[i]), actions[i], rules, zobrist, taken)


@compiled
def follow_rows(source, source_rows, paths, lengths, target, target_rows, rules, zobrist):
    """`Game.follow`."""
    taken = np.empty(source[0].shape[1], np.int16)
    stones, past, chains, liberties, keys, seen, info = source
    to_stones, to_past, to_chains, to_liberties, to_keys, to_seen, to_info = target
    for i in range(len(source_rows)):
        row, to = source_rows[i], target_rows[i]
        to_stones[to] = stones[row]
        to_past[to] = past[row]
        to_chains[to] = chains[row]
        to_liberties[to] = liberties[row]
        to_keys[to] = keys[row]
        to_seen[to] = seen[row]
        to_info[to] = info[row]
        if lengths[i] > 0:
            position = _row(target, to)
            for k in range(lengths[i]):
                make_move(position, paths[i, k], rules, zobrist, taken)


_EMPTY, _SAFE, _ATARI = 1, 2, 8  # What stands on a point; Black's stones, and twice that for White's.


@compiled
def legal_rows(states, rows, out, rules, zobrist):
    """`Game.legal`, into ``out [n, A]`` bool, all False before."""
    width, stride = rules[WIDTH], rules[WIDTH] + 1
    cells = width * rules[HEIGHT]
    kind = np.zeros(states[0].shape[1], np.uint8)
    for i in range(len(rows)):
        position = _row(states, rows[i])
        stones, _, chains, liberties, _, seen, info = position
        if info[ENDED]:
            continue
        for point in range(stride + 1, len(stones) - stride):
            colour = stones[point]
            stone = (_ATARI if is_in_atari(liberties, chains[0, point]) else _SAFE) * colour
            kind[point] = _EMPTY if colour == 0 else 0 if colour == 3 else stone
        own = info[TURN]
        # Most points are settled by what stands around them; the others, a ko beside its lone taker among them, are looked at one by one.
        allows, unclear = _EMPTY | _SAFE * own, _ATARI * (3 - own)
        superko = rules[KO_RULE] != SIMPLE and info[CAPTURES] > 0
        for cell in range(cells):
            point = point_of(cell, width)
            if stones[point] == 0:
                around = kind[point - 1] | kind[point + 1] | kind[point - stride] | kind[point + stride]
                if around & unclear or not around & allows:
                    out[i, cell] = may_place(position, point, rules, zobrist) == 0
                elif superko:
                    out[i, cell] = not was_seen(seen, situation(info[KEY] ^ zobrist[own, point], 3 - own, rules, zobrist))
                else:
                    out[i, cell] = True
        out[i, cells] = True


@compiled
def _is_own_eye(stones, point, own, stride):
    """Whether all neighbours are the player's and the other holds at most one corner, none at the edge."""
    edges = 0
    for side in range(4):
        near = point + (1 if side == 0 else -1 if side == 1 else stride if side == 2 else -stride)
        if stones[near] != own:
            if stones[near] != 3:
                return False
            edges = 1
    corners = 0
    for side in range(4):
        near = point + (1 + stride if side == 0 else 1 - stride if side == 1 else stride - 1 if side == 2 else -stride - 1)
        if stones[near] == 3 - own:
            corners += 1
    return corners + edges < 2


@compiled
def _mix(x):
    """splitmix64 (Steele et al. 2014): numbers without anything in common out of neighbouring ones, never zero."""
    x += np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))) | np.uint64(1)


@compiled
def rollout_rows(states, rows, seed, rules, zobrist):
    """`Game.rollout`; returns the moves played, ``[n]`` int32."""
    moves = np.zeros(len(rows), np.int32)
    width = rules[WIDTH]
    stride, cells = width + 1, width * rules[HEIGHT]
    taken = np.empty(states[0].shape[1], np.int16)
    empty = np.empty(cells, np.int16)
    for i in range(len(rows)):
        position = _row(states, rows[i])
        stones, info = position[0], position[6]
        random = _mix(_mix(np.uint64(seed)) + np.uint64(i))
        free = 0
        for cell in range(cells):
            if stones[point_of(cell, width)] == 0:
                empty[free] = point_of(cell, width)
                free += 1
        while info[ENDED] == 0:
            action = cells
            left = free
            while left > 0:
                # xorshift64 (Marsaglia 2003).
                random ^= random << np.uint64(13)
                random ^= random >> np.uint64(7)
                random ^= random << np.uint64(17)
                pick = np.int64(((random >> np.uint64(32)) * np.uint64(left)) >> np.uint64(32))
                point = empty[pick]
                left -= 1
                # Points that were refused gather behind `left`, so the first that is allowed is a uniform pick of those allowed.
                empty[pick], empty[left] = empty[left], point
                if not _is_own_eye(stones, point, info[TURN], stride) and may_place(position, point, rules, zobrist) == 0:
                    action = point - point // stride - width - 1
                    free -= 1
                    empty[left], empty[free] = empty[free], point
                    break
            for k in range(make_move(position, action, rules, zobrist, taken)):
                empty[free] = taken[k]
                free += 1
            moves[i] += 1
    return moves


@compiled
def encode_rows(states, rows, out, rules):
    """`Game.encode`, into ``out [n, 17, H * W]`` float32."""
    past, info = states[1], states[6]
    cells = out.shape[2]
    boards = np.empty((2, cells), np.uint8)
    for i in range(len(rows)):
        turn = info[rows[i], TURN]
        for cell in range(cells):
            point = point_of(cell, rules[WIDTH])
            boards[0, cell] = past[rows[i], turn - 1, point]
            boards[1, cell] = past[rows[i], 2 - turn, point]
        for whose in range(2):
            for k in range(8):
                for cell in range(cells):
                    out[i, 8 * whose + k, cell] = (boards[whose, cell] >> k) & 1
        out[i, 16] = turn == 1


@compiled
def ownership_rows(stones, rows, out, rules):
    """Who owns each cell, into ``out [n, H * W]`` int8."""
    owner = np.empty(stones.shape[1], np.int8)
    for i in range(len(rows)):
        mark_area(stones[rows[i]], rules[WIDTH], owner)
        for cell in range(out.shape[1]):
            out[i, cell] = owner[point_of(cell, rules[WIDTH])]
