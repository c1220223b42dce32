// The program in a browser: files that are chosen are prepared as in Node; a picture is decoded by the browser.
import {readFile as readArrays} from './arrays.js';
import {lines, open, ordered} from './network.js';
import {prepare} from './prepare.js';

const fetched = async (name) => (await fetch(name)).arrayBuffer();
const about = await (await fetch('about.json')).json();
const run = await open(new Uint8Array(await fetched(about.model)), about);
const [input, output] = [document.querySelector('input'), document.querySelector('pre')];

async function read(files) {
  if (files.length === 1 && about.suffixes.some((suffix) => files[0].name.toLowerCase().endsWith(suffix))) {
    const tables = about.preparation.features === 'log-mel' ? (await readArrays(new Blob([await fetched('bands.npy')])))[''] : undefined;
    return [prepare(await decoded(files[0]), about.preparation, tables)];
  }
  const found = {};
  for (const file of files) {
    const arrays = await readArrays(file);
    Object.assign(found, '' in arrays && files.length > 1 ? {[file.name.replace(/\.npy$/, '')]: arrays['']} : arrays);
  }
  return ordered(found, about);
}

async function decoded(file) {
  if (about.kind !== 'picture') {
    const {decode} = await import('./decode.js');
    return decode(new Uint8Array(await file.arrayBuffer()), about.preparation);
  }
  // As the other programs: neither turned by what a camera says, nor in other colours, nor mixed with what is transparent.
  const image = await createImageBitmap(file, {imageOrientation: 'none', colorSpaceConversion: 'none', premultiplyAlpha: 'none'});
  const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

input.addEventListener('change', async () => {
  try {
    output.textContent = lines(await run(await read([...input.files])), about).join('\n');
  } catch (error) {
    output.textContent = `error: ${error.message}`;
  }
});
output.textContent = 'ready';
