// Loads the model and shows what fits it: a pad to draw on, a picture, the board of a game, or a form.
const MOST_THREADS = 4;
const PATIENCE_MS = 4000;
const part = name => document.querySelector(`#${name}`);

// Before anything large is fetched, so that it passes the worker, which keeps it for times without a network.
async function keepForLater() {
  if (!navigator.serviceWorker) return false;
  const controlled = new Promise(resolve => navigator.serviceWorker.addEventListener('controllerchange', resolve, {once: true}));
  try {
    await navigator.serviceWorker.register('sw.js');
    // A page that was reloaded past its worker gets none: it works all the same.
    if (!navigator.serviceWorker.controller) await Promise.race([controlled, new Promise(resolve => setTimeout(resolve, PATIENCE_MS))]);
  } catch {
    return false;
  }
  return Boolean(navigator.serviceWorker.controller);
}

function facts(about, model, kept) {
  const lines = [
    `${about.title}, ${about.artifact}, ${size(about.size_bytes)}`,
    `${about.engine}, ${model.threads === 1 ? '1 thread' : `${model.threads} threads`}`,
    kept ? 'works without a network' : 'needs its network',
    `SHA-256 ${about.files[about.model].slice(0, 16)}…`,
  ];
  part('facts').replaceChildren(...lines.map(text => Object.assign(document.createElement('span'), {textContent: text})));
}

const size = bytes => (bytes < 1e3 ? `${bytes} bytes` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

function titles(about, shown) {
  const digits = about.labels.length === 10 && about.labels.every(label => /^\d$/.test(label));
  const drawn = about.image?.channels === 1;
  const title = shown.title ?? (drawn ? (digits ? 'Draw a digit' : 'Draw a picture') : about.image ? 'Show a picture' : about.title);
  document.title = part('title').textContent = title;
  part('lead').textContent = `A network of ${size(about.size_bytes)} answers right here: nothing that you ${about.game ? 'play' : drawn ? 'draw' : about.image ? 'show' : 'enter'} leaves your device.`;
}

// Whatever is tried next, an old error and an old answer are gone.
function takeFiles({clear, opened, bind}) {
  const attempt = async work => {
    clear();
    document.querySelector('.alert')?.remove();
    try {
      await work();
    } catch (error) {
      clear();
      alertLine(error);
    }
  };
  const take = async file => {
    if (!file) return;
    document.body.dataset.opening = file.name;
    await attempt(() => opened(file));
    delete document.body.dataset.opening;
  };
  bind?.(attempt);
  part('view').addEventListener('pointerdown', () => document.querySelector('.alert')?.remove());
  part('file').addEventListener('change', event => take(event.target.files[0]).then(() => { event.target.value = ''; }));
  addEventListener('dragover', event => {
    event.preventDefault();
    document.body.classList.add('dropping');
  });
  addEventListener('dragleave', () => document.body.classList.remove('dropping'));
  addEventListener('drop', event => {
    event.preventDefault();
    document.body.classList.remove('dropping');
    take(event.dataTransfer.files[0]);
  });
  addEventListener('paste', event => {
    if (event.target.matches?.('textarea, input')) return;
    take(event.clipboardData.files[0] ?? new File([event.clipboardData.getData('text')], 'pasted.json'));
  });
}

function alertLine(error) {
  const line = part('view').appendChild(document.createElement('p'));
  Object.assign(line, {className: 'wrong-input alert', textContent: error.message});
  line.scrollIntoView({block: 'nearest'});
}

// A game's network thinks in a worker; others answer so soon that they may hold the page.
async function opened(about, threads) {
  if (about.game) return (await import('./thinker.js')).openThinker(about, threads);
  const {open} = await import('./engine.js');
  const file = await fetch(about.model);
  if (!file.ok) throw new Error(`${about.model}: ${file.status} ${file.statusText}`);
  return open(await file.arrayBuffer(), threads);
}

async function start() {
  const kept = await keepForLater();
  const about = await (await fetch('model.json')).json();
  const kind = about.game?.family ?? (!about.image ? 'form' : about.image.channels === 1 ? 'classifier' : 'photo');
  const shown = await import(`./${kind}.js`);
  titles(about, shown);
  part('status').textContent = `Loading ${about.engine}…`;
  const model = await opened(about, Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1));
  takeFiles(await shown[about.game ? 'view' : kind](part('view'), about, model));
  facts(about, model, kept);
  document.body.dataset.state = 'ready';
}

start().catch(error => {
  document.body.dataset.state = 'failed';
  part('status').textContent = `This browser could not run the model: ${error.message ?? error}`;
});
