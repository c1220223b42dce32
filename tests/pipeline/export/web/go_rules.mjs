// Plays the given games by go-rules.js and writes down, position by position, what the rules say of it: numbers to positions.bin, words to the output.
import {closeSync, openSync, readFileSync, writeSync} from 'node:fs';

const folder = process.argv[2];
const {Go} = await import(`${folder}/go-rules.js`);
const out = openSync(`${folder}/positions.bin`, 'w');

const reasons = JSON.parse(readFileSync(0, 'utf8')).map(({rules, setup, moves, probes}) => {
  const go = new Go(rules);
  let state = go.start(setup);
  const found = [];
  for (let place = 0; place <= moves.length; place += 1) {
    const legal = go.legal(state, new Uint8Array(go.actions));
    const planes = new Float32Array(go.planes * go.cells + 1);
    go.encode(state, planes, 1); // not at 0, so that the offset counts
    const value = go.isOver(state) ? go.valueToMove(state) : 0;
    const numbers = [state.turn - 1, go.isOver(state) ? 1 : 0, go.score(state), value, ...legal, ...go.board(state), ...go.ownership(state)];
    writeSync(out, Float32Array.from([...numbers, ...planes.subarray(1)]));
    found.push(go.whyIllegal(state, probes[place]));
    if (place === moves.length) break;
    state = go.copy(state, go.start()); // search lives by copies
    const [player, action] = moves[place];
    if (player !== state.turn) go.setToMove(state, player);
    go.play(state, action);
  }
  return found;
});
closeSync(out);
console.log(JSON.stringify(reasons));
