// The thread of a page that plays: it holds the network and searches, so that the page answers meanwhile. Its other side is thinker.js.
import {cached} from './cache.js';
import {open} from './engine.js';
import {evaluatorOf} from './net.js';
import {Search} from './search.js';

const PAUSE_MS = 60; // between looks at what the page wants now
let about;
let evaluate;
let makeGame;
let wanted = 0; // the last search that was asked for; others end at their next look

const calls = {
  async open(given, threads) {
    about = given;
    ({makeGame} = await import(`./${about.game.family}-rules.js`));
    const file = await fetch(about.model);
    if (!file.ok) throw new Error(`${about.model}: ${file.status} ${file.statusText}`);
    const model = await open(await file.arrayBuffer(), threads);
    const game = makeGame(about.game);
    evaluate = cached(evaluatorOf(model, game), {size: game.planes * game.height * game.width, actions: game.actions});
    return {threads: model.threads};
  },

  // The position is told from its start, so that nothing has to be kept here between searches.
  async think({options, setup, moves}, playouts, id) {
    const game = makeGame(about.game, options);
    const state = game.start(setup);
    for (const [player, action] of moves) {
      if (player !== state.turn) game.setToMove(state, player);
      game.play(state, action);
    }
    const search = new Search(game, evaluate);
    let looked = performance.now();
    return search.run(state, playouts, async () => {
      if (performance.now() - looked < PAUSE_MS) return true;
      postMessage({id, progress: search.thought()});
      await new Promise(resolve => setTimeout(resolve)); // messages come only between tasks
      looked = performance.now();
      return id === wanted;
    });
  },
};

addEventListener('message', async ({data: {id, call, given}}) => {
  wanted = id;
  try {
    if (call !== 'stop') postMessage({id, value: await calls[call](...given, id)});
  } catch (error) {
    postMessage({id, error: String(error?.message ?? error)});
  }
});
