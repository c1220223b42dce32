// PNG, JPEG and PPM in Node: {width, height, data} with red, green, blue and alpha of each pixel in 8 bits.
import jpeg from 'jpeg-js';
import {PNG} from 'pngjs';

const begins = (bytes, ...start) => start.every((byte, place) => bytes[place] === byte);

export function decode(bytes, about) {
  try {
    if (begins(bytes, 0x89, 0x50, 0x4e, 0x47)) return fromPng(bytes, about.most_pixels);
    if (begins(bytes, 0xff, 0xd8)) return fromJpeg(bytes, about.most_pixels);
    if (begins(bytes, 0x50, 0x35) || begins(bytes, 0x50, 0x36)) return fromPpm(bytes, about.most_pixels);
  } catch (error) {
    throw new Error(`the picture cannot be read: ${error?.message ?? error}`);
  }
  throw new Error('the picture cannot be read: expected PNG, JPEG, or PPM in 8 bits');
}

function check(width, height, most) {
  if (!(width > 0 && height > 0)) throw new Error('it is cut short');
  if (width * height > most) throw new Error(`${width} x ${height} pixels, expected at most ${most}`);
}

function fromPng(bytes, most) {
  if (bytes.length < 33) throw new Error('it is cut short');
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  check(view.getUint32(16), view.getUint32(20), most);
  if (bytes[24] === 16 && bytes[25] === 0) throw new Error('its gray has 16 bits, expected 8');
  const {width, height, data} = PNG.sync.read(Buffer.from(bytes));
  return {width, height, data};
}

function fromJpeg(bytes, most) {
  if (!ends(bytes)) throw new Error('it is cut short');
  const {width, height, data} = jpeg.decode(bytes, {
    useTArray: true, tolerantDecoding: false, maxResolutionInMP: most / 1e6, maxMemoryUsageInMB: 2048,
  });
  return {width, height, data};
}

// Whether the mark of the end follows the first scan; before it, sections with lengths are passed over.
function ends(bytes) {
  let at = 2;
  while (at + 3 < bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda) at += 2 + bytes[at + 2] * 256 + bytes[at + 3];
  for (; at + 1 < bytes.length; at += 1) if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true;
  return false;
}

function fromPpm(bytes, most) {
  const header = /^P([56])(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+255\s/.exec(Buffer.from(bytes.subarray(0, 4096)).toString('latin1'));
  if (!header) throw new Error('expected P5 or P6 with values up to 255');
  const [channels, width, height] = [header[1] === '6' ? 3 : 1, Number(header[2]), Number(header[3])];
  check(width, height, most);
  const raw = bytes.subarray(header[0].length, header[0].length + width * height * channels);
  if (raw.length < width * height * channels) throw new Error('it is cut short');
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) data[4 * pixel + channel] = raw[pixel * channels + (channels === 3 ? channel : 0)];
  }
  return {width, height, data};
}
