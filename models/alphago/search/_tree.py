"""The kernels of tree search over dense arrays: each node of each game has a slot for every action.

Their arguments are named tuples, which numba reads without a cost. G is the games, N the nodes a game has room for, A the actions,
W the walks of one step, D the depth that a walk can reach.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._compiled import compiled


class Tree(NamedTuple):
    """A tree for each game. Node 0 is the root; the players alternate."""

    prior: np.ndarray
    """``[G, N, A]`` float32: the network's probability of each action, -1 where illegal."""
    visits: np.ndarray
    """``[G, N, A]`` int32: playouts through each action, those under way included."""
    wins: np.ndarray
    """``[G, N, A]`` float32: the sum of these playouts' values for the player who moves at the node."""
    child: np.ndarray
    """``[G, N, A]`` int32: the node that each action leads to, -1 for none."""
    value: np.ndarray
    """``[G, N]`` float32: the network's value in [-1, 1], for the player who moves at the node."""
    ended: np.ndarray
    """``[G, N]`` bool: whether the game is over there."""
    used: np.ndarray
    """``[G]`` int32: nodes in use, 0 for an empty tree."""


class Walk(NamedTuple):
    """The ways from roots to leaves in one step; only the first walks are filled, as many as `select` says."""

    paths: np.ndarray
    """``[W, D]`` int32: the actions taken."""
    nodes: np.ndarray
    """``[W, D]`` int32: the nodes they were taken at."""
    lengths: np.ndarray
    """``[W]`` int32: how many actions."""
    owners: np.ndarray
    """``[W]`` int32: whose walk it is, as a place in the step's list of games."""


class Constants(NamedTuple):
    """How actions are chosen. The fields have no shape: each is one number."""

    ucb1: bool
    """UCB1 (Auer et al. 2002), which tries every action once before it compares; PUCT (Silver et al. 2017, Methods) if False."""
    c_puct: float
    """Weight of exploration, not negative."""
    fpu_reduction: float
    """PUCT: how much less than its parent an untried action is worth, times the root of the prior mass that was tried."""
    root_fpu_reduction: float
    """PUCT: the same at the root."""
    virtual_loss: float
    """What a playout under way counts as lost."""


def new_tree(games: int, *, nodes: int, actions: int) -> Tree:
    """Empty trees."""
    shape = (games, nodes, actions)
    return Tree(
        prior=np.zeros(shape, np.float32),
        visits=np.zeros(shape, np.int32),
        wins=np.zeros(shape, np.float32),
        child=np.full(shape, -1, np.int32),
        value=np.zeros(shape[:2], np.float32),
        ended=np.zeros(shape[:2], np.bool_),
        used=np.zeros(games, np.int32),
    )


def new_walk(walks: int, *, depth: int) -> Walk:
    """Room for the walks of one step."""
    return Walk(
        paths=np.zeros((walks, depth), np.int32),
        nodes=np.zeros((walks, depth), np.int32),
        lengths=np.zeros(walks, np.int32),
        owners=np.zeros(walks, np.int32),
    )


@compiled
def select(tree, games, todo, forced, leaves, constants, walk):
    """Walk from each root to a leaf, up to `leaves` times, along the best action, or first along ``forced[i]`` where that is no -1.

    A walked edge counts as lost until `backup`. `walk` is filled with the paths, the nodes they left, their lengths and owners; the number
    of walks is returned.
    """
    visits, wins, child = tree.visits, tree.wins, tree.child
    count = 0
    for i in range(len(games)):
        g = games[i]
        for _ in range(min(leaves, todo[i])):
            node, depth = 0, 0
            while True:
                pick = forced[i] if node == 0 and forced[i] >= 0 else best(tree, g, node, constants)
                walk.paths[count, depth] = pick
                walk.nodes[count, depth] = node
                depth += 1
                visits[g, node, pick] += 1
                wins[g, node, pick] -= constants.virtual_loss
                node = child[g, node, pick]
                if node < 0 or tree.ended[g, node]:
                    break
            walk.lengths[count] = depth
            walk.owners[count] = i
            count += 1
    return count


@compiled
def best(tree, g, node, constants):
    """The action with the highest score: PUCT's, or UCB1's, where untried ones come first, by their prior."""
    prior, visits, wins = tree.prior, tree.visits, tree.wins
    ucb1, c_puct = constants.ucb1, constants.c_puct
    total, won, seen = 0, 0.0, 0.0
    for a in range(prior.shape[2]):
        if visits[g, node, a] > 0:
            total += visits[g, node, a]
            won += wins[g, node, a]
            seen += prior[g, node, a]
    reduction = constants.fpu_reduction if node else constants.root_fpu_reduction
    untried = (won + tree.value[g, node]) / (total + 1) - reduction * np.sqrt(seen)
    scale = 2 * c_puct * c_puct * np.log(total + 1.0) if ucb1 else c_puct * np.sqrt(total + 1.0)
    top, pick = -np.inf, -1
    for a in range(prior.shape[2]):
        p, n = prior[g, node, a], visits[g, node, a]
        if p < 0:
            continue
        if ucb1:
            score = wins[g, node, a] / n + np.sqrt(scale / n) if n else 1e9 * (1 + p)
        else:
            score = (wins[g, node, a] / n if n else untried) + scale * p / (1 + n)
        if score > top:
            top, pick = score, a
    return pick


@compiled
def expand(tree, games, walk, count, legal, logits, values, over):
    """A node for each new leaf, with the softmax of its logits over its legal actions; a leaf that was reached twice gets one."""
    child, used = tree.child, tree.used
    for k in range(count):
        g, last = games[walk.owners[k]], walk.lengths[k] - 1
        parent, action = walk.nodes[k, last], walk.paths[k, last]
        if child[g, parent, action] >= 0 or used[g] == child.shape[1]:
            continue
        node = used[g]
        used[g] += 1
        child[g, parent, action] = node
        set_node(tree, g, node, legal[k], logits[k])
        tree.value[g, node], tree.ended[g, node] = values[k], over[k]


@compiled
def set_node(tree, g, node, legal, logits):
    """Give a node its priors and nothing tried."""
    prior = tree.prior
    top, total = -np.inf, 0.0
    for a in range(len(legal)):
        if legal[a] and logits[a] > top:
            top = logits[a]
    for a in range(len(legal)):
        tree.visits[g, node, a], tree.wins[g, node, a], tree.child[g, node, a] = 0, 0, -1
        prior[g, node, a] = np.exp(logits[a] - top) if legal[a] else -1
        if legal[a]:
            total += prior[g, node, a]
    for a in range(len(legal)):
        if legal[a]:
            prior[g, node, a] /= total


@compiled
def backup(tree, games, walk, count, values, virtual_loss):
    """Add each leaf's value, which is for the player to move there, along its path, and take back what counted as lost."""
    for k in range(count):
        g, v = games[walk.owners[k]], values[k]
        for depth in range(walk.lengths[k] - 1, -1, -1):
            v = -v
            tree.wins[g, walk.nodes[k, depth], walk.paths[k, depth]] += v + virtual_loss


@compiled
def keep_subtrees(tree, games, actions):
    """Make the subtree under ``actions[i]`` the whole tree of ``games[i]``; where there is none the tree is empty."""
    child, used = tree.child, tree.used
    for i in range(len(games)):
        g = games[i]
        start = child[g, 0, actions[i]] if used[g] > 0 else -1
        if start < 0 or tree.ended[g, start]:
            used[g] = 0
            continue
        places = np.full(used[g], -1, np.int32)
        places[start] = 0
        count = 0
        # A child has a higher number than its parent, and new numbers are never higher than old ones: one pass moves all in place.
        for node in range(start, used[g]):
            if places[node] < 0:
                continue
            to = count
            count += 1
            places[node] = to
            for a in range(child.shape[2]):
                tree.prior[g, to, a] = tree.prior[g, node, a]
                tree.visits[g, to, a] = tree.visits[g, node, a]
                tree.wins[g, to, a] = tree.wins[g, node, a]
                child[g, to, a] = child[g, node, a]
                if child[g, to, a] >= 0:
                    places[child[g, to, a]] = 0
            tree.value[g, to], tree.ended[g, to] = tree.value[g, node], tree.ended[g, node]
        for node in range(count):
            for a in range(child.shape[2]):
                if child[g, node, a] >= 0:
                    child[g, node, a] = places[child[g, node, a]]
        used[g] = count
