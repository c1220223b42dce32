// The rules of Go as models/alphago/games/go.py has them: area scoring after Tromp and Taylor, positional superko, no suicide, an end after two passes
// or `maxMoves`. Plain where those are quick: chains are looked for when they are needed, and superko compares with every board before.
//
// A board lies in a row of points with a border around it: column c of row r is point (r + 1) * (size + 1) + c + 1, its neighbours are 1 and
// size + 1 away, and one border column serves the left and the right. What a search asks of a game: `actions`, `planes`, `height`, `width`,
// `maxMoves`, and the methods `start`, `copy`, `play`, `legal`, `encode`, `isOver`, `valueToMove`.
const EMPTY = 0;
const BORDER = 3;
const HISTORY = 8; // boards that the network sees
const YES = 0;
const OCCUPIED = 1;
const SUICIDE = 2;
const KO = 3;
const REASONS = ['', 'the point is occupied', 'it is suicide', 'an earlier board would come back (positional superko)'];
const LETTERS = 'ABCDEFGHJKLMNOPQRSTUVWXYZ';

export const BLACK = 1;
export const WHITE = 2;

// The game of a net, from what model.json says of it; with another komi where one is given.
export function makeGame({width, height, rules}, {komi} = {}) {
  if (width !== height) throw new Error(`expected a square board, got ${width} x ${height}`);
  return new Go({size: width, komi: komi ?? rules.komi ?? (width === 7 ? 9 : 7), scoreWeight: rules.score_weight ?? 0});
}

export class Go {
  #steps;
  #keys;
  #heads;
  #liberties;
  #marks;
  #chain;
  #chainKeys;

  constructor({size, komi, scoreWeight = 0, maxMoves = 2 * size * size}) {
    Object.assign(this, {size, komi, scoreWeight, maxMoves, height: size, width: size});
    this.cells = size * size;
    this.pass = this.cells;
    this.actions = this.cells + 1;
    this.planes = 2 * HISTORY + 1;
    const stride = size + 1;
    this.points = (size + 2) * stride + 1;
    this.#steps = [1, -1, stride, -stride];
    this.point = Int16Array.from({length: this.cells}, (_, cell) => cell + Math.trunc(cell / size) + size + 2);
    // Two words of 32 bits for each stone that may stand (Zobrist 1970): boards are compared by their exclusive or.
    this.#keys = Int32Array.from({length: 6 * this.points}, (_, index) => mixed(index + 1));
    this.#heads = new Int16Array(this.points);
    this.#liberties = new Int16Array(this.points);
    this.#marks = new Int16Array(this.points);
    this.#chain = new Int16Array(this.points);
    this.#chainKeys = new Int32Array(2 * this.points);
  }

  // A position without a move: stones that are set up, cells each, and who begins.
  start({black = [], white = [], toMove = BLACK} = {}) {
    const state = {
      stones: new Int8Array(this.points).fill(BORDER), // EMPTY, BLACK, WHITE, BORDER
      past: new Uint8Array(2 * this.points), // bit k: Black (from `points` on, White) had a stone here k moves ago
      boards: new Int32Array(2 * (this.maxMoves + 1)), // two words of each board that may not come back
      seen: 0, // how many boards these are
      low: 0, high: 0, // the words of the board as it stands
      turn: toMove, moves: 0, passes: 0, captures: 0, ended: false,
    };
    for (const cell of this.point) state.stones[cell] = EMPTY;
    for (const [colour, cells] of [[BLACK, black], [WHITE, white]]) {
      for (const cell of cells) {
        if (!(cell >= 0 && cell < this.cells) || state.stones[this.point[cell]]) throw new Error(`no stone can be set up on ${this.name(cell)}`);
        this.#put(state, this.point[cell], colour);
      }
    }
    this.#findChains(state);
    const dead = this.point.find(point => state.stones[point] && !this.#liberties[this.#heads[point]]);
    if (dead !== undefined) throw new Error('a chain that is set up has no liberty');
    this.#begin(state);
    return state;
  }

  copy(from, to) {
    const {stones, past, boards} = to;
    stones.set(from.stones);
    past.set(from.past);
    boards.set(from.boards.subarray(0, 2 * from.seen));
    return Object.assign(to, from, {stones, past, boards});
  }

  // Play a legal action; the number of stones that it takes off.
  play(state, action) {
    const own = state.turn;
    let taken = 0;
    if (action === this.pass) {
      state.passes += 1;
    } else {
      state.passes = 0;
      const point = this.point[action];
      this.#put(state, point, own);
      for (const step of this.#steps) if (state.stones[point + step] === 3 - own) taken += this.#takeIfDead(state, point + step);
      if (taken) state.captures += 1;
    }
    state.turn = 3 - own;
    state.moves += 1;
    this.#remember(state);
    for (const point of this.point) {
      state.past[point] = (state.past[point] << 1) | (state.stones[point] === BLACK);
      state.past[this.points + point] = (state.past[this.points + point] << 1) | (state.stones[point] === WHITE);
    }
    state.ended = state.passes === 2 || state.moves >= this.maxMoves;
    return taken;
  }

  // A player moves next, as records of games ask for: a pass before counts no longer.
  setToMove(state, colour) {
    Object.assign(state, {turn: colour, passes: 0});
    if (state.moves === 0) this.#begin(state);
  }

  // 1 for each legal action, 0 elsewhere: `out` is [actions].
  legal(state, out) {
    out.fill(0);
    if (state.ended) return out;
    this.#findChains(state);
    for (let cell = 0; cell < this.cells; cell += 1) out[cell] = this.#verdict(state, this.point[cell]) === YES ? 1 : 0;
    out[this.pass] = 1;
    return out;
  }

  // Why an action is not legal, as half a sentence; empty if it is.
  whyIllegal(state, action) {
    if (state.ended) return 'the game is over';
    if (action === this.pass) return '';
    this.#findChains(state);
    return REASONS[this.#verdict(state, this.point[action])];
  }

  // What the network sees, into out[offset : offset + planes * cells]: the player's own boards, the other's, and ones where Black is to move.
  encode(state, out, offset) {
    const {past, turn} = state;
    const [own, other] = turn === BLACK ? [0, this.points] : [this.points, 0];
    for (let cell = 0; cell < this.cells; cell += 1) {
      const [mine, theirs] = [past[own + this.point[cell]], past[other + this.point[cell]]];
      for (let k = 0; k < HISTORY; k += 1) {
        out[offset + k * this.cells + cell] = (mine >> k) & 1;
        out[offset + (HISTORY + k) * this.cells + cell] = (theirs >> k) & 1;
      }
      out[offset + 2 * HISTORY * this.cells + cell] = turn === BLACK ? 1 : 0;
    }
  }

  isOver(state) {
    return state.ended;
  }

  // The value of an ended game for the player whose turn it would be.
  valueToMove(state) {
    const score = this.score(state);
    const margin = Math.max(-1, Math.min(1, score / this.cells));
    const value = (1 - this.scoreWeight) * Math.sign(score) + this.scoreWeight * margin;
    return Math.fround(state.turn === BLACK ? value : -value);
  }

  // Black's area minus White's minus komi, of the board as it stands.
  score(state) {
    return this.ownership(state).reduce((sum, owner) => sum + owner, 0) - this.komi;
  }

  // Whose each cell is: 1 Black's, -1 White's, 0 neither's. An empty point belongs to the player whose stones alone it reaches over empty points.
  ownership({stones}) {
    const owners = new Int8Array(this.points);
    const found = this.#marks.fill(0);
    const region = this.#chain;
    for (const start of this.point) {
      if (stones[start]) owners[start] = stones[start] === BLACK ? 1 : -1;
      if (stones[start] || found[start]) continue;
      let [size, reached] = [1, 0];
      region[0] = start;
      found[start] = 1;
      for (let done = 0; done < size; done += 1) {
        for (const step of this.#steps) {
          const near = region[done] + step;
          if (stones[near] === BLACK || stones[near] === WHITE) reached |= stones[near];
          if (stones[near] || found[near]) continue;
          found[near] = 1;
          region[size] = near;
          size += 1;
        }
      }
      for (let k = 0; k < size; k += 1) owners[region[k]] = reached === BLACK ? 1 : reached === WHITE ? -1 : 0;
    }
    return Int8Array.from(this.point, point => owners[point]);
  }

  // The stones by cell.
  board({stones}) {
    return Int8Array.from(this.point, point => stones[point]);
  }

  name(action) {
    if (action === this.pass) return 'pass';
    return `${LETTERS[action % this.size]}${this.size - Math.trunc(action / this.size)}`;
  }

  // The most stones of a fixed handicap, 0 where the board has none (Go Text Protocol 2, section 4.1.1).
  mostHandicap() {
    return this.size < 7 ? 0 : this.size % 2 && this.size > 7 ? 9 : 4;
  }

  handicapCells(stones) {
    const low = this.size >= 13 ? 3 : 2;
    const [high, middle] = [this.size - 1 - low, this.size >> 1];
    const spots = [[high, low], [low, high], [low, low], [high, high]].slice(0, stones);
    if (stones >= 6) spots.push([middle, low], [middle, high]);
    if (stones >= 8) spots.push([high, middle], [low, middle]);
    if ([5, 7, 9].includes(stones)) spots.push([middle, middle]);
    return spots.map(([row, column]) => row * this.size + column);
  }

  // The board as it stands is the first of the game.
  #begin(state) {
    for (const point of this.point) {
      state.past[point] = state.stones[point] === BLACK ? 1 : 0;
      state.past[this.points + point] = state.stones[point] === WHITE ? 1 : 0;
    }
    Object.assign(state, {seen: 0, captures: 0});
    this.#remember(state);
  }

  #remember(state) {
    state.boards[2 * state.seen] = state.low;
    state.boards[2 * state.seen + 1] = state.high;
    state.seen += 1;
  }

  // Set a stone, or take one off.
  #put(state, point, colour, now = colour) {
    state.stones[point] = now;
    const place = 2 * (colour * this.points + point);
    state.low ^= this.#keys[place];
    state.high ^= this.#keys[place + 1];
  }

  #takeIfDead(state, start) {
    const {stones} = state;
    const [colour, chain, marks] = [stones[start], this.#chain, this.#marks.fill(0)];
    let size = 1;
    chain[0] = start;
    marks[start] = 1;
    for (let done = 0; done < size; done += 1) {
      for (const step of this.#steps) {
        const near = chain[done] + step;
        if (stones[near] === EMPTY) return 0;
        if (stones[near] !== colour || marks[near]) continue;
        marks[near] = 1;
        chain[size] = near;
        size += 1;
      }
    }
    for (let k = 0; k < size; k += 1) this.#put(state, chain[k], colour, EMPTY);
    return size;
  }

  // For each stone the point that stands for its chain, and there the number of its liberties and the exclusive or of its stones.
  #findChains({stones}) {
    const [heads, marks, chain] = [this.#heads.fill(0), this.#marks.fill(0), this.#chain];
    for (const start of this.point) {
      const colour = stones[start];
      if (!colour || heads[start]) continue;
      let [size, liberties, low, high] = [1, 0, 0, 0];
      chain[0] = start;
      heads[start] = start;
      for (let done = 0; done < size; done += 1) {
        const place = 2 * (colour * this.points + chain[done]);
        low ^= this.#keys[place];
        high ^= this.#keys[place + 1];
        for (const step of this.#steps) {
          const near = chain[done] + step;
          if (stones[near] === EMPTY && marks[near] !== start) {
            marks[near] = start;
            liberties += 1;
          } else if (stones[near] === colour && !heads[near]) {
            heads[near] = start;
            chain[size] = near;
            size += 1;
          }
        }
      }
      this.#liberties[start] = liberties;
      this.#chainKeys[2 * start] = low;
      this.#chainKeys[2 * start + 1] = high;
    }
  }

  // Whether the player to move may set a stone; `#findChains` was called.
  #verdict(state, point) {
    const {stones, turn} = state;
    if (stones[point]) return OCCUPIED;
    const place = 2 * (turn * this.points + point);
    let [low, high] = [state.low ^ this.#keys[place], state.high ^ this.#keys[place + 1]];
    let breathes = false;
    const taken = []; // a chain may touch the point on several sides, and counts once
    for (const step of this.#steps) {
      const colour = stones[point + step];
      const head = this.#heads[point + step];
      if (colour === EMPTY || (colour === turn && this.#liberties[head] > 1)) breathes = true;
      if (colour !== 3 - turn || this.#liberties[head] > 1 || taken.includes(head)) continue;
      taken.push(head);
      low ^= this.#chainKeys[2 * head];
      high ^= this.#chainKeys[2 * head + 1];
    }
    if (!breathes && !taken.length) return SUICIDE;
    if (!taken.length && !state.captures) return YES; // stones were only added so far: no board had as many
    for (let k = 2 * (state.seen - 1); k >= 0; k -= 2) if (state.boards[k] === low && state.boards[k + 1] === high) return KO;
    return YES;
  }
}

// The finalizer of MurmurHash3 (Appleby 2011): numbers without anything in common out of neighbouring ones.
function mixed(number) {
  let x = Math.imul(number, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
