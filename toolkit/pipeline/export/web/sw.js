// Keeps the page for times without a network: its own files at once, the engine and the model as they are fetched.
const VERSION = 'VERSION';
const SHELL = ['SHELL'];
// Other pages of the same host have caches of their own beside this one.
const PREFIX = `${registration.scope} `;
const CACHE = PREFIX + VERSION;

addEventListener('install', event => {
  skipWaiting();
  event.waitUntil(caches.open(CACHE).then(cache => cache.addAll(['./', ...SHELL])));
});

addEventListener('activate', event => {
  const takeOver = async () => {
    const outdated = (await caches.keys()).filter(name => name.startsWith(PREFIX) && name !== CACHE);
    await Promise.all(outdated.map(name => caches.delete(name)));
    await clients.claim();
  };
  event.waitUntil(takeOver());
});

addEventListener('fetch', event => {
  if (event.request.method === 'GET' && event.request.url.startsWith(registration.scope)) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, {ignoreVary: true});
  if (kept) return kept;
  const response = await fetch(request);
  // A device without room for it still shows the page.
  if (response.status === 200) await cache.put(request, response.clone()).catch(() => {});
  return response;
}
