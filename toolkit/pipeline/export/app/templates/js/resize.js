// Pillow's antialiased bilinear filter in its own arithmetic: a triangle whose support grows where a picture shrinks,
// half-pixel centres, across and then down, each sum in whole numbers of 22 bits behind the point and rounded to 8 bits.
const BITS = 22;

// A picture {width, height, channels, data} in another size.
export function resized(picture, width, height) {
  return down(across(picture, width), height);
}

function across(picture, width) {
  if (width === picture.width) return picture;
  const {height, channels, data} = picture;
  const [before, behind] = [[picture.width * channels, channels], [width * channels, channels]];
  return {width, height, channels, data: pass(data, height, weights(picture.width, width), channels, before, behind)};
}

function down(picture, height) {
  if (height === picture.height) return picture;
  const {width, channels, data} = picture;
  const strides = [channels, width * channels];
  return {width, height, channels, data: pass(data, width, weights(picture.height, height), channels, strides, strides)};
}

// For each place of the output the first place of the input that counts, and how much it and those behind it do.
function weights(from, to) {
  const scale = from / to;
  const stretch = Math.max(scale, 1);  // Also how far the triangle reaches.
  return Array.from({length: to}, (_, place) => {
    const center = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - stretch + 0.5));
    const end = Math.min(from, Math.trunc(center + stretch + 0.5));
    const found = Array.from({length: end - first}, (__, tap) => Math.max(0, 1 - Math.abs((tap + first - center + 0.5) * (1 / stretch))));
    const sum = found.reduce((total, value) => total + value, 0);
    return {first, taps: Int32Array.from(found, (value) => Math.trunc(0.5 + (value / sum) * 2 ** BITS))};
  });
}

// One direction: along `lines` lines, with the strides of a line and of a step along it before and behind.
function pass(data, lines, filters, channels, before, behind) {
  const count = filters.length;
  const found = new Uint8Array(lines * count * channels);
  for (let line = 0; line < lines; line += 1) {
    for (let place = 0; place < count; place += 1) {
      const {first, taps} = filters[place];
      for (let channel = 0; channel < channels; channel += 1) {
        let sum = 1 << (BITS - 1);
        let at = line * before[0] + first * before[1] + channel;
        for (let tap = 0; tap < taps.length; tap += 1, at += before[1]) sum += data[at] * taps[tap];
        found[line * behind[0] + place * behind[1] + channel] = Math.min(255, sum >> BITS);
      }
    }
  }
  return found;
}
