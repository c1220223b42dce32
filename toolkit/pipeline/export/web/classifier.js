// A classifier of grey images: it answers to a drawing while it grows, and to files of samples.
import {answers} from './answers.js';
import {fit, readFile, row} from './arrays.js';
import {drawOn, image, show} from './drawing.js';

const MOST_SAMPLES = 1000;

export function classifier(view, about, model) {
  view.append(document.querySelector('#classifier').content.cloneNode(true));
  const part = name => view.querySelector(`#${name}`);
  const {blank, classify, draw, label} = answers(view, about, model);
  const [mean, std] = [about.image.mean[0], about.image.std[0]];
  let [waiting, working, turn] = [null, false, 0];

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

  function clear() {
    turn += 1;
    waiting = null;
    pad.clear();
    show(part('seen'), new Float32Array(about.image.height * about.image.width), about.image);
    part('hint').classList.remove('gone');
    part('samples').hidden = true;
    blank('waiting for a drawing');
  }

  const pad = drawOn(part('pad'), ink => {
    part('hint').classList.add('gone');
    const pixels = image(ink, about.image);
    if (pixels) answer(pixels);
  });
  part('clear').addEventListener('click', clear);
  clear();

  async function opened(file) {
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
      const pixels = values.map(value => value * std + mean);
      part('grid').append(sample(pixels, best, isRight));
      if (index > 0) continue;
      show(part('seen'), pixels, about.image); // of which the answer above is
      draw(scores, milliseconds);
    }
    const known = targets ? `, ${right} as labelled` : '';
    part('count').textContent = `${count} samples${known}, ${(busy / count).toFixed(1)} ms each`;
  }

  function sample(pixels, best, isRight) {
    const figure = document.createElement('figure');
    const canvas = figure.appendChild(document.createElement('canvas'));
    figure.appendChild(document.createElement('figcaption')).textContent = label(best);
    Object.assign(figure, {className: isRight ? '' : 'wrong'}).dataset.answer = best;
    show(canvas, pixels, about.image);
    return figure;
  }

  return {clear, opened};
}
