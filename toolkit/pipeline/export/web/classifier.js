// A classifier of grey images: it answers to a drawing while it grows, and to files of samples.
import {fit, readFile, row} from './arrays.js';
import {drawOn, image, show} from './drawing.js';

const MOST_BARS = 10;
const MOST_SAMPLES = 1000;

export function classifier(view, about, model) {
  view.append(document.querySelector('#classifier').content.cloneNode(true));
  const part = name => view.querySelector(`#${name}`);
  const {mean, std} = about.image;
  const batch = typeof model.inputs[0].shape[0] === 'number' ? model.inputs[0].shape[0] : 1;
  const label = index => about.labels[index] ?? String(index);
  let [waiting, working, turn] = [null, false, 0];

  // The probabilities of one image, whose values are as the model takes them.
  async function classify(values) {
    const shape = model.inputs[0].shape.map((size, axis) => (axis ? size : batch));
    const start = performance.now();
    const [output] = await model.run([row({dtype: 'float32', shape: [1, ...shape.slice(1)], data: values}, 0, batch)]);
    const milliseconds = performance.now() - start;
    return {scores: probabilities(Array.from(output.data, Number).slice(0, output.data.length / batch)), milliseconds};
  }

  // Only the newest drawing matters: those that came while the model was busy are passed over.
  async function answer(pixels) {
    waiting = pixels;
    if (working) return;
    working = true;
    while (waiting) {
      const [next, own] = [waiting, turn];
      waiting = null;
      show(part('seen'), next, about.image);
      const {scores, milliseconds} = await classify(next.map(value => (value - mean) / std));
      if (own === turn) draw(scores, milliseconds);
    }
    working = false;
  }

  function draw(scores, milliseconds) {
    const order = scores.map((_, index) => index).sort((a, b) => scores[b] - scores[a]);
    const shown = scores.length > MOST_BARS ? order.slice(0, MOST_BARS) : scores.map((_, index) => index);
    const best = order[0];
    view.dataset.answer = best;
    part('top').textContent = label(best);
    part('top').classList.remove('none');
    part('sure').textContent = `${percent(scores[best])} sure, in ${milliseconds < 1 ? 'under 1' : milliseconds.toFixed(0)} ms`;
    bars(shown, scores, best);
  }

  function bars(shown, scores, best) {
    const list = part('bars');
    while (list.children.length < shown.length) {
      list.append(document.createElement('li'));
      list.lastChild.append(...['b', 'i', 'span'].map(name => document.createElement(name)));
    }
    shown.forEach((index, place) => {
      const [name, track, share] = list.children[place].children;
      name.textContent = label(index);
      track.style.setProperty('--part', `${100 * scores[index]}%`);
      share.textContent = percent(scores[index]);
      list.children[place].className = index === best ? 'best' : '';
    });
  }

  function clear() {
    turn += 1;
    waiting = null;
    pad.clear();
    show(part('seen'), new Float32Array(about.image.height * about.image.width), about.image);
    part('hint').classList.remove('gone');
    part('top').textContent = '?';
    part('top').classList.add('none');
    part('sure').textContent = 'waiting for a drawing';
    delete view.dataset.answer;
    const classes = model.outputs[0].shape.at(-1);
    const count = Math.min(MOST_BARS, about.labels.length || (typeof classes === 'number' ? classes : 0));
    bars([...Array(count).keys()], Array(count).fill(0), -1);
  }

  const pad = drawOn(part('pad'), ink => {
    part('hint').classList.add('gone');
    const pixels = image(ink, about.image);
    if (pixels) answer(pixels);
  });
  part('clear').addEventListener('click', clear);
  clear();

  return async function opened(file) {
    const {targets, ...arrays} = await readFile(file);
    const names = Object.keys(arrays);
    if (names.length !== 1) throw new Error(`expected one array besides targets, got ${names.join(', ') || 'none'}`);
    const {height, width} = about.image;
    const samples = fit(arrays[names[0]], {...about.inputs[0], shape: ['batch', 1, height, width]});
    const count = Math.min(samples.shape[0], MOST_SAMPLES);
    part('grid').replaceChildren();
    part('samples').hidden = false;
    let [right, busy] = [0, 0];
    for (let index = 0; index < count; index += 1) {
      const values = row(samples, index, 1).data;
      const {scores, milliseconds} = await classify(values);
      const best = scores.indexOf(Math.max(...scores));
      const isRight = !targets || Number(targets.data[index]) === best;
      busy += milliseconds;
      right += isRight;
      part('grid').append(sample(values.map(value => value * std + mean), best, isRight));
      if (index === 0) draw(scores, milliseconds);
    }
    const known = targets ? `, ${right} as labelled` : '';
    part('count').textContent = `${count} samples${known}, ${(busy / count).toFixed(1)} ms each`;
  };

  function sample(pixels, best, isRight) {
    const figure = document.createElement('figure');
    const canvas = figure.appendChild(document.createElement('canvas'));
    figure.appendChild(document.createElement('figcaption')).textContent = label(best);
    Object.assign(figure, {className: isRight ? '' : 'wrong'}).dataset.answer = best;
    show(canvas, pixels, about.image);
    return figure;
  }
}

const percent = share => `${(100 * share).toFixed(share < 0.9995 ? 1 : 0)} %`;

// What is no distribution yet becomes one by softmax.
function probabilities(values) {
  const sum = values.reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) < 1e-3 && values.every(value => value >= 0)) return values;
  const largest = Math.max(...values);
  const powers = values.map(value => Math.exp(value - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map(power => power / total);
}
