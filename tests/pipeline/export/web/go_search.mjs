// Searches the given positions by search.js, with the network in the folder, or without one with answers made of the bits that it would see: what it
// thinks, and how many positions were asked for when it searched once, and again with the answers that the cache has kept.
import {existsSync, readFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {hashed} from './hashed.mjs';

const folder = process.argv[2];
const {Go} = await import(`${folder}/go-rules.js`);
const {Search} = await import(`${folder}/search.js`);
const {cached} = await import(`${folder}/cache.js`);
const {evaluatorOf} = await import(`${folder}/net.js`);

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
