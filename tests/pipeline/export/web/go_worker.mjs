// The thread of the page without a page: what it answers to the given searches, asked one after the other, or all at once.
import {readFileSync} from 'node:fs';

const folder = process.argv[2];
const {about, searches, together} = JSON.parse(readFileSync(0, 'utf8'));
let listen;
const waiting = new Map();
const progress = [];
globalThis.addEventListener = (kind, listener) => { listen = data => listener({data}); };
globalThis.postMessage = message => {
  if (message.progress) progress.push(message.progress.playouts);
  else waiting.get(message.id)(message);
};
globalThis.fetch = async () => new Response('');
await import(`${folder}/worker.js`);

const ask = (id, call, given) => new Promise(resolve => {
  waiting.set(id, resolve);
  listen({id, call, given});
});
const opened = await ask(0, 'open', [about, 3]);
const answers = [];
for (const [index, {position, playouts}] of searches.entries()) {
  const answer = ask(index + 1, 'think', [position, playouts]);
  answers.push(together ? answer : await answer);
}
console.log(JSON.stringify({opened, answers: await Promise.all(answers), progress}));
