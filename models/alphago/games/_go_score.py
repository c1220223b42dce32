"""Tromp-Taylor area scoring, compiled; the layout of points is that of `_go_rules`."""

from __future__ import annotations

import numpy as np

from .._compiled import compiled


@compiled
def mark_area(stones, width, owner):
    """Write who owns each point into ``owner [S]`` int8: 1 Black, -1 White, 0 neither; a stone's own point is its player's.

    An empty point belongs to the player whose stones alone it reaches over empty points (Tromp and Taylor, "The game of Go").
    """
    stride = width + 1
    region = np.empty(len(stones), np.int16)
    found = np.zeros(len(stones), np.bool_)
    for start in range(len(stones)):
        colour = stones[start]
        if colour != 0:
            owner[start] = 1 if colour == 1 else -1 if colour == 2 else 0
        elif not found[start]:
            found[start] = True
            region[0] = start
            done, size, reached = 0, 1, 0
            while done < size:
                point = region[done]
                done += 1
                for side in range(4):
                    near = point + (1 if side == 0 else -1 if side == 1 else stride if side == 2 else -stride)
                    if stones[near] == 0:
                        if not found[near]:
                            found[near] = True
                            region[size] = near
                            size += 1
                    elif stones[near] != 3:
                        reached |= stones[near]
            belongs = 1 if reached == 1 else -1 if reached == 2 else 0
            for k in range(size):
                owner[region[k]] = belongs


@compiled
def area_of(stones, width):
    """Black's points minus White's."""
    owner = np.empty(len(stones), np.int8)
    mark_area(stones, width, owner)
    area = 0
    for point in range(len(stones)):
        area += owner[point]
    return area
