// A service worker, for those who keep their voice on their device: the page opens without its server, too.
//
// Whatever the server has is taken from there, so that nothing here grows old; what the page assesses with is kept by
// device/files.js.

const KEPT = "elocute-page";
const FILES = [
  "./", "api.js", "app.js", "captions.js", "capture.js", "colours.js", "dom.js", "drawing.css", "fft.js", "history.js", "icon.svg", "live.js", "next.js", "pitch.js",
  "player.js", "record.js", "result.js", "sentences.js", "sound.js", "sounds.js", "staff.js", "style.css",
  "device/decode.js", "device/device.js", "device/engine.js", "device/files.js", "device/networks.js", "device/worker.js",
  "runtime/manifest.json", "runtime/ort-wasm-simd-threaded.mjs", "runtime/pyodide.asm.js", "runtime/pyodide.mjs",
];
const ADDRESSES = FILES.map((name) => new URL(name, self.registration.scope).href);

async function fetched(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) {
      const store = await caches.open(KEPT);
      await store.put(request, answer.clone());
    }
    return answer;
  } catch (error) {
    const kept = await caches.match(request, { cacheName: KEPT });
    if (kept === undefined) throw error;
    return kept;
  }
}

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((store) => store.addAll(ADDRESSES)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && ADDRESSES.includes(event.request.url)) event.respondWith(fetched(event.request));
});
