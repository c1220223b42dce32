// How a picture becomes the input: one size, one order of channels, scaled. A picture is {width, height, data} with red, green, blue and
// alpha of each pixel in 8 bits.
import {resized} from './resize.js';

export function prepare(picture, about) {
  const {data, width, height, channels} = placed(as(picture, about.channels), about);
  const type = about.dtype === 'uint8' ? Uint8Array : Float32Array;
  const values = new type(data.length);
  const scale = Math.fround(about.scale);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      const raw = data[pixel * channels + channel];
      const at = about.layout === 'NCHW' ? channel * width * height + pixel : pixel * channels + channel;
      values[at] = about.dtype === 'uint8' ? raw : Math.fround(Math.fround(raw * scale) - Math.fround(about.mean[channel])) / Math.fround(about.std[channel]);
    }
  }
  return {dtype: about.dtype, shape: about.layout === 'NCHW' ? [1, channels, height, width] : [1, height, width, channels], data: values};
}

// The channels that the network takes, pixel by pixel; what is transparent keeps its colours. Gray is ITU-R 601-2's luma in 16 bits.
function as({width, height, data}, order) {
  const channels = order === 'gray' ? 1 : 3;
  const found = new Uint8Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const [red, green, blue] = [data[4 * pixel], data[4 * pixel + 1], data[4 * pixel + 2]];
    if (order === 'gray') found[pixel] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
    else found.set(order === 'bgr' ? [blue, green, red] : [red, green, blue], 3 * pixel);
  }
  return {width, height, channels, data: found};
}

// The picture in the size of the input: stretched, whole with a border, or its middle.
function placed(picture, {width, height, fit, pad}) {
  if (fit === 'stretch') return resized(picture, width, height);
  const choose = fit === 'letterbox' ? Math.min : Math.max;
  const wide = Math.max(1, choose(width, Math.floor((2 * picture.width * height + picture.height) / (2 * picture.height))));
  const high = Math.max(1, choose(height, Math.floor((2 * picture.height * width + picture.width) / (2 * picture.width))));
  const [left, top] = [Math.floor((width - wide) / 2), Math.floor((height - high) / 2)];
  const {data, channels} = resized(picture, wide, high);
  const whole = new Uint8Array(width * height * channels).fill(pad);
  for (let row = Math.max(0, -top); row < high && row + top < height; row += 1) {
    const first = Math.max(0, -left);
    const last = Math.min(wide, width - left);
    whole.set(data.subarray((row * wide + first) * channels, (row * wide + last) * channels), ((row + top) * width + first + left) * channels);
  }
  return {width, height, channels, data: whole};
}
