// An open model as what a search asks. A model whose batch is fixed is asked in parts of that size.
export function evaluatorOf(model, {planes, height, width}) {
  const fixed = typeof model.inputs[0].shape[0] === 'number' ? model.inputs[0].shape[0] : 0;
  const size = planes * height * width;

  async function ask(data, count) {
    const [policy, value] = await model.run([{dtype: 'float32', shape: [count, planes, height, width], data}]);
    return {logits: policy.data, values: value.data};
  }

  return async (data, count) => {
    if (!fixed) return ask(data.slice(), count);
    const parts = [];
    for (let from = 0; from < count; from += fixed) {
      const padded = new Float32Array(fixed * size);
      padded.set(data.subarray(from * size, Math.min(count, from + fixed) * size));
      parts.push(await ask(padded, fixed));
    }
    const joined = (name, length) => Float32Array.from(parts.flatMap(part => [...part[name]]).slice(0, length));
    return {logits: joined('logits', (count * parts[0].logits.length) / fixed), values: joined('values', count)};
  };
}
