// A page to play Go on against the network: board, what the network thinks, records. `net` is a thinker (thinker.js).
import {board} from './go-board.js';
import {GoGame} from './go-game.js';
import {BLACK, WHITE} from './go-rules.js';

const NAMES = {[BLACK]: 'Black', [WHITE]: 'White'};
const SHOWN = 5;
const LEAST_SHARE = 0.02; // of the visits, for a move to be shown on the board
const NOBODY = 0;

export const title = 'Play Go';

export async function view(element, about, net) {
  await styled('go.css');
  element.innerHTML = await (await fetch('go.html')).text();
  const part = name => element.querySelector(`#${name}`);
  let game;
  let goban;
  let you = BLACK; // whose moves are yours; NOBODY's are the network's where you play both
  let thought = null; // {mover, winRate, playouts, candidates}: the last search, and of whose move
  let tips = []; // what a search of this position would play
  let thinking = false;
  let failed = '';

  const isYours = () => !game.isOver && (you === NOBODY || game.toMove === you);
  const playouts = () => Number(part('playouts').value);
  const say = words => { part('spoken').textContent = words; };

  function begin(next, colour) {
    stop();
    [game, you, thought, tips, failed] = [next, colour, null, [], ''];
    part('komi').value = game.rules.komi;
    part('colour').value = you;
    goban = board(part('goban'), game.rules, cell => playYours(cell));
    draw();
  }

  function stop() {
    net.stop();
    thinking = false;
  }

  function fail(words) {
    failed = words;
    draw();
    say(words);
  }

  // Play for you, and let the network answer.
  async function playYours(action) {
    if (!isYours()) return fail(game.isOver ? 'The game is over.' : "It is the network's turn.");
    if (thinking) stop(); // about a hint
    try {
      put(action);
    } catch (error) {
      return fail(`${error.message}.`);
    }
    return answer();
  }

  function put(action) {
    const player = game.toMove;
    const taken = game.play(action);
    [tips, failed] = [[], ''];
    const words = [`${NAMES[player]} ${action === game.rules.pass ? 'passes' : game.rules.name(action)}.`];
    if (taken) words.push(`${taken} ${taken === 1 ? 'stone' : 'stones'} taken.`);
    if (game.isOver) words.push(ending());
    else if (isYours()) words.push('Your move.');
    draw();
    say(words.join(' '));
  }

  async function answer() {
    if (game.isOver || isYours()) return;
    const found = await search();
    if (found) put(found.action);
  }

  async function hint() {
    if (!isYours() || thinking) return;
    const found = await search();
    if (!found) return;
    tips = found.candidates.filter(({visits}) => visits >= LEAST_SHARE * found.playouts);
    draw();
    say(`The network would play ${game.rules.name(found.action)}, and wins ${rate(found.winRate)} as ${NAMES[game.toMove]}.`);
  }

  // Null where the search was given up for another one, or failed.
  async function search() {
    const mover = game.toMove;
    const show = found => {
      thought = {mover, ...found};
      draw();
    };
    [thinking, failed] = [true, ''];
    draw();
    try {
      const found = await net.think(game.position, playouts(), show);
      if (!found) return null;
      thinking = false;
      show(found);
      return found;
    } catch (error) {
      thinking = false;
      fail(`The network failed: ${error.message}`);
      return null;
    }
  }

  // Back to the last position in which you were to move.
  function undo() {
    if (!canUndo()) return;
    stop();
    [thought, tips, failed] = [null, [], ''];
    do game.undo(); while (game.moves.length && !isYours());
    draw();
    say(`Taken back. ${isYours() ? 'Your move.' : ''}`);
    answer();
  }

  const canUndo = () => game.moves.some(([player]) => you === NOBODY || player === you);

  function ending() {
    const score = game.rules.score(game.state);
    return score ? `${NAMES[score > 0 ? BLACK : WHITE]} wins by ${Math.abs(score)}.` : 'The game is drawn.';
  }

  function draw() {
    const last = game.lastAction;
    const owners = game.isOver ? game.rules.ownership(game.state) : undefined;
    goban.show(game.state, {last, turn: isYours() ? game.toMove : 0, tips, owners});
    const passed = last === game.rules.pass ? `${NAMES[3 - game.toMove]} passed. ` : '';
    const mine = you === NOBODY ? `${NAMES[game.toMove]} to move` : 'Your move';
    part('turn').textContent = game.isOver ? ending() : thinking ? 'The network thinks…' : isYours() ? passed + mine : "The network's turn";
    part('detail').textContent = failed || detail();
    part('detail').classList.toggle('wrong', Boolean(failed));
    part('pass').disabled = part('advice').disabled = !isYours() || thinking;
    part('undo').disabled = !canUndo();
    part('save').disabled = !game.moves.length;
    element.dataset.moves = game.moves.map(([, action]) => game.rules.name(action)).join(' ');
    element.dataset.thinking = thinking;
    drawThought();
  }

  function detail() {
    const place = game.moves.length ? `After move ${game.moves.length}, komi ${game.rules.komi}.` : `Komi ${game.rules.komi}.`;
    if (game.isOver) return `${place} All stones on the board count as alive; squares mark the area around them.`;
    if (thinking) return `${thought?.playouts ?? 0} of ${playouts()} playouts.`;
    return `${place} Two passes end the game, and what stands then counts: take dead stones before.`;
  }

  function drawThought() {
    const black = thought && (thought.mover === BLACK ? thought.winRate : 1 - thought.winRate);
    part('rate').style.setProperty('--part', `${100 * (black ?? 0.5)}%`);
    part('rate').ariaLabel = thought ? `Black wins ${rate(black)}` : 'Nobody has searched yet';
    part('black').textContent = thought ? `Black ${rate(black)}` : 'Black';
    part('white').textContent = thought ? `White ${rate(1 - black)}` : 'White';
    part('candidates').hidden = !thought;
    if (!thought) return;
    part('whose').textContent = `What the network looked at as ${NAMES[thought.mover]}`;
    part('candidates').tBodies[0].replaceChildren(...thought.candidates.slice(0, SHOWN).map(({action, visits, winRate}) => {
      const line = document.createElement('tr');
      for (const words of [game.rules.name(action), visits, '', rate(winRate)]) line.insertCell().textContent = words;
      line.cells[2].append(document.createElement('i'));
      line.cells[2].firstChild.style.setProperty('--part', `${(100 * visits) / thought.playouts}%`);
      return line;
    }));
  }

  part('pass').addEventListener('click', () => playYours(game.rules.pass));
  part('undo').addEventListener('click', undo);
  part('advice').addEventListener('click', hint);
  part('new').addEventListener('submit', event => {
    event.preventDefault();
    begin(GoGame.withHandicap(about.game, Number(part('handicap').value), Number(part('komi').value)), Number(part('colour').value));
    say(`New game. ${isYours() ? 'Your move.' : ''}`);
    answer();
  });
  part('save').addEventListener('click', () => {
    const name = player => (you === NOBODY || you === player ? 'visitor' : `${about.title} ${about.artifact}`);
    const record = new Blob([game.sgf({blackName: name(BLACK), whiteName: name(WHITE)})], {type: 'application/x-go-sgf'});
    const link = Object.assign(document.createElement('a'), {href: URL.createObjectURL(record), download: 'game.sgf'});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href));
  });
  addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const act = {p: () => playYours(game.rules.pass), u: undo, h: hint}[event.key.toLowerCase()];
    if (act) act();
    else if (!goban.step(event.key)) return;
    event.preventDefault();
  });

  const most = new GoGame(about.game).rules.mostHandicap();
  part('handicap').append(new Option('none', 0));
  for (let count = 2; count <= most; count += 1) part('handicap').append(new Option(count, count));
  part('handicap').disabled = !most;
  begin(new GoGame(about.game), BLACK);
  part('learned').textContent = `The network has learned with komi ${game.rules.komi}.`;

  return {
    clear() {},
    async opened(file) {
      const loaded = GoGame.fromSgf(about.game, await file.text());
      begin(loaded, loaded.isOver ? NOBODY : loaded.toMove);
      say(`The record of ${loaded.moves.length} moves is open.`);
    },
  };
}

const rate = share => `${(100 * share).toFixed(1)} %`;

// The page's own style sheet, before anything is shown with it.
function styled(href) {
  const link = Object.assign(document.createElement('link'), {rel: 'stylesheet', href});
  const loaded = new Promise((resolve, reject) => {
    link.addEventListener('load', resolve);
    link.addEventListener('error', () => reject(new Error(`${href} is missing`)));
  });
  document.head.append(link);
  return loaded;
}
