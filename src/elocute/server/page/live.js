// A recording that is assessed while it is being made: the connection to the server, and the words that light up.

import { refusalOf } from "./api.js";
import { scoreOf, shareOf } from "./captions.js";
import { paint } from "./colours.js";
import { byId, el } from "./dom.js";

const CLOSED = 1000;

/** The connection broke, or the server has no time for it; the recording can still be sent as a whole. */
export class ConnectionLost extends Error {}

/** Sends samples while they are recorded, and gets words, and the report in the end. */
export class Live {
  /**
   * @param {{text: string, wishes: object, key: string | null, rate: number, silence: number | null}} options
   * @param {{onReady: (spans: number[][]) => void, onWords: (words: object[]) => void, onEnd: (samples: number) => void,
   *   onFailure: (error: Error) => void}} listeners
   */
  constructor({ text, wishes, key, rate, silence }, listeners) {
    const start = { type: "start", text, ...wishes, sample_rate: rate, end_of_speech_s: silence };
    this.waiting = [JSON.stringify(key === null ? start : { ...start, key })];
    this.listeners = listeners;
    this.report = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    // Whoever waits for the report is told; before that, the listener.
    this.report.catch((error) => this.listeners.onFailure(error));
    const address = new URL("v1/stream", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(address);
    this.socket.addEventListener("open", () => this.flush());
    this.socket.addEventListener("message", ({ data }) => this.hear(JSON.parse(data)));
    this.socket.addEventListener("close", () => this.reject(new ConnectionLost("the connection was closed")));
  }

  send(message) {
    this.waiting.push(message);
    this.flush();
  }

  flush() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    for (const message of this.waiting) this.socket.send(message);
    this.waiting = [];
  }

  /** Say that the recording is complete; its report comes then. */
  stop() {
    this.send(JSON.stringify({ type: "stop" }));
  }

  /** Throw it away. */
  abort() {
    this.reject(new DOMException("cancelled", "AbortError"));
    this.socket.close(CLOSED);
  }

  hear(message) {
    if (message.type === "ready") this.listeners.onReady(message.words);
    else if (message.type === "partial") this.listeners.onWords(message.words);
    else if (message.type === "end") this.listeners.onEnd(message.bytes / 2);
    else if (message.type === "final") this.resolve(message.report);
    else if (message.type === "error") this.reject(refusalOf(message.problem));
  }
}

/** The sentence in the place of its field while it is read; words that are finished get their colours. */
export class Reading {
  begin(text) {
    this.letters = [...text.normalize("NFC")]; // the server counts letters, JavaScript halves of some
    this.words = [];
    byId("reading").replaceChildren(text);
    byId("reading").hidden = false;
    byId("sentence").hidden = true;
  }

  /** Take the text apart at the words that the server will tell of. */
  divide(spans) {
    const parts = [];
    let end = 0;
    this.words = [];
    for (const [first, last] of spans) {
      if (first >= end) {
        parts.push(this.letters.slice(end, first).join(""), el("span", {}, this.letters.slice(first, last).join("")));
        end = last;
      }
      this.words.push(parts.at(-1)); // "42" is two words in one place
    }
    byId("reading").replaceChildren(...parts, this.letters.slice(end).join(""));
  }

  light(words, scale) {
    for (const word of words) {
      const place = this.words[word.text_index];
      if (place === undefined || word.error === "omission" || scoreOf(word) === null) continue;
      paint(place, shareOf(scoreOf(word), scale)).classList.add("done");
    }
  }

  end() {
    byId("reading").hidden = true;
    byId("sentence").hidden = false;
  }
}
