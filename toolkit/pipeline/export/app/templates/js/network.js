// The network, in Node and in browsers. An array is {dtype, shape, data} with a typed array as data.
import * as ort from 'onnxruntime-web';
import {fit} from './arrays.js';

const BEST = 3;  // How many labels are printed.
const SHOWN = 8;  // How many values of an output.

// What runs a model, the bytes of its file: inputs and outputs are in the order of about.json.
export async function open(model, about) {
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(model, {executionProviders: ['wasm'], graphOptimizationLevel: 'all'});
  const {inputNames, outputNames} = session;
  return async (arrays) => {
    const tensors = checked(arrays, about).map(({dtype, shape, data}, place) => [inputNames[place], new ort.Tensor(dtype, data, shape)]);
    const results = await session.run(Object.fromEntries(tensors));
    return outputNames.map((name) => ({dtype: results[name].type, shape: [...results[name].dims], data: results[name].data}));
  };
}

// The inputs in order, of arrays by name; a single array may have the name ''.
export function ordered(arrays, about) {
  const names = about.inputs.map(({name}) => name);
  const given = names.length === 1 && '' in arrays ? {[names[0]]: arrays['']} : arrays;
  if (Object.keys(given).length !== names.length || !names.every((name) => name in given)) {
    throw new Error(`expected the inputs ${names.join(', ')}, got ${Object.keys(given).join(', ') || 'none'}`);
  }
  return names.map((name) => given[name]);
}

// Each array as its input takes it; a free size must be the same in all.
function checked(arrays, about) {
  const free = {};
  return arrays.map((array, place) => {
    const spec = about.inputs[place];
    const fitted = fit(array, spec);
    spec.shape.forEach((size, axis) => {
      const own = fitted.shape[axis];
      if (own < 1 || (typeof size === 'string' && (free[size] ??= own) !== own)) {
        throw new Error(`${spec.name}: expected the shape [${spec.shape.join(', ')}], got [${fitted.shape.join(', ')}]`);
      }
    });
    return fitted;
  });
}

// What is printed.
export function lines(outputs, about) {
  return outputs.flatMap(({dtype, shape, data}, place) => {
    if (place === 0 && about.labels.length) {
      const classes = about.labels.length;
      return Array.from({length: data.length / classes}, (_, row) => best(data.subarray(row * classes, (row + 1) * classes), about.labels)).flat();
    }
    const values = Array.from(data.subarray(0, SHOWN), (value) => (dtype.startsWith('float') ? Number(value.toPrecision(6)) : value));
    return [`${about.outputs[place].name}: ${dtype} [${shape.join(', ')}] ${values.join(' ')}${data.length > SHOWN ? ' ...' : ''}`];
  });
}

function best(scores, labels) {
  const order = Array.from(scores.keys()).sort((one, other) => Number(scores[other]) - Number(scores[one]));
  return order.slice(0, BEST).map((number) => `${labels[number]}  ${Number(scores[number]).toFixed(4)}`);
}
