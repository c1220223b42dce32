// The page's side of worker.js: a network that thinks elsewhere.
export async function openThinker(about, threads) {
  const worker = new Worker('worker.js', {type: 'module'});
  const waiting = new Map();
  let last = 0;

  worker.addEventListener('message', ({data: {id, value, error, progress}}) => {
    const call = waiting.get(id);
    if (progress) {
      call?.onProgress?.(progress);
      return;
    }
    waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  });
  // What could not even start has no call of its own.
  worker.addEventListener('error', event => {
    for (const {reject} of waiting.values()) reject(new Error(event.message || 'the worker did not start'));
    waiting.clear();
  });

  function ask(call, given, onProgress) {
    last += 1;
    worker.postMessage({id: last, call, given});
    return new Promise((resolve, reject) => waiting.set(last, {resolve, reject, onProgress}));
  }

  // Nobody waits for a search that is no longer wanted: its promise resolves to null at once.
  function stop() {
    for (const {resolve} of waiting.values()) resolve(null);
    waiting.clear();
  }

  const {threads: used} = await ask('open', [about, threads]);
  return {
    threads: used,
    think(position, playouts, onProgress) {
      stop();
      return ask('think', [position, playouts], onProgress);
    },
    stop() {
      if (!waiting.size) return;
      stop();
      last += 1;
      worker.postMessage({id: last, call: 'stop'});
    },
  };
}
