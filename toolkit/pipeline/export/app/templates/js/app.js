// Run the network on a file: node app.js FILE, or [NAME=]FILE for each of several inputs.
import {readFileSync, realpathSync} from 'node:fs';
import {pathToFileURL} from 'node:url';
import {readFile as readArrays} from './arrays.js';
import {decode} from './decode.js';
import {lines, open, ordered} from './network.js';
import {prepare} from './prepare.js';

const here = (name) => new URL(name, import.meta.url);
export const about = JSON.parse(readFileSync(here('about.json'), 'utf8'));
export const bytesOf = (name) => new Uint8Array(readFileSync(here(name)));

// What runs the network.
export const network = () => open(bytesOf(about.model), about);

// The inputs in order, from one file that is prepared, a .npz, or a .npy for each.
export async function read(words) {
  if (words.length === 1 && about.suffixes.some((suffix) => words[0].toLowerCase().endsWith(suffix))) {
    return [await prepared(new Uint8Array(readFileSync(words[0])))];
  }
  const names = about.inputs.map(({name}) => name);
  const found = {};
  for (const [place, word] of words.entries()) {
    const name = names.find((each) => word.startsWith(`${each}=`));
    const arrays = await arraysOf(name === undefined ? word : word.slice(name.length + 1));
    Object.assign(found, '' in arrays ? {[name ?? names[place] ?? word]: arrays['']} : arrays);
  }
  if (!words.length) throw new Error(`expected ${[...about.suffixes, '.npy or .npz'].join(', ')}, got nothing`);
  return ordered(found, about);
}

// The input of a file's bytes.
export async function prepared(bytes) {
  const tables = about.preparation.features === 'log-mel' ? (await readArrays(new Blob([bytesOf('bands.npy')])))[''] : undefined;
  return prepare(decode(bytes, about.preparation), about.preparation, tables);
}

export async function arraysOf(file) {
  try {
    return await readArrays(new Blob([readFileSync(file)]));
  } catch (error) {
    throw new Error(error.code ? error.message : `'${file}' cannot be read as .npy or .npz: ${error.message}`);
  }
}

async function main(words) {
  try {
    const arrays = await read(words);
    const run = await network();
    console.log(lines(await run(arrays), about).join('\n'));
    return 0;
  } catch (error) {
    console.error(`error: ${String(error?.message ?? error).split('\n')[0]}`);
    return 2;
  }
}

// Threads of the engine do not keep the process.
const started = process.argv[1] && pathToFileURL(realpathSync(process.argv[1])).href === import.meta.url;
if (started) process.exit(await main(process.argv.slice(2)));
