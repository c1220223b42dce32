"""The kernels of tree search over dense arrays: each node of each game has a slot for every action.

A tree is a tuple of arrays: prior ``[G, N, A]`` float32, -1 where illegal; visits ``[G, N, A]`` int32; wins ``[G, N, A]`` float32, the sum
of values for the player who moves at the node; child ``[G, N, A]`` int32, -1 for none; value ``[G, N]`` float32, the network's, for
that player; ended ``[G, N]`` bool; used ``[G]`` int32, nodes in use. Node 0 is the root. The players alternate.
"""

from __future__ import annotations

import numpy as np

from .._compiled import compiled


@compiled
def select(tree, games, todo, forced, leaves, constants, walk):
    """Walk from each root to a leaf, up to `leaves` times, along the best action, or first along ``forced[i]`` where that is no -1.

    A walked edge counts as lost until `backup`. `walk` is filled with the paths, the nodes they left, their lengths and owners; the number
    of walks is returned.
    """
    _, visits, wins, child, _, ended, _ = tree
    paths, nodes, lengths, owners = walk
    count = 0
    for i in range(len(games)):
        g = games[i]
        for _ in range(min(leaves, todo[i])):
            node, depth = 0, 0
            while True:
                pick = forced[i] if node == 0 and forced[i] >= 0 else best(tree, g, node, constants)
                paths[count, depth] = pick
                nodes[count, depth] = node
                depth += 1
                visits[g, node, pick] += 1
                wins[g, node, pick] -= constants[3]
                node = child[g, node, pick]
                if node < 0 or ended[g, node]:
                    break
            lengths[count] = depth
            owners[count] = i
            count += 1
    return count


@compiled
def best(tree, g, node, constants):
    """The action with the highest score: PUCT's, or UCB1's where `c_puct` is negative; then untried ones come first, by their prior."""
    prior, visits, wins, _, value, _, _ = tree
    c_puct, fpu, root_fpu, _ = constants
    total, won, seen = 0, 0.0, 0.0
    for a in range(prior.shape[2]):
        if visits[g, node, a] > 0:
            total += visits[g, node, a]
            won += wins[g, node, a]
            seen += prior[g, node, a]
    untried = (won + value[g, node]) / (total + 1) - (fpu if node else root_fpu) * np.sqrt(seen)
    scale = c_puct * np.sqrt(total + 1.0) if c_puct > 0 else 2 * c_puct * c_puct * np.log(total + 1.0)
    top, pick = -np.inf, -1
    for a in range(prior.shape[2]):
        p, n = prior[g, node, a], visits[g, node, a]
        if p < 0:
            continue
        if c_puct > 0:
            score = (wins[g, node, a] / n if n else untried) + scale * p / (1 + n)
        else:
            score = wins[g, node, a] / n + np.sqrt(scale / n) if n else 1e9 * (1 + p)
        if score > top:
            top, pick = score, a
    return pick


@compiled
def expand(tree, games, walk, count, legal, logits, values, over):
    """A node for each new leaf, with the softmax of its logits over its legal actions; a leaf that was reached twice gets one."""
    _, _, _, child, value, ended, used = tree
    paths, nodes, lengths, owners = walk
    for k in range(count):
        g, last = games[owners[k]], lengths[k] - 1
        parent, action = nodes[k, last], paths[k, last]
        if child[g, parent, action] >= 0 or used[g] == child.shape[1]:
            continue
        node = used[g]
        used[g] += 1
        child[g, parent, action] = node
        set_node(tree, g, node, legal[k], logits[k])
        value[g, node], ended[g, node] = values[k], over[k]


@compiled
def set_node(tree, g, node, legal, logits):
    """Give a node its priors and nothing tried."""
    prior, visits, wins, child, _, _, _ = tree
    top, total = -np.inf, 0.0
    for a in range(len(legal)):
        if legal[a] and logits[a] > top:
            top = logits[a]
    for a in range(len(legal)):
        visits[g, node, a], wins[g, node, a], child[g, node, a] = 0, 0, -1
        prior[g, node, a] = np.exp(logits[a] - top) if legal[a] else -1
        if legal[a]:
            total += prior[g, node, a]
    for a in range(len(legal)):
        if legal[a]:
            prior[g, node, a] /= total


@compiled
def backup(tree, games, walk, count, values, virtual_loss):
    """Add each leaf's value, which is for the player to move there, along its path, and take back what counted as lost."""
    wins = tree[2]
    paths, nodes, lengths, owners = walk
    for k in range(count):
        g, v = games[owners[k]], values[k]
        for depth in range(lengths[k] - 1, -1, -1):
            v = -v
            wins[g, nodes[k, depth], paths[k, depth]] += v + virtual_loss


@compiled
def keep_subtrees(tree, games, actions):
    """Make the subtree under ``actions[i]`` the whole tree of ``games[i]``; where there is none the tree is empty."""
    prior, visits, wins, child, value, ended, used = tree
    for i in range(len(games)):
        g = games[i]
        start = child[g, 0, actions[i]] if used[g] > 0 else -1
        if start < 0 or ended[g, start]:
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
                prior[g, to, a] = prior[g, node, a]
                visits[g, to, a] = visits[g, node, a]
                wins[g, to, a] = wins[g, node, a]
                child[g, to, a] = child[g, node, a]
                if child[g, to, a] >= 0:
                    places[child[g, to, a]] = 0
            value[g, to], ended[g, to] = value[g, node], ended[g, node]
        for node in range(count):
            for a in range(child.shape[2]):
                if child[g, node, a] >= 0:
                    child[g, node, a] = places[child[g, node, a]]
        used[g] = count
