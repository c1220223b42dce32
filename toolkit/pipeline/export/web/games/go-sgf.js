// Game records of Go in SGF (FF[4], GM[1]), as models/alphago/sgf.py writes and reads them: one game, its main line.
const BLACK = 1;
const WHITE = 2;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

// `moves` are [player, cell], row by row from the top left, size * size for a pass; `black` and `white` the stones that are set up.
export function sgfText({size, komi, moves, black = [], white = [], toMove = BLACK, handicap = 0, result = '', blackName = '', whiteName = ''}) {
  const point = cell => (cell === size * size ? '' : LETTERS[cell % size] + LETTERS[Math.trunc(cell / size)]);
  const property = (name, ...values) => name + values.map(value => `[${String(value).replace(/[\\\]]/g, '\\$&')}]`).join('');
  const root = [
    property('FF', 4), property('GM', 1), property('CA', 'UTF-8'), property('AP', 'edge-inference-toolkit'), property('SZ', size), property('KM', komi),
    blackName && property('PB', blackName),
    whiteName && property('PW', whiteName),
    result && property('RE', result),
    handicap > 1 ? property('HA', handicap) : '',
    black.length ? property('AB', ...black.map(point)) : '',
    white.length ? property('AW', ...white.map(point)) : '',
    toMove === WHITE || white.length ? property('PL', toMove === WHITE ? 'W' : 'B') : '',
  ];
  const nodes = moves.map(([player, action]) => `;${property(player === BLACK ? 'B' : 'W', point(action))}`);
  return `(;${root.join('')}${nodes.join('')})\n`;
}

// The main line of the first game: {size, komi, handicap, black, white, toMove, moves}. Whether its moves are legal is not checked.
export function parseSgf(text) {
  const nodes = mainLine(text);
  const [root] = nodes;
  const size = Number(first(root, 'SZ') ?? 19);
  if (Number(first(root, 'GM') ?? 1) !== 1) throw new Error(`expected a record of Go, got GM[${first(root, 'GM')}]`);
  if (!Number.isInteger(size) || size < 1 || size > LETTERS.length) throw new Error(`expected a board of 1 to ${LETTERS.length} lines, got SZ[${first(root, 'SZ')}]`);
  const [komi, handicap] = [Number(first(root, 'KM') || 0), Number(first(root, 'HA') || 0)];
  if (!Number.isFinite(komi) || !Number.isInteger(handicap)) throw new Error('expected numbers in KM and HA');
  const moves = [];
  nodes.forEach((node, depth) => {
    if (depth && ['AB', 'AW', 'AE'].some(name => node[name])) throw new Error('stones are set up after the first node');
    for (const [name, player] of [['B', BLACK], ['W', WHITE]]) if (node[name]) moves.push([player, cellOf(node[name][0], size)]);
  });
  const [black, white] = ['AB', 'AW'].map(name => (root[name] ?? []).flatMap(value => rectangle(value, size)));
  const colour = first(root, 'PL')?.trim().toLowerCase()[0];
  const toMove = colour ? (colour === 'w' ? WHITE : BLACK) : moves.length ? moves[0][0] : handicap ? WHITE : BLACK;
  return {size, komi, handicap, black, white, toMove, moves};
}

const first = (node, name) => node[name]?.[0];

// A point, or no point for a pass; tt is one on boards of up to 19 lines.
function cellOf(value, size) {
  const name = value.trim();
  if (!name || (name === 'tt' && size <= 19)) return size * size;
  const [column, row] = [LETTERS.indexOf(name[0]), LETTERS.indexOf(name[1] ?? '?')];
  if (name.length !== 2 || Math.min(column, row) < 0 || Math.max(column, row) >= size) throw new Error(`expected a point of ${size} x ${size}, got [${name}]`);
  return row * size + column;
}

// A point, or a rectangle of them between two corners.
function rectangle(value, size) {
  const [start, end = start] = value.split(':').map(corner => cellOf(corner, size));
  const cells = [];
  for (let row = Math.trunc(start / size); row <= Math.trunc(end / size); row += 1) {
    for (let column = start % size; column <= end % size; column += 1) cells.push(row * size + column);
  }
  return cells;
}

// The nodes of the first game along the first variations: {name: [values]} each.
function mainLine(text) {
  const begin = text.indexOf('(');
  if (begin < 0) throw new Error('expected a game record (SGF)');
  const nodes = [];
  let name;
  const token = /\s+|[();]|([A-Za-z]+)|\[((?:\\[\s\S]|[^\]\\])*)\]/gy;
  token.lastIndex = begin;
  for (let match = token.exec(text); match && match[0] !== ')'; match = token.exec(text)) {
    const [whole, word, value] = match;
    if (whole === ';') {
      nodes.push({});
      name = undefined;
    } else if (word) {
      name = word.replace(/[a-z]/g, ''); // lower-case letters are those of old versions
      if (nodes.length) nodes.at(-1)[name] ??= [];
    } else if (value !== undefined) {
      if (!name || !nodes.length) throw new Error('the game record (SGF) is damaged: a value without a name');
      nodes.at(-1)[name].push(value.replace(/\\\r?\n/g, '').replace(/\\([\s\S])/g, '$1'));
    }
    if (token.lastIndex === text.length) throw new Error('the game record (SGF) is cut short');
  }
  if (!nodes.length || token.lastIndex === 0) throw new Error('the game record (SGF) is damaged');
  return nodes;
}
