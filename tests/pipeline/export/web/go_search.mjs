// Searches the given positions by search.js, with the network in the folder, or without one with answers made of the bits that it would see: what it
// thinks, and how many positions were asked for when it searched once, and again with the answers that the cache has kept.
import {existsSync, readFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';

const folder = process.argv[2];
const {Go} = await import(`${folder}/go-rules.js`);
const {Search} = await import(`${folder}/search.js`);
const {cached} = await import(`${folder}/cache.js`);
const {evaluatorOf} = await import(`${folder}/net.js`);

// As `hashed` in test_go_search.py.
function hashed({actions, planes, cells}) {
  const size = planes * cells;
  return async (data, count) => {
    const logits = new Float32Array(count * actions);
    const values = new Float32Array(count);
    for (let k = 0; k < count; k += 1) {
      let hash = 1;
      for (let bit = 0; bit < size; bit += 1) if (data[k * size + bit]) hash = (hash + Math.imul(bit + 1, 2654435761)) >>> 0;
      for (let a = 0; a < actions; a += 1) logits[k * actions + a] = ((Math.imul(hash, 2 * a + 1) >>> 16) % 1024) / 256;
      values[k] = ((hash >>> 8) % 256) / 128 - 1;
    }
    return {logits, values};
  };
}

let model;
if (existsSync(`${folder}/engine.js`)) {
  globalThis.fetch = async url => new Response(await readFile(new URL(url, import.meta.url))); // which Node has not for files
  const {open} = await import(`${folder}/engine.js`);
  model = await open(readFileSync(`${folder}/model.onnx`), 1);
}

const results = [];
for (const {rules, setup, moves, playouts, leaves} of JSON.parse(readFileSync(0, 'utf8'))) {
  const go = new Go(rules);
  const state = go.start(setup);
  for (const action of moves) go.play(state, action);
  const answers = model ? evaluatorOf(model, go) : hashed(go);
  let count = 0;
  const counted = (data, rows) => {
    count += rows;
    return answers(data, rows);
  };
  const evaluate = cached(counted, {size: go.planes * go.cells, actions: go.actions});
  const thought = await new Search(go, evaluate, {leaves}).run(state, playouts);
  const asked = [count];
  const again = await new Search(go, evaluate, {leaves}).run(state, playouts);
  results.push({...thought, asked: [...asked, count - asked[0]], again: again.candidates.map(({visits}) => visits)});
}
console.log(JSON.stringify(results));
process.exit();
