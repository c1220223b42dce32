// Arrays from files: .npy, .npz and JSON. An array is {dtype, shape, data} with a typed array as data.
const TYPES = {
  float32: Float32Array, float64: Float64Array, float16: globalThis.Float16Array, bool: Uint8Array,
  int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array,
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array,
};
const NPY = {
  f2: 'float16', f4: 'float32', f8: 'float64', b1: 'bool', i1: 'int8', i2: 'int16', i4: 'int32', i8: 'int64',
  u1: 'uint8', u2: 'uint16', u4: 'uint32', u8: 'uint64',
};

// The arrays of a file by name; that of a file with one array alone has the name ''.
export async function readFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const start = String.fromCharCode(...bytes.subarray(0, 6));
  if (start === '\x93NUMPY') return {'': readNpy(bytes)};
  if (start.startsWith('PK')) return readNpz(bytes);
  return fromText(new TextDecoder().decode(bytes));
}

export function fromText(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`expected JSON, .npz or .npy: ${error.message}`);
  }
  const whole = Array.isArray(value) || typeof value !== 'object' ? {'': value} : value;
  return Object.fromEntries(Object.entries(whole).map(([name, nested]) => [name, fromNested(nested)]));
}

function fromNested(nested) {
  const shape = [];
  for (let level = nested; Array.isArray(level); level = level[0]) shape.push(level.length);
  const data = Array.isArray(nested) ? nested.flat(Infinity) : [nested];
  const regular = (level, depth) =>
    depth === shape.length ? !Array.isArray(level) : Array.isArray(level) && level.length === shape[depth] && level.every(x => regular(x, depth + 1));
  if (!regular(nested, 0)) throw new Error('expected lists of the same length at each depth');
  if (!data.every(x => ['number', 'boolean'].includes(typeof x))) throw new Error('expected numbers');
  return {dtype: 'float64', shape, data: Float64Array.from(data, Number)};
}

// An array as the port of a model takes it. A missing batch is added; sizes that the port leaves free may be any.
export function fit(array, {name, dtype, shape}) {
  const own = array.shape.length === shape.length - 1 && (typeof shape[0] === 'string' || shape[0] === 1) ? [1, ...array.shape] : array.shape;
  const fits = own.length === shape.length && own.every((size, axis) => typeof shape[axis] === 'string' || size === shape[axis]);
  if (!fits) throw new Error(`${name}: expected the shape [${shape.join(', ')}], got [${own.join(', ')}]`);
  if (!TYPES[dtype]) throw new Error(`${name}: this browser has no ${dtype}`);
  if (array.dtype === dtype) return {...array, shape: own};
  const whole = dtype.includes('int');
  const converted = TYPES[dtype].from(array.data, value => {
    if (whole && Number(value) !== Math.trunc(Number(value))) throw new Error(`${name}: expected whole numbers, got ${value}`);
    return dtype.endsWith('int64') ? BigInt(value) : Number(value);
  });
  return {dtype, shape: own, data: converted};
}

// One row of an array as a batch of its own, repeated for a model whose batch is fixed at another number.
export function row(array, index, batch) {
  const size = array.data.length / array.shape[0];
  const data = new array.data.constructor(size * batch);
  for (let copy = 0; copy < batch; copy += 1) data.set(array.data.subarray(index * size, (index + 1) * size), copy * size);
  return {dtype: array.dtype, shape: [batch, ...array.shape.slice(1)], data};
}

function readNpy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6] > 1;
  const start = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  const [, order, kind] = header.match(/'descr':\s*'([<>|=])(\w+)'/) ?? [];
  const sizes = header.match(/'shape':\s*\(([^)]*)\)/)?.[1];
  if (sizes === undefined || order === '>' || !TYPES[NPY[kind]]) throw new Error('expected numbers in a .npy file');
  if (/'fortran_order':\s*True/.test(header)) throw new Error('expected an array in C order: numpy.ascontiguousarray(x)');
  const shape = sizes.split(',').filter(size => size.trim()).map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const Type = TYPES[NPY[kind]];
  const content = bytes.slice(start + length, start + length + count * Type.BYTES_PER_ELEMENT);
  if (content.length < count * Type.BYTES_PER_ELEMENT) throw new Error('the .npy file is cut short');
  return {dtype: NPY[kind], shape, data: new Type(content.buffer)};
}

// A .npz is a zip archive of .npy files: its directory is at the end.
async function readNpz(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw new Error('the .npz file is cut short');
  const arrays = {};
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    const [method, packed] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
    const [name, extra, comment] = [28, 30, 32].map(place => view.getUint16(at + place, true));
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const content = bytes.slice(start, start + packed);
    const file = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name));
    arrays[file.replace(/\.npy$/, '')] = readNpy(method ? await inflated(content) : content);
    at += 46 + name + extra + comment;
  }
  return arrays;
}

async function inflated(content) {
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
