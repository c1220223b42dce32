// ONNX files in onnxruntime-web. It exports what every engine's script exports: open(model, threads, device) -> {inputs, outputs,
// threads, signatures, run}, and for a GPU `placement`: how much of the model is there. An array is {dtype, shape, data} with a typed
// array as data; a free size of a port's shape is a name.
import * as ort from './ort.mjs';
import {gunzip} from './gunzip.js';

let misplaced = false;

// The engine warns of nodes that are not where they were asked to be, and has no other way to say it. What it prints with, it looks up once,
// when its WebAssembly starts.
function watchPlacement() {
  for (const kind of ['warn', 'error', 'log']) {
    const original = console[kind].bind(console);
    console[kind] = (...words) => {
      if (words.join(' ').includes('VerifyEachNodeIsAssignedToAnEp')) misplaced = true;
      else original(...words);
    };
  }
}

export async function open(model, threads, device = 'cpu') {
  ort.env.logLevel = 'error';
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? threads : 1;
  ort.env.wasm.wasmBinary = await gunzip(new URL('./ort.wasm.gz', import.meta.url));
  const options = {executionProviders: [device === 'gpu' ? 'webgpu' : 'wasm'], graphOptimizationLevel: 'all'};
  if (device === 'gpu') {
    options.logSeverityLevel = 2;
    watchPlacement();
  }
  const session = await ort.InferenceSession.create(new Uint8Array(model), options);
  const described = ({name, isTensor, type, shape}) => ({name, dtype: isTensor ? type : 'none', shape: isTensor ? [...shape] : []});
  const [inputs, outputs] = [session.inputMetadata.map(described), session.outputMetadata.map(described)];

  async function run(arrays) {
    const tensors = arrays.map(({dtype, shape, data}, index) => [inputs[index].name, new ort.Tensor(dtype, data, shape)]);
    const results = await session.run(Object.fromEntries(tensors));
    return outputs.map(({name}) => ({dtype: results[name].type, shape: results[name].dims, data: results[name].data}));
  }

  const placement = device === 'gpu' ? (misplaced ? 'some nodes on the processor' : 'all nodes there') : '';
  return {inputs, outputs, threads: ort.env.wasm.numThreads, signatures: [], placement, run};
}
