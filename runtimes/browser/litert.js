// TF Lite files in LiteRT.js. It exports what every engine's script exports: open(model, threads) -> {inputs, outputs, threads,
// signatures, run}. An array is {dtype, shape, data} with a typed array as data. A file has a signature for each of its batches; the
// inputs and outputs are those of the first.
import {loadAndCompile, loadLiteRt, supportsFeature, Tensor} from './litert-core.js';
import {gunzip} from './gunzip.js';

export async function open(model, threads) {
  const used = globalThis.crossOriginIsolated ? threads : 1;
  const kind = used > 1 ? 'threaded_' : (await supportsFeature('relaxedSimd')) ? '' : 'compat_';
  const script = new URL(`./litert_${kind}.js`, import.meta.url).href;
  // The loader takes its options from here: the unpacked file, and the script that each thread starts with.
  self.Module = {wasmBinary: await gunzip(new URL(`./litert_${kind}.wasm.gz`, import.meta.url)), mainScriptUrlOrBlob: script};
  await loadLiteRt(script);
  const compiled = await loadAndCompile(new Uint8Array(model), {accelerator: 'wasm', cpuOptions: {numThreads: used}});
  const described = ({name, dtype, shape}) => ({name, dtype, shape: [...shape]});
  const signatures = Object.entries(compiled.signatures).map(([name, runner]) => ({
    name,
    inputs: runner.getInputDetails().map(described),
    outputs: runner.getOutputDetails().map(described),
  }));

  async function run(arrays, signature) {
    const runner = signature ? compiled.signatures[signature] : compiled;
    const tensors = [];
    try {
      for (const {data, shape} of arrays) tensors.push(new Tensor(data, shape));
      const results = await runner.run([...tensors]);
      tensors.push(...results);
      const found = [];
      for (const result of results) {
        found.push({dtype: result.type.dtype, shape: [...result.type.layout.dimensions], data: await result.data()});
      }
      return found;
    } finally {
      for (const tensor of tensors) tensor.delete();  // Nothing else frees their memory.
    }
  }

  const [inputs, outputs] = [compiled.getInputDetails().map(described), compiled.getOutputDetails().map(described)];
  return {inputs, outputs, threads: used, signatures, run};
}
