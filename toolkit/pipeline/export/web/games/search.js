// Monte Carlo tree search with a network: PUCT (Silver et al. 2017, Methods), the same numbers as models/alphago/search/puct.py without noise.
// Nothing here knows of a page, nor of a game's rules; a game is what go-rules.js says that it is.

// Those of models/alphago/search/options.py; four leaves at once, as `toolkit go play` searches.
export const OPTIONS = {cPuct: 1.1, fpuReduction: 0.2, rootFpuReduction: 0, leaves: 4, virtualLoss: 1};
const VALUE_SLACK = 0.02; // rounding of an int8 output may end a little beyond 1
const LONGEST_LINE = 16;

// A tree over one position. `evaluate(planes, count)` gives {logits, values}: what the network says of `count` positions, [count * actions] and [count],
// values for the player to move. Sums are kept in float32 as in Python, so that the same network answers give the same visits.
export class Search {
  #game;
  #evaluate;
  #options;
  #tree;
  #planes;
  #leaf;

  constructor(game, evaluate, options = {}) {
    this.#game = game;
    this.#evaluate = evaluate;
    this.#options = {...OPTIONS, ...options};
    this.#planes = new Float32Array(this.#options.leaves * game.planes * game.height * game.width);
    this.#leaf = game.start();
  }

  // Search a position that goes on. After each step `onStep(playouts)` is awaited, and false ends the search early.
  async run(state, playouts, onStep = () => true) {
    const game = this.#game;
    if (game.isOver(state)) throw new Error('expected a game that goes on, got one that has ended');
    this.#tree = newTree(playouts + 1, game.actions);
    await this.#growRoot(state);
    for (let done = 0; done < playouts;) {
      done += await this.#step(state, Math.min(this.#options.leaves, playouts - done));
      if ((await onStep(done)) === false) break;
    }
    return this.thought();
  }

  // What the search thinks so far: the `action` it would play, the mover's `winRate` from 0 to 1, and the moves that were looked at, most visits first.
  thought() {
    const {prior, visits, wins, value} = this.#tree;
    const tried = [...Array(this.#game.actions).keys()].filter(action => visits[action]).sort((a, b) => visits[b] - visits[a]);
    const total = tried.reduce((sum, action) => sum + visits[action], 0);
    const won = tried.reduce((sum, action) => sum + wins[action], value[0]);
    const candidates = tried.map(action => ({
      action, visits: visits[action], winRate: (1 + wins[action] / visits[action]) / 2, prior: prior[action], line: this.#line(action),
    }));
    return {action: tried[0], winRate: (1 + won / (total + 1)) / 2, playouts: total, candidates};
  }

  #line(first) {
    const {visits, child} = this.#tree;
    const {actions} = this.#game;
    const line = [first];
    for (let node = child[first]; node >= 0 && line.length <= LONGEST_LINE;) {
      const row = visits.subarray(node * actions, (node + 1) * actions);
      const best = row.reduce((top, count, action) => (count > row[top] ? action : top), 0);
      if (!row[best]) break;
      line.push(best);
      node = child[node * actions + best];
    }
    return line;
  }

  async #growRoot(state) {
    const legal = this.#game.legal(state, new Uint8Array(this.#game.actions));
    this.#game.encode(state, this.#planes, 0);
    const {logits, values} = await this.#ask(1);
    this.#setNode(0, legal, logits);
    this.#tree.value[0] = values[0];
    this.#tree.used = 1;
  }

  // One batch of leaves; how many playouts it made.
  async #step(state, count) {
    const game = this.#game;
    const walks = Array.from({length: count}, () => this.#select());
    const size = game.planes * game.height * game.width;
    let asked = 0;
    for (const walk of walks) {
      game.copy(state, this.#leaf);
      for (const {action} of walk.path) game.play(this.#leaf, action);
      walk.over = game.isOver(this.#leaf);
      walk.legal = game.legal(this.#leaf, new Uint8Array(game.actions));
      if (walk.over) {
        walk.value = game.valueToMove(this.#leaf);
      } else {
        game.encode(this.#leaf, this.#planes, asked * size);
        walk.place = asked;
        asked += 1;
      }
    }
    if (asked) {
      const {logits, values} = await this.#ask(asked);
      for (const walk of walks.filter(each => !each.over)) {
        walk.logits = logits.subarray(walk.place * game.actions, (walk.place + 1) * game.actions);
        walk.value = values[walk.place];
      }
    }
    for (const walk of walks) this.#expand(walk);
    for (const walk of walks) this.#backup(walk);
    return count;
  }

  async #ask(count) {
    const {actions, planes, height, width} = this.#game;
    const answer = await this.#evaluate(this.#planes.subarray(0, count * planes * height * width), count);
    const {logits, values} = answer;
    if (logits.length !== count * actions || values.length !== count) throw new Error('the network does not fit the game');
    if (!logits.every(Number.isFinite) || !values.every(Number.isFinite)) throw new Error('the network gave NaN or infinity');
    if (values.some(value => Math.abs(value) > 1 + VALUE_SLACK)) throw new Error("the network's value is out of range");
    return answer;
  }

  // A way from the root to a leaf; what it walks over counts as lost until its value is known.
  #select() {
    const {visits, wins, child, ended} = this.#tree;
    const path = [];
    let node = 0;
    do {
      const action = this.#best(node);
      const edge = node * this.#game.actions + action;
      path.push({edge, action});
      visits[edge] += 1;
      wins[edge] -= this.#options.virtualLoss;
      node = child[edge];
    } while (node >= 0 && !ended[node]);
    return {path};
  }

  // The action with the highest PUCT score. One that was never tried is worth its parent's mean less the root of the prior mass that was.
  #best(node) {
    const {prior, visits, wins, value} = this.#tree;
    const [from, to] = [node * this.#game.actions, (node + 1) * this.#game.actions];
    let [total, won, seen] = [0, 0, 0];
    for (let edge = from; edge < to; edge += 1) {
      if (visits[edge] === 0) continue;
      total += visits[edge];
      won += wins[edge];
      seen += prior[edge];
    }
    const reduction = node ? this.#options.fpuReduction : this.#options.rootFpuReduction;
    const untried = (won + value[node]) / (total + 1) - reduction * Math.sqrt(seen);
    const scale = this.#options.cPuct * Math.sqrt(total + 1);
    let [top, pick] = [-Infinity, -1];
    for (let edge = from; edge < to; edge += 1) {
      if (prior[edge] < 0) continue;
      const n = visits[edge];
      const score = (n ? wins[edge] / n : untried) + (scale * prior[edge]) / (1 + n);
      if (score > top) [top, pick] = [score, edge - from];
    }
    return pick;
  }

  // A node for a new leaf; one that was reached twice in a step gets one.
  #expand({path, over, legal, logits, value}) {
    const tree = this.#tree;
    const {edge} = path.at(-1);
    if (tree.child[edge] >= 0) return;
    const node = tree.used;
    tree.used += 1;
    tree.child[edge] = node;
    if (!over) this.#setNode(node, legal, logits);
    tree.value[node] = value;
    tree.ended[node] = over ? 1 : 0;
  }

  // The softmax of the logits over the legal actions as priors, -1 elsewhere.
  #setNode(node, legal, logits) {
    const {prior} = this.#tree;
    const from = node * legal.length;
    let [top, total] = [-Infinity, 0];
    legal.forEach((allowed, action) => {
      if (allowed && logits[action] > top) top = logits[action];
    });
    legal.forEach((allowed, action) => {
      prior[from + action] = allowed ? Math.exp(logits[action] - top) : -1;
      if (allowed) total += prior[from + action];
    });
    legal.forEach((allowed, action) => {
      if (allowed) prior[from + action] /= total;
    });
  }

  // Each value is for the player to move at the leaf; what counted as lost is taken back.
  #backup({path, value}) {
    let own = value;
    for (let depth = path.length - 1; depth >= 0; depth -= 1) {
      own = -own;
      this.#tree.wins[path[depth].edge] += own + this.#options.virtualLoss;
    }
  }
}

// Each node has a slot for every action: node n's action a is slot n * actions + a.
function newTree(nodes, actions) {
  return {
    prior: new Float32Array(nodes * actions), // the network's probability, -1 where illegal
    visits: new Int32Array(nodes * actions), // playouts through each action, those under way included
    wins: new Float32Array(nodes * actions), // the sum of their values for the player who moves at the node
    child: new Int32Array(nodes * actions).fill(-1), // the node that each action leads to
    value: new Float32Array(nodes), // the network's, for the player who moves at the node
    ended: new Uint8Array(nodes),
    used: 0,
  };
}
