// A board to look at and to play on: a drawing, and over it a button for each point, which a keyboard reaches and a screen reader speaks.
import {BLACK, WHITE} from './go-rules.js';

const SVG = 'http://www.w3.org/2000/svg';
const BEHIND = 0.62; // from the last line to the drawing's edge, in distances of lines
const TO_NAME = 0.67; // from the first line to the middle of its name
const MOST_TIPS = 4;
const COLOURS = {[BLACK]: 'black', [WHITE]: 'white'};
const ARROWS = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};

// `onPlay(cell)` is called for a point that was chosen, whether or not it is free.
export function board(element, rules, onPlay) {
  const {size} = rules;
  const before = Math.max(1, 0.065 * size); // room for the names, which grow beside the lines of a large board
  const wide = size - 1 + before + BEHIND;
  const lettering = Math.min(0.56, 0.034 * wide); // as large on every board, but for the largest
  const column = cell => before + (cell % size);
  const row = cell => BEHIND + Math.trunc(cell / size);
  let focused = Math.trunc((rules.cells - 1) / 2);

  const drawing = shape('svg', {viewBox: `0 0 ${wide} ${wide}`, 'aria-hidden': 'true'});
  drawing.append(gradients());
  for (let k = 0; k < size; k += 1) {
    drawing.append(
      shape('line', {x1: before, x2: before + size - 1, y1: BEHIND + k, y2: BEHIND + k}),
      shape('line', {x1: before + k, x2: before + k, y1: BEHIND, y2: BEHIND + size - 1}),
      text(rules.name(k)[0], before + k, BEHIND + size - 1 + TO_NAME, lettering),
      text(size - k, before - TO_NAME, BEHIND + k, lettering),
    );
  }
  for (const cell of stars(rules)) drawing.append(shape('circle', {class: 'star', cx: column(cell), cy: row(cell), r: 0.09}));
  const stones = drawing.appendChild(shape('g', {}));

  const points = document.createElement('div');
  Object.assign(points, {className: 'points', role: 'grid', ariaLabel: `Board, ${size} by ${size}`});
  const percent = length => `${(100 * length) / wide}%`;
  Object.assign(points.style, {left: percent(before - 0.5), top: percent(BEHIND - 0.5), width: percent(size), height: percent(size)});
  points.style.gridTemplate = `repeat(${size}, 1fr) / repeat(${size}, 1fr)`;
  const buttons = [];
  for (let line = 0; line < size; line += 1) {
    const cells = points.appendChild(Object.assign(document.createElement('div'), {role: 'row'}));
    for (let k = 0; k < size; k += 1) {
      const button = cells.appendChild(Object.assign(document.createElement('button'), {type: 'button', role: 'gridcell', tabIndex: -1}));
      const cell = buttons.push(button) - 1;
      button.dataset.cell = rules.name(cell);
      button.addEventListener('click', () => onPlay(cell));
      button.addEventListener('focus', () => reach(cell));
    }
  }
  element.replaceChildren(drawing, points);
  reach(focused);

  // One point at a time is in the order of the tabulator; arrows go from it to the others.
  function reach(cell) {
    buttons[focused].tabIndex = -1;
    focused = cell;
    buttons[cell].tabIndex = 0;
  }

  // Whether an arrow key was one for the board.
  function step(key) {
    if (!ARROWS[key]) return false;
    const [down, right] = ARROWS[key];
    const inside = place => Math.min(size - 1, Math.max(0, place));
    if (points.contains(document.activeElement)) reach(inside(Math.trunc(focused / size) + down) * size + inside((focused % size) + right));
    buttons[focused].focus();
    return true;
  }

  // Show a position: `last` is the action before it, `turn` who may play here or 0, `tips` candidates of a search, `owners` the area of a game that is over.
  function show(state, {last, turn, tips = [], owners}) {
    const standing = rules.board(state);
    const shapes = [];
    standing.forEach((stone, cell) => {
      const at = {cx: column(cell), cy: row(cell)};
      if (stone) shapes.push(shape('circle', {class: `stone ${COLOURS[stone]}`, ...at, r: 0.475}));
      if (stone && cell === last) shapes.push(shape('circle', {class: `last ${COLOURS[stone]}`, ...at, r: 0.22}));
      const owner = owners?.[cell] && (owners[cell] > 0 ? BLACK : WHITE);
      if (owner && !stone) shapes.push(shape('rect', {class: `area ${COLOURS[owner]}`, x: at.cx - 0.14, y: at.cy - 0.14, width: 0.28, height: 0.28}));
      const button = buttons[cell];
      button.className = stone || !turn ? '' : 'free';
      const words = [stone ? `${COLOURS[stone]} stone` : 'empty', cell === last && stone ? 'last move' : '', owner && !stone ? `${COLOURS[owner]}'s area` : ''];
      button.ariaLabel = [rules.name(cell), ...words.filter(Boolean)].join(', ');
    });
    for (const {action, winRate} of tips.slice(0, MOST_TIPS).filter(tip => tip.action !== rules.pass)) {
      const tip = shape('g', {class: action === tips[0].action ? 'tip best' : 'tip'});
      tip.append(shape('circle', {cx: column(action), cy: row(action), r: 0.44}), text(Math.round(100 * winRate), column(action), row(action), lettering));
      shapes.push(tip);
    }
    stones.replaceChildren(...shapes);
    if (turn) points.dataset.turn = turn;
    else delete points.dataset.turn;
  }

  return {show, step};
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function text(words, x, y, size) {
  const element = shape('text', {x, y: y + 0.35 * size, 'font-size': size});
  element.textContent = words;
  return element;
}

// The points that are marked on a board of wood.
function stars(rules) {
  const most = rules.mostHandicap();
  const cells = most ? rules.handicapCells(rules.size >= 13 ? most : 4) : [];
  return rules.size % 2 ? [...new Set([...cells, (rules.cells - 1) / 2])] : cells;
}

function gradients() {
  const all = shape('defs', {});
  for (const colour of Object.values(COLOURS)) {
    const gradient = all.appendChild(shape('radialGradient', {id: `${colour}-stone`, cx: '35%', cy: '30%', r: '75%'}));
    gradient.append(shape('stop', {offset: 0, style: `stop-color: var(--${colour}-lit)`}), shape('stop', {offset: 1, style: `stop-color: var(--${colour})`}));
  }
  return all;
}
