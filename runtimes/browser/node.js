// session.js in Node: a line of JSON on stdin for each call, a line on stdout for each answer.
import {readFile} from 'node:fs/promises';
import {createInterface} from 'node:readline';

// What a page has and Node has not: files behind fetch, and bytes as base64. Its threads always share memory.
globalThis.fetch = async (url) => new Response(await readFile(new URL(url, import.meta.url)));
globalThis.crossOriginIsolated = true;
Uint8Array.fromBase64 ??= (text) => new Uint8Array(Buffer.from(text, 'base64'));
Uint8Array.prototype.toBase64 ??= function () {
  return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString('base64');
};
console.log = console.error;  // The answers have stdout to themselves.

globalThis.nodeVersion = () => process.versions.node;

await import('./session.js');
for await (const line of createInterface({input: process.stdin})) {
  const [name, given] = JSON.parse(line);
  let answer;
  try {
    answer = {value: await globalThis[name](...given)};
  } catch (error) {
    answer = {error: String(error?.message ?? error)};
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();  // Threads of the engine do not keep it.
