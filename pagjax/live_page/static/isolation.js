// A service worker for servers that cannot be told to isolate a page: it adds the headers under which
// browsers let threads share memory, and keeps what was fetched, so that the page opens offline.

const KEPT = "pagjax-live";
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** The server's answer, or, without a connection, the one that was kept. */
async function answered(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.location.origin)) return;
  event.respondWith((async () => {
    const answer = await answered(request);
    if (answer.status !== 200) return answer;
    const headers = new Headers(answer.headers);
    for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
    const isolated = new Response(answer.body, { status: 200, headers });
    const copy = isolated.clone();
    event.waitUntil(caches.open(KEPT).then((cache) => cache.put(request, copy)));
    return isolated;
  })());
});
