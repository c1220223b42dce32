// Any model: a text of numbers for each input, from the keyboard or a file, and the outputs as numbers.
import {percent, probabilities} from './answers.js';
import {fit, fromText, readFile} from './arrays.js';

const SHOWN = 96;
const MOST_BESIDE = 8; // numbers of a row that stand in one line

export function form(view, about, model) {
  view.append(document.querySelector('#form').content.cloneNode(true));
  const part = name => view.querySelector(`#${name}`);
  // A file may have other names than the manifest; the order is the same.
  const ports = model.inputs.map((port, index) => ({...port, name: about.inputs[index]?.name ?? port.name}));
  const given = new Map();
  const fields = ports.map(port => {
    const label = document.createElement('label');
    label.append(port.name, small(`${port.dtype} [${port.shape.join(', ')}]`));
    const text = label.appendChild(document.createElement('textarea'));
    text.spellcheck = false;
    text.value = JSON.stringify(zeros(port.shape.map(size => (typeof size === 'number' ? size : 1))));
    text.addEventListener('input', () => given.delete(port.name));
    part('fields').append(label);
    return text;
  });

  // What is shown is of the inputs above it, or there is nothing.
  function clear() {
    document.querySelectorAll('.wrong-input').forEach(line => line.remove());
    part('outputs').hidden = true;
    delete view.dataset.outputs;
  }

  async function run() {
    clear();
    try {
      const arrays = ports.map((port, index) => fit(given.get(port.name) ?? fromText(fields[index].value)[''] ?? {shape: []}, port));
      const start = performance.now();
      const outputs = await model.run(arrays);
      results(outputs, performance.now() - start);
    } catch (error) {
      complain(error);
    }
  }

  function results(outputs, milliseconds) {
    part('outputs').hidden = false;
    part('outputs').querySelector('h2').textContent = `Outputs, in ${milliseconds.toFixed(1)} ms`;
    const named = outputs.map((output, index) => [about.outputs[index]?.name ?? model.outputs[index].name, output]);
    part('results').replaceChildren(...named.map(([name, {dtype, shape, data}]) => {
      const section = document.createElement('section');
      const title = section.appendChild(document.createElement('h3'));
      const labelled = about.labels.length > 1 && shape.at(-1) === about.labels.length && data.length === about.labels.length;
      if (labelled) section.append(best(Array.from(data, Number), about.labels));
      title.append(name, small(`${dtype} [${[...shape].join(', ')}]${data.length > SHOWN ? `, the first ${SHOWN} of ${data.length}` : ''}`));
      const list = section.appendChild(document.createElement('ol'));
      const beside = shape.length > 1 ? Number(shape.at(-1)) : 0;
      if (beside > 1 && beside <= MOST_BESIDE) {
        list.style.setProperty('--beside', beside);
        list.className = beside <= 3 ? 'rows few' : 'rows';
      }
      for (const value of data.slice(0, SHOWN)) {
        list.appendChild(document.createElement('li')).textContent = Number.isInteger(Number(value)) ? value : Number(value).toPrecision(6);
      }
      return section;
    }));
    const text = JSON.stringify(Object.fromEntries(named.map(([name, {shape, data}]) => [name, nested([...data].map(Number), [...shape])])));
    part('save').href = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
    view.dataset.outputs = text;
  }

  function complain(error) {
    const line = part('inputs').appendChild(document.createElement('p'));
    Object.assign(line, {className: 'wrong-input', textContent: error.message});
  }

  part('inputs').addEventListener('submit', event => {
    event.preventDefault();
    run();
  });

  async function opened(file) {
    const arrays = await readFile(file);
    const names = Object.keys(arrays).filter(name => name !== 'targets');
    ports.forEach((port, index) => {
      const array = arrays[port.name] ?? (ports.length === 1 && names.length === 1 ? arrays[names[0]] : undefined);
      if (!array) throw new Error(`expected inputs named ${ports.map(each => each.name).join(', ')}, got ${names.join(', ')}`);
      given.set(port.name, array);
      fields[index].value = array.data.length > SHOWN ? `${file.name}: ${array.dtype} [${array.shape.join(', ')}]` : JSON.stringify(nested([...array.data].map(Number), array.shape));
    });
    await run();
  }

  return {clear, opened};
}

// The most likely class by its name.
function best(values, labels) {
  const scores = probabilities(values);
  const index = scores.indexOf(Math.max(...scores));
  return Object.assign(document.createElement('p'), {className: 'best', textContent: `${labels[index]}, confidence ${percent(scores[index])}`});
}

function small(text) {
  return Object.assign(document.createElement('small'), {textContent: text});
}

function zeros(shape) {
  return shape.length ? Array.from({length: shape[0]}, () => zeros(shape.slice(1))) : 0;
}

function nested(values, shape) {
  if (shape.length < 2) return shape.length ? values : values[0];
  const size = values.length / shape[0];
  return Array.from({length: shape[0]}, (_, index) => nested(values.slice(index * size, (index + 1) * size), shape.slice(1)));
}
