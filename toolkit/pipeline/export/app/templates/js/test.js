// Is the example prepared and answered as where this program was made? npm test
import assert from 'node:assert/strict';
import {about, arraysOf, bytesOf, network, prepared} from './app.js';

const example = async (name) => (await arraysOf(new URL(`example/${name}.npy`, import.meta.url)))[''];
const all = (kind) => Promise.all(about[kind].map((_, place) => example(`${kind}/${place}`)));

async function theExampleIsPreparedAlike() {
  if (!about.example) return;
  const [found, expected] = [await prepared(bytesOf(`example/${about.example}`)), await example('prepared')];
  assert.deepEqual([found.dtype, found.shape], [expected.dtype, expected.shape]);
  const off = largest(found.data, expected.data);
  assert(off <= about.limits.prepared, `the prepared input is off by ${off}, allowed are ${about.limits.prepared}`);
}

async function theOutputsAreThoseExpected() {
  const run = await network();
  const [found, expected] = [await run(await all('inputs')), await all('outputs')];
  about.outputs.forEach(({name}, place) => {
    assert.deepEqual([found[place].dtype, found[place].shape], [expected[place].dtype, expected[place].shape], name);
    const problem = difference(found[place].data, expected[place].data);
    assert(!problem, `${name}: ${problem}`);
  });
}

const largest = (found, expected) => found.reduce((most, value, place) => Math.max(most, Math.abs(Number(value) - Number(expected[place]))), 0);

// What is wrong with an output; empty where it is within the limits.
function difference(found, expected) {
  const {atol, rtol, sqnr_db: floor} = about.limits;
  let [within, noise, signal] = [true, 0, 0];
  found.forEach((value, place) => {
    const wanted = Number(expected[place]);
    const off = Math.abs(Number(value) - wanted);
    within &&= off <= atol + rtol * Math.abs(wanted);
    noise += off * off;
    signal += wanted * wanted;
  });
  if (within) return '';
  const ratio = 10 * Math.log10(signal / noise);
  return ratio >= floor ? '' : `off by up to ${largest(found, expected)}, ${ratio.toFixed(1)} dB, expected ${floor} dB`;
}

try {
  await theExampleIsPreparedAlike();
  await theOutputsAreThoseExpected();
  console.log('passed');
  process.exit(0);
} catch (error) {
  console.error(`failed: ${error.message}`);
  process.exit(1);
}
