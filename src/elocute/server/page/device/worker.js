// The engine, in a thread of its own: Python with elocute, and beside it onnxruntime for the networks.

import { address, LoadError, loadFiles } from "./files.js";
import { Networks } from "./networks.js";

const SITE = "/lib/python3.11/site-packages";
const MOST_THREADS = 4;

let engine = null;
let python = null;

/** Pyodide fetches its parts by name; they are here already. */
function answerFrom(contents) {
  const ask = globalThis.fetch;
  globalThis.fetch = (what, options) => {
    const name = new URL(what, address("")).pathname.split("/").pop();
    if (!contents.has(name)) return ask(what, options);
    const type = name.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
    return Promise.resolve(new Response(contents.get(name), { headers: { "Content-Type": type } }));
  };
  return () => { globalThis.fetch = ask; };
}

function threads() {
  return globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;
}

async function openNetworks(contents) {
  const { default: factory } = await import(address("ort-wasm-simd-threaded.mjs"));
  return Networks.open(factory, contents.get("ort-wasm-simd-threaded.wasm").buffer, threads());
}

async function openPython(contents) {
  const { loadPyodide } = await import(address("pyodide.mjs"));
  const restore = answerFrom(contents);
  try {
    return await loadPyodide({ indexURL: address("") });
  } finally {
    restore();
  }
}

/** What Python sees of the networks; see elocute/browser/networks.py. */
function bridge(networks) {
  return {
    load: (model) => networks.load(model.toJs()),
    names: (session) => {
      const { inputs, outputs } = networks.names(session);
      return python.toPy([inputs, outputs]);
    },
    run: (session, inputs, outputs) => {
      const given = inputs.toJs().map(([name, type, dims, bytes]) => ({ name, type, dims, bytes }));
      return python.toPy(networks.run(session, given, outputs.toJs()).map(({ type, dims, bytes }) => [type, dims, bytes]));
    },
  };
}

async function start() {
  const { contents, settings } = await loadFiles((done, total, isKept) => {
    postMessage({ kind: "progress", done, total, isKept });
  });
  postMessage({ kind: "starting" });
  const opening = openNetworks(contents);
  python = await openPython(contents);
  // The one function that this build of numpy wants and Pyodide lacks. numpy asks who called it before it reuses memory
  // of large arrays; where nobody can tell, which 0 means, it does not reuse it.
  python._module.mergeLibSymbols({ backtrace: () => 0 }, "backtrace");
  for (const name of ["numpy.zip", "elocute.zip"]) python.unpackArchive(contents.get(name), "zip", { extractDir: SITE });
  python.registerJsModule("elocute_networks", bridge(await opening));
  contents.clear();
  engine = python.pyimport("elocute.browser.engine").Engine(JSON.stringify(settings));
}

function told(answer) {
  const [status, body] = answer.toJs();
  answer.destroy();
  return { status, body };
}

function assess({ channels, samples, sampleRate, fields }) {
  return told(engine.assess(python.toPy(samples), channels, sampleRate, python.toPy(fields)));
}

function inWords(error) {
  if (error instanceof LoadError) return `The parts could not be loaded: ${error.message}.`;
  if (error instanceof RangeError || /memory|allocat/i.test(String(error))) {
    return "There is not enough memory for it; close other pages, then try again.";
  }
  return `It failed (${String(error).trim().split("\n").pop()}).`;
}

addEventListener("message", async ({ data }) => {
  try {
    if (data.kind === "start") {
      await start();
      postMessage({ kind: "ready", threads: threads() });
    } else {
      const answer = data.kind === "practice" ? told(engine.practice(data.body)) : assess(data);
      postMessage({ kind: "answer", id: data.id, ...answer });
    }
  } catch (error) {
    console.error(error);
    postMessage({ kind: "failed", id: data.id ?? null, message: inWords(error) });
  }
});
