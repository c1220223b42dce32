// A network whose answers are made of the bits that it sees, exact in float32: as `hashed` in answers.py.
export function hashed({actions, planes, cells}) {
  const size = planes * cells;
  return async (data, count) => {
    const logits = new Float32Array(count * actions);
    const values = new Float32Array(count);
    for (let k = 0; k < count; k += 1) {
      let hash = 1;
      for (let bit = 0; bit < size; bit += 1) if (data[k * size + bit]) hash = (hash + Math.imul(bit + 1, 2654435761)) >>> 0;
      for (let a = 0; a < actions; a += 1) logits[k * actions + a] = ((Math.imul(hash, 2 * a + 1) >>> 16) % 1024) / 256;
      values[k] = ((hash >>> 8) % 256) / 128 - 1;
    }
    return {logits, values};
  };
}

// The same in place of engine.js.
export async function open(file, threads) {
  const run = async ([{data, shape: [count, planes, height, width]}]) => {
    const cells = height * width;
    const {logits, values} = await hashed({actions: cells + 1, planes, cells})(data, count);
    return [{data: logits}, {data: values}];
  };
  return {threads, inputs: [{shape: ['batch']}], run};
}
