// A WAV recording of whole numbers: {rate, samples} with the mean of its channels in [-1, 1].
export function decode(bytes) {
  const cut = () => new Error('the recording cannot be read: it is cut short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (word(0) !== 'RIFF' || word(8) !== 'WAVE') throw new Error('the recording cannot be read: expected WAV');
  let form;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (word(at) === 'fmt ') {
      if (start + 16 > bytes.length) throw cut();
      form = {kind: view.getUint16(start, true), channels: view.getUint16(start + 2, true), rate: view.getUint32(start + 4, true), bits: view.getUint16(start + 14, true)};
    } else if (word(at) === 'data') {
      if (!form || !size || start + size > bytes.length) throw cut();
      return {rate: form.rate, samples: mean(view, start, size, form)};
    }
    at = start + size + (size % 2);
  }
  throw cut();
}

function mean(view, start, size, {kind, channels, rate, bits}) {
  const bytes = Math.ceil(bits / 8);
  if (![1, 0xfffe].includes(kind) || !channels || !rate || bytes < 1 || bytes > 4) {
    throw new Error('the recording cannot be read: expected whole numbers of 8 to 32 bits (PCM)');
  }
  const value = (at) => {
    if (bytes === 1) return (view.getUint8(at) - 128) / 128;
    let number = 0;
    for (let place = 0; place < bytes; place += 1) number |= view.getUint8(at + place) << (8 * (4 - bytes + place));
    return number / 2 ** 31;
  };
  return Float64Array.from({length: Math.floor(size / (bytes * channels))}, (_, frame) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1) sum += value(start + (frame * channels + channel) * bytes);
    return sum / channels;
  });
}
