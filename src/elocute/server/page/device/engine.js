// The page's side of the engine: starts it, tells how far it is, and has recordings assessed.

import { decode, DecodeError } from "./decode.js";

// A module with one SIMD instruction, and one with a memory that threads share.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const SHARED = [0, 97, 115, 109, 1, 0, 0, 0, 5, 4, 1, 3, 1, 1];
const LEAST_GB = 2;

/** The engine cannot be had, or has failed; the message is for people. */
export class EngineError extends Error {}

/** What this browser lacks, in words; null where it has everything. */
export function whatIsMissing() {
  if (typeof WebAssembly !== "object" || typeof Worker !== "function") return "This browser does not run WebAssembly.";
  if (!WebAssembly.validate(Uint8Array.from(SIMD))) return "This browser's WebAssembly lacks SIMD.";
  if (!WebAssembly.validate(Uint8Array.from(SHARED))) return "This browser's WebAssembly has no shared memory.";
  if (typeof DecompressionStream !== "function") return "This browser cannot unpack what the page loads.";
  if (typeof OfflineAudioContext !== "function") return "This browser does not let a page decode recordings.";
  if ((navigator.deviceMemory ?? LEAST_GB) < LEAST_GB) return `This device has less than ${LEAST_GB} GB of memory.`;
  return null;
}

export class Engine {
  /** @param {(state: {kind: string, done?: number, total?: number, isKept?: boolean}) => void} onState */
  constructor(onState) {
    this.onState = onState;
    this.waiting = new Map();
    this.count = 0;
    this.starting = null;
    this.worker = null;
    this.isReady = false;
  }

  /** Load it, if that is not done or under way. */
  start() {
    this.starting ??= new Promise((resolve, reject) => {
      this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "elocute" });
      this.started = { resolve, reject };
      this.worker.addEventListener("message", ({ data }) => this.hear(data));
      this.worker.addEventListener("error", (event) => this.stop(new EngineError(`It could not be started (${event.message ?? "no reason given"}).`)));
      this.worker.postMessage({ kind: "start" });
    });
    return this.starting;
  }

  hear(data) {
    if (data.kind === "progress" || data.kind === "starting") {
      this.onState(data);
    } else if (data.kind === "ready") {
      this.isReady = true;
      this.onState(data);
      this.started.resolve();
    } else if (data.kind === "failed" && data.id === null) {
      this.stop(new EngineError(data.message));
    } else {
      const asked = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.kind === "failed") asked.reject(new EngineError(data.message));
      else asked.resolve(data);
    }
  }

  /** End it, whatever it is doing; it can be started again. */
  stop(reason = new DOMException("stopped", "AbortError")) {
    this.worker?.terminate();
    this.started?.reject(reason);
    for (const { reject } of this.waiting.values()) reject(reason);
    this.waiting.clear();
    Object.assign(this, { worker: null, starting: null, started: null, isReady: false });
  }

  /**
   * @param {Blob} blob the recording
   * @param {Record<string, string>} fields of the form that a server would be sent
   * @param {AbortSignal} signal
   * @returns {Promise<{status: number, body: string}>} what a server would have answered
   */
  async assess(blob, fields, signal) {
    signal.throwIfAborted();
    const cancelled = new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    try {
      return await Promise.race([cancelled, this.answer(blob, fields, signal)]);
    } catch (error) {
      if (signal.aborted && !this.isReady) this.stop(); // what it loads is not wanted; an answer nobody waits for is short
      if (error instanceof DecodeError) return { status: 415, body: JSON.stringify({ detail: error.message }) };
      throw error;
    }
  }

  async answer(blob, fields, signal) {
    const [decoded] = await Promise.all([decode(blob), this.start()]);
    signal.throwIfAborted();
    return this.ask({ kind: "assess", ...decoded, fields }, [decoded.samples.buffer]);
  }

  ask(question, moved = []) {
    const id = (this.count += 1);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, ...question }, moved);
    });
  }
}
