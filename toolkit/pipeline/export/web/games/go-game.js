// One game of Go being played, move by move: checked, undone, written as SGF and read from it.
import {BLACK, WHITE, makeGame} from './go-rules.js';
import {parseSgf, sgfText} from './go-sgf.js';

export class GoGame {
  #about;
  #states;

  // `about` is what model.json says of the board. `setup` are stones that stand before the first move, and who begins.
  constructor(about, {komi, setup = {black: [], white: [], toMove: BLACK}, handicap = 0} = {}) {
    this.#about = about;
    this.rules = makeGame(about, {komi});
    this.setup = setup;
    this.handicap = handicap;
    this.moves = []; // [player, action]
    this.#states = [this.rules.start(setup)];
  }

  // Black stones on the fixed points, after which White begins.
  static withHandicap(about, stones, komi) {
    const black = stones ? makeGame(about).handicapCells(stones) : [];
    return new GoGame(about, {komi, setup: {black, white: [], toMove: stones ? WHITE : BLACK}, handicap: stones});
  }

  get state() {
    return this.#states.at(-1);
  }

  get toMove() {
    return this.state.turn;
  }

  get isOver() {
    return this.rules.isOver(this.state);
  }

  get lastAction() {
    return this.moves.at(-1)?.[1];
  }

  // Play an action, of the player to move unless told; the stones that it took off. Throws with the reason where it is not legal.
  play(action, player = this.toMove) {
    const state = this.rules.copy(this.state, this.rules.start());
    if (player !== state.turn) this.rules.setToMove(state, player);
    const reason = this.rules.whyIllegal(state, action);
    if (reason) throw new Error(`${this.rules.name(action)} is not legal: ${reason}`);
    const taken = this.rules.play(state, action);
    this.moves.push([player, action]);
    this.#states.push(state);
    return taken;
  }

  undo() {
    this.moves.pop();
    if (this.#states.length > 1) this.#states.pop();
  }

  // What a search needs to stand at this position.
  get position() {
    return {options: {komi: this.rules.komi}, setup: this.setup, moves: this.moves};
  }

  // The result in SGF's words, empty while the game goes on.
  get result() {
    if (!this.isOver) return '';
    const score = this.rules.score(this.state);
    return score ? `${score > 0 ? 'B' : 'W'}+${Math.abs(score)}` : '0';
  }

  sgf(names) {
    return sgfText({...names, size: this.rules.size, komi: this.rules.komi, result: this.result, handicap: this.handicap, ...this.setup, moves: this.moves});
  }

  // The main line of a record, for the same board; throws where there is none, or where a move is not legal.
  static fromSgf(about, text) {
    const record = parseSgf(text);
    if (record.size !== about.width) throw new Error(`expected a record on ${about.width} x ${about.width}, got ${record.size} x ${record.size}`);
    const {black, white, toMove, handicap, komi} = record;
    const game = new GoGame(about, {komi, setup: {black, white, toMove}, handicap});
    record.moves.forEach(([player, action], index) => {
      try {
        game.play(action, player);
      } catch (error) {
        throw new Error(`move ${index + 1} of the record: ${error.message}`);
      }
    });
    return game;
  }
}
