// A canvas to draw on, and how its ink becomes the image that a network has learned from.
const SIZE = 336;
const PEN = 26;

// Calls changed(ink) as the drawing grows; ink is what image() takes.
export function drawOn(canvas, changed) {
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  let last = null;

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
  }
  function ink() {
    const {data} = context.getImageData(0, 0, SIZE, SIZE);
    const found = new Float32Array(SIZE * SIZE);
    for (let index = 0; index < found.length; index += 1) found[index] = data[4 * index + 3] / 255;
    return found;
  }
  function line(to) {
    context.strokeStyle = getComputedStyle(canvas).getPropertyValue('--pen');
    Object.assign(context, {lineWidth: PEN, lineCap: 'round', lineJoin: 'round'});
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...to);
    context.stroke();
    last = to;
  }
  canvas.addEventListener('pointerdown', event => {
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    line(last);
    changed(ink());
  });
  canvas.addEventListener('pointermove', event => {
    if (!last) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) line(at(each));
    changed(ink());
  });
  for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { last = null; });
  return {clear: () => context.clearRect(0, 0, SIZE, SIZE)};
}

// The ink as height x width pixels from 0 to 1, null where there is none: cut to what is drawn and made as large as the images of
// the usual sets. Those of 28 x 28 keep a margin of 4 and lie by their centre of mass; small ones fill their height.
export function image(ink, {height, width}) {
  const box = bounds(ink);
  if (!box) return null;
  const margin = Math.min(height, width) >= 20 ? 4 / 28 : 0;
  const scale = Math.max(box.width / (width * (1 - 2 * margin)), box.height / (height * (1 - 2 * margin)));
  const [x, y] = margin ? box.mass : [box.left + box.width / 2, box.top + box.height / 2];
  const pixels = new Float32Array(height * width);
  const steps = Math.max(1, Math.ceil(scale));
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      let sum = 0;
      for (let down = 0; down < steps; down += 1) {
        for (let right = 0; right < steps; right += 1) {
          const from = Math.floor(y + (row + (down + 0.5) / steps - height / 2) * scale);
          const side = Math.floor(x + (column + (right + 0.5) / steps - width / 2) * scale);
          if (from >= 0 && from < SIZE && side >= 0 && side < SIZE) sum += ink[from * SIZE + side];
        }
      }
      pixels[row * width + column] = sum / (steps * steps);
    }
  }
  return pixels;
}

function bounds(ink) {
  let [left, right, top, bottom, sum, x, y] = [SIZE, -1, SIZE, -1, 0, 0, 0];
  for (let row = 0; row < SIZE; row += 1) {
    for (let column = 0; column < SIZE; column += 1) {
      const value = ink[row * SIZE + column];
      if (value < 0.1) continue;
      left = Math.min(left, column);
      right = Math.max(right, column);
      top = Math.min(top, row);
      bottom = row;
      sum += value;
      x += value * (column + 0.5);
      y += value * (row + 0.5);
    }
  }
  return right < 0 ? null : {left, top, width: right - left + 1, height: bottom - top + 1, mass: [x / sum, y / sum]};
}

// Shows pixels from 0 to 1, white on black.
export function show(canvas, pixels, {height, width}) {
  Object.assign(canvas, {width, height});
  const picture = new ImageData(width, height);
  pixels.forEach((value, index) => {
    const grey = Math.round(255 * Math.min(1, Math.max(0, value)));
    picture.data.set([grey, grey, grey, 255], 4 * index);
  });
  canvas.getContext('2d').putImageData(picture, 0, 0);
}
