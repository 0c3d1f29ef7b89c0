// What the engine is made of: loaded once, kept by the browser, told in megabytes.

const ROOT = new URL("../runtime/", import.meta.url);
const KEPT = "elocute-runtime";

/** Something that could not be loaded. */
export class LoadError extends Error {}

/** Where a file of the run-time lies, for scripts that are imported. */
export function address(name) {
  return new URL(name, ROOT).href;
}

async function answered(url) {
  let answer;
  try {
    answer = await fetch(url);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new LoadError("the server does not answer");
  }
  if (answer.ok) return answer;
  const problem = /json/.test(answer.headers.get("Content-Type") ?? "") ? await answer.json() : {};
  throw new LoadError(problem.detail ?? `the server answered ${answer.status} for ${new URL(url).pathname}`);
}

/** The browser's store; null where it has none, or no room. */
async function openStore() {
  if (!globalThis.caches) return null; // pages of plain http other than localhost have none
  try {
    return await caches.open(KEPT);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return null;
  }
}

async function keep(store, url, content) {
  if (store === null) return;
  try {
    await store.put(url, new Response(content));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // no room: it is loaded again next time
  }
}

async function download(url, size, onBytes) {
  const answer = await answered(url);
  const parts = [];
  let seen = 0;
  const reader = answer.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    seen += part.value.length;
    onBytes(part.value.length);
  }
  if (seen !== size) throw new LoadError(`${new URL(url).pathname} has ${seen} bytes, not ${size}; try again`);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function unpacked(name, content) {
  if (!name.endsWith(".gz")) return content;
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * All files of the engine but scripts.
 *
 * @param {(done: number, total: number, isKept: boolean) => void} onProgress bytes, and whether they were kept from before
 * @returns {Promise<{contents: Map<string, Uint8Array>, settings: object}>} contents by name, without ".gz"
 */
export async function loadFiles(onProgress) {
  const manifest = await (await answered(address("manifest.json"))).json();
  const wanted = manifest.files.filter(({ name }) => !/\.m?js$/.test(name));
  const total = wanted.reduce((sum, file) => sum + file.stored_bytes, 0);
  const store = await openStore();
  const contents = new Map();
  const urls = new Set();
  let done = 0;
  const count = (bytes, isKept) => {
    done += bytes;
    onProgress(done, total, isKept);
  };
  for (const { name, stored_bytes: size, sha256 } of wanted) {
    const url = `${address(name)}?v=${sha256}`;
    urls.add(url);
    const kept = await store?.match(url);
    let content;
    if (kept) {
      content = new Uint8Array(await kept.arrayBuffer());
      count(size, true);
    } else {
      content = await download(url, size, (bytes) => count(bytes, false));
      await keep(store, url, content);
    }
    contents.set(name.replace(/\.gz$/, ""), await unpacked(name, content));
  }
  for (const { url } of (await store?.keys()) ?? []) if (!urls.has(url)) await store.delete(url);
  return { contents, settings: manifest.settings };
}
