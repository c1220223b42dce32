// What a classifier answers: its most likely class by name, and how likely the others are.
import {row} from './arrays.js';

const MOST_BARS = 10;
const LONG = 3; // letters beyond which a name is set smaller

export function answers(view, about, model) {
  const part = name => view.querySelector(`#${name}`);
  const batch = typeof model.inputs[0].shape[0] === 'number' ? model.inputs[0].shape[0] : 1;
  const label = index => about.labels[index] ?? `class ${index}`;

  // The probabilities of one image, whose values are as the model takes them.
  async function classify(values) {
    const shape = about.inputs[0].shape.slice(1);
    const start = performance.now();
    const [output] = await model.run([row({dtype: 'float32', shape: [1, ...shape], data: values}, 0, batch)]);
    const milliseconds = performance.now() - start;
    return {scores: probabilities(Array.from(output.data, Number).slice(0, output.data.length / batch)), milliseconds};
  }

  function draw(scores, milliseconds) {
    const order = scores.map((_, index) => index).sort((a, b) => scores[b] - scores[a]);
    const shown = scores.length > MOST_BARS ? order.slice(0, MOST_BARS) : scores.map((_, index) => index);
    const best = order[0];
    view.dataset.answer = best;
    part('top').textContent = label(best);
    part('top').className = label(best).length > LONG ? 'long' : '';
    part('sure').textContent = `confidence ${percent(scores[best])}, in ${milliseconds < 1 ? 'under 1' : milliseconds.toFixed(0)} ms`;
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
      share.textContent = best < 0 ? '–' : percent(scores[index]);
      list.children[place].className = index === best ? 'best' : '';
    });
  }

  // Before there is an answer, and instead of one that is no longer of what is shown.
  function blank(text) {
    part('top').textContent = '?';
    part('top').className = 'none';
    part('sure').textContent = text;
    delete view.dataset.answer;
    const classes = model.outputs[0].shape.at(-1);
    const count = Math.min(MOST_BARS, about.labels.length || (typeof classes === 'number' ? classes : 0));
    bars([...Array(count).keys()], Array(count).fill(0), -1);
  }

  return {blank, classify, draw, label};
}

export const percent = share => `${(100 * share).toFixed(share < 0.9995 ? 1 : 0)} %`;

// What is no distribution yet becomes one by softmax. Those of a quantized network are multiples of 1/256, which add up to nearly 1.
export function probabilities(values) {
  const sum = values.reduce((a, b) => a + b, 0);
  const slack = Math.min(0.05, Math.max(1e-3, values.length / 512));
  if (Math.abs(sum - 1) < slack && values.every(value => value >= 0)) return values.map(value => value / sum);
  const largest = Math.max(...values);
  const powers = values.map(value => Math.exp(value - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map(power => power / total);
}
