"""The rules of Go on one position, compiled: chains, captures, ko.

A board of W columns lies in a row of points with a border around it: column ``c`` of row ``r`` is point ``(r + 1) * (W + 1) + c + 1``, its
neighbours are 1 and W + 1 away, and one border column serves the left and the right. A position is a tuple of seven arrays:

``stones [S] int8``
    0 empty, 1 Black, 2 White, 3 border.
``past [2, S] uint8``
    bit k: Black (White) had a stone here k moves ago.
``chains [3, S] int16``
    the point that stands for the chain of this stone, the next stone in the chain's ring, and at that point the number of stones.
``liberties [3, S] int32``
    at the point that stands for a chain: how many pairs of a stone and an empty neighbour it has (a liberty counts once for each stone that
    touches it), and the sum of those liberties' points and of their squares. All are one point exactly if n * sum(x^2) = sum(x)^2.
``keys [S] int64``
    at the point that stands for a chain: the exclusive or of its stones' random numbers (Zobrist 1970).
``seen [T] int64``
    the positions of this game that may not come back, a hash table with open addressing; 0 is a free slot.
``info [8] int64``
    whose turn it is and the rest, see the constants.
"""

from __future__ import annotations

from .._compiled import compiled, inlined
from ._go_score import area_of

SIMPLE, POSITIONAL, SITUATIONAL = 0, 1, 2

TURN, MOVES, PASSES, ENDED, KO, CAPTURES, KEY, AREA = range(8)
"""Columns of ``info``: 1 Black or 2 White to move; moves played; passes in a row; 1 if the game is over; the point that simple ko forbids;
moves that took stones off; the key of the board; Black's area minus White's once the game is over."""

WIDTH, HEIGHT, KO_RULE, SUICIDE, MAX_MOVES = range(5)
"""Entries of ``rules``."""


@compiled
def point_of(action, width):
    """The point of a cell."""
    return action + action // width + width + 2


@compiled
def is_in_atari(liberties, head):
    """Whether a chain has one liberty; any answer for a point without stone."""
    total = liberties[1, head]
    return liberties[0, head] * liberties[2, head] == total * total


@compiled
def was_seen(seen, key):
    """Whether the table has the key."""
    mask = len(seen) - 1
    slot = key & mask
    while seen[slot] != 0:
        if seen[slot] == key:
            return True
        slot = (slot + 1) & mask
    return False


@compiled
def remember(seen, key):
    """Put a key into the table."""
    mask = len(seen) - 1
    slot = key & mask
    while seen[slot] != 0:
        if seen[slot] == key:
            return
        slot = (slot + 1) & mask
    seen[slot] = key


@compiled
def situation(key, turn, rules, zobrist):
    """The key under which the superko rule looks a position up: the board's, or the board's with the player to move."""
    if rules[KO_RULE] == SITUATIONAL and turn == 2:
        return key ^ zobrist[0, 0]
    return key


@inlined
def may_place(position, point, rules, zobrist):
    """Whether the player to move may set a stone on a point of the board: 0 yes, 1 occupied, 2 suicide, 3 ko."""
    stones, _, chains, liberties, keys, seen, info = position
    if stones[point] != 0:
        return 1
    if rules[KO_RULE] == SIMPLE and point == info[KO]:
        return 3
    own = info[TURN]
    stride = rules[WIDTH] + 1
    breathes = False
    taken = 0
    # A chain may touch the point on several sides, and its key counts once.
    first, second, third = 0, 0, 0
    key = info[KEY] ^ zobrist[own, point]
    for side in range(4):
        near = point + (1 if side == 0 else -1 if side == 1 else stride if side == 2 else -stride)
        colour = stones[near]
        head = chains[0, near]
        # What stands beside a random point cannot be predicted, so all of it is computed rather than branched on.
        atari = is_in_atari(liberties, head)
        breathes |= (colour == 0) | ((colour == own) & (not atari))
        if (colour == 3 - own) & atari and head not in (first, second, third):
            key ^= keys[head]
            first, second, third = head, first, second
            taken += 1
    if not breathes and taken == 0:
        if rules[SUICIDE] == 0:
            return 2
        key = info[KEY]
        first, second, third = 0, 0, 0
        for side in range(4):
            near = point + (1 if side == 0 else -1 if side == 1 else stride if side == 2 else -stride)
            if stones[near] == own:
                head = chains[0, near]
                if head not in (first, second, third):
                    key ^= keys[head]
                    first, second, third = head, first, second
    elif taken == 0 and info[CAPTURES] == 0:
        return 0  # Stones were only added so far, so this board has more of them than any before.
    if rules[KO_RULE] != SIMPLE and was_seen(seen, situation(key, 3 - own, rules, zobrist)):
        return 3
    return 0


@compiled
def _join(chains, liberties, keys, one, other):
    """Make one chain of two; the smaller takes the number of the larger."""
    if chains[2, one] < chains[2, other]:
        one, other = other, one
    stone = other
    while True:
        chains[0, stone] = one
        stone = chains[1, stone]
        if stone == other:
            break
    chains[1, one], chains[1, other] = chains[1, other], chains[1, one]
    chains[2, one] += chains[2, other]
    liberties[0, one] += liberties[0, other]
    liberties[1, one] += liberties[1, other]
    liberties[2, one] += liberties[2, other]
    keys[one] ^= keys[other]


@compiled
def _take_off(position, head, stride, taken, count):
    """Remove a chain, writing its points to ``taken[count:]``; returns the new count."""
    stones, _, chains, liberties, keys, _, info = position
    info[KEY] ^= keys[head]
    stone = head
    while True:
        stones[stone] = 0
        taken[count] = stone
        count += 1
        for side in range(4):
            near = stone + (1 if side == 0 else -1 if side == 1 else stride if side == 2 else -stride)
            if stones[near] == 1 or stones[near] == 2:
                other = chains[0, near]
                liberties[0, other] += 1
                liberties[1, other] += stone
                liberties[2, other] += stone * stone
        stone = chains[1, stone]
        if stone == head:
            return count


@compiled
def set_stone(position, point, own, stride, zobrist, taken):
    """Set a stone and take off what it captures, or itself; returns how many points of ``taken [S]`` are those stones."""
    stones, _, chains, liberties, keys, _, info = position
    stones[point] = own
    chains[0, point] = chains[1, point] = point
    chains[2, point] = 1
    keys[point] = zobrist[own, point]
    info[KEY] ^= zobrist[own, point]
    info[KO] = 0
    number, total, squares = 0, 0, 0
    for side in range(4):
        near = point + (1 if side == 0 else -1 if side == 1 else stride if side == 2 else -stride)
        colour = stones[near]
        if colour == 0:
            number += 1
            total += near
            squares += near * near
        elif colour != 3:
            head = chains[0, near]
            liberties[0, head] -= 1
            liberties[1, head] -= point
            liberties[2, head] -= point * point
    liberties[0, point], liberties[1, point], liberties[2, point] = number, total, squares
    count = 0
    for side in range(4):
        near = point + (1 if side == 0 else -1 if side == 1 else stride if side == 2 else -stride)
        colour = stones[near]
        if colour == own:
            if chains[0, near] != chains[0, point]:
                _join(chains, liberties, keys, chains[0, point], chains[0, near])
        elif colour == 3 - own and liberties[0, chains[0, near]] == 0:
            count = _take_off(position, chains[0, near], stride, taken, count)
    head = chains[0, point]
    if count == 1 and chains[2, head] == 1 and liberties[0, head] == 1:
        info[KO] = taken[0]
    if liberties[0, head] == 0:
        count = _take_off(position, head, stride, taken, count)
    if count > 0:
        info[CAPTURES] += 1
    return count


@compiled
def shift_past(stones, past):
    """Another board for the history."""
    for point in range(len(stones)):
        past[0, point] = (past[0, point] << 1) | (stones[point] == 1)
        past[1, point] = (past[1, point] << 1) | (stones[point] == 2)


@compiled
def make_move(position, action, rules, zobrist, taken):
    """Play a legal action; returns how many points of ``taken [S]`` are stones that were taken off."""
    stones, past, _, _, _, seen, info = position
    own = info[TURN]
    count = 0
    if action == rules[WIDTH] * rules[HEIGHT]:
        info[PASSES] += 1
        info[KO] = 0
    else:
        info[PASSES] = 0
        count = set_stone(position, point_of(action, rules[WIDTH]), own, rules[WIDTH] + 1, zobrist, taken)
    info[TURN] = 3 - own
    info[MOVES] += 1
    if rules[KO_RULE] != SIMPLE:
        remember(seen, situation(info[KEY], 3 - own, rules, zobrist))
    shift_past(stones, past)
    if info[PASSES] == 2 or info[MOVES] >= rules[MAX_MOVES]:
        info[ENDED] = 1
        info[AREA] = area_of(stones, rules[WIDTH])
    return count
