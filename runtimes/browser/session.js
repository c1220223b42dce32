// The page of a session: opens the model and answers what Python asks. Bytes travel as base64.
const memories = new Set();
const Memory = WebAssembly.Memory;
// Before the engine is loaded: its memory is made by its script, or by its WebAssembly module, which then exports it.
WebAssembly.Memory = class extends Memory {
  constructor(descriptor) {
    super(descriptor);
    memories.add(this);
  }
};
for (const name of ['instantiate', 'instantiateStreaming']) {
  const original = WebAssembly[name];
  WebAssembly[name] = async (...args) => {
    const result = await original(...args);
    for (const value of Object.values((result.instance ?? result).exports)) {
      if (value instanceof Memory) memories.add(value);
    }
    return result;
  };
}

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, float16: globalThis.Float16Array, bool: Uint8Array,
  int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array,
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array,
};
const SHORT_MS = 5;
let model;

// The GPU that WebGPU finds, or null.
globalThis.findGpu = async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return null;
  const {vendor, architecture, isFallbackAdapter} = adapter.info;
  return {name: `${vendor} ${architecture}`.trim(), is_software: isFallbackAdapter};
};

globalThis.openModel = async (url, threads, device) => {
  const {open} = await import('./engine.js');
  const response = await fetch(url);
  model = await open(await response.arrayBuffer(), threads, device);
  return {
    inputs: model.inputs,
    outputs: model.outputs,
    threads: model.threads,
    signatures: model.signatures,
    placement: model.placement ?? '',
  };
};

async function timed(inputs, signature) {
  const start = performance.now();
  const outputs = await model.run(inputs, signature);
  return {outputs, milliseconds: performance.now() - start};
}

globalThis.runModel = async (arrays, signature) => {
  const inputs = arrays.map(({dtype, shape, data}) => ({dtype, shape, data: new ARRAYS[dtype](Uint8Array.fromBase64(data).buffer)}));
  let run = await timed(inputs, signature);
  // A pause for the transport came before it. A short call is made again, as one in a row of calls, which is how the other engines are timed.
  if (run.milliseconds < SHORT_MS) run = await timed(inputs, signature);
  const outputs = run.outputs.map(({dtype, shape, data}) => ({
    dtype,
    shape: [...shape],
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).toBase64(),
  }));
  return {milliseconds: run.milliseconds, outputs};
};

// WebAssembly's memory never shrinks: what it holds is its peak.
globalThis.memoryBytes = () => [...memories].reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
