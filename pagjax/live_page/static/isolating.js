// Asks for the isolation without which a browser computes with one thread.

/**
 * Where the server does not isolate the page, a service worker does, and the page is opened again:
 * once, and not in a frame, which only its own page could isolate.
 *
 * @returns whether the page is about to be opened again.
 */
export async function isolated() {
  const workers = navigator.serviceWorker;
  if (crossOriginIsolated || !workers || window.top !== window || sessionStorage.getItem("isolated")) return false;
  try {
    sessionStorage.setItem("isolated", "tried");
    await workers.register("isolation.js");
    await workers.ready;
  } catch {
    return false; // one thread computes, and the page says so
  }
  location.reload();
  return true;
}
