// The switch "Keep my voice on this device": while it is on, the page assesses by itself and sends no sound to anyone.

import { Refusal, refusalOf } from "../api.js";
import { byId } from "../dom.js";
import { Engine, EngineError, whatIsMissing } from "./engine.js";

const KEPT = "elocute.on-device";
const CLAIM = "Read a sentence aloud and see how every sound came out. Your voice stays on this device.";
const OFF = "The page then listens by itself; for that it loads about 30 MB, once.";

export class OnDevice {
  constructor() {
    this.control = byId("on-device");
    this.isPossible = true;
    this.claims = { off: byId("claim").textContent, on: CLAIM };
    this.engine = new Engine((state) => this.follow(state));
    const missing = whatIsMissing();
    if (missing !== null) {
      this.isPossible = false;
      this.hold(true);
      this.tell(`${missing} So your recordings go to the server.`);
      return;
    }
    this.control.checked = localStorage.getItem(KEPT) === "yes";
    this.control.addEventListener("change", () => {
      localStorage.setItem(KEPT, this.isOn ? "yes" : "no");
      this.turn();
    });
    this.turn();
  }

  /** Whether recordings stay here. */
  get isOn() {
    return this.control.checked;
  }

  /** Keep the switch as it is, while a recording is made that may be on its way already. */
  hold(isHeld) {
    this.control.disabled = isHeld || !this.isPossible;
  }

  turn() {
    byId("claim").textContent = this.isOn ? this.claims.on : this.claims.off;
    byId("by-itself").disabled = this.isOn; // it is the server that hears the end
    if (this.isOn) {
      this.start();
    } else {
      if (!this.engine.isReady) this.engine.stop();
      this.tell(OFF);
    }
  }

  /** Begin to load; whoever waits for it gets the same failure. */
  start() {
    if (this.engine.isReady) {
      this.follow({ kind: "ready" });
      return;
    }
    this.tell("Loading …");
    this.engine.start().then(
      () => stayAvailable(),
      (error) => {
        if (error.name === "AbortError") return;
        if (!(error instanceof EngineError)) throw error;
        if (this.isOn) this.tell(`${error.message} It is tried again with your next recording.`, "bad");
      },
    );
  }

  follow(state) {
    if (!this.isOn) return;
    if (state.kind === "progress") {
      const [done, total] = [state.done, state.total].map((bytes) => Math.round(bytes / 1e6));
      byId("on-device-loaded").textContent = state.isKept ? "" : `${done} of ${total} MB`;
    } else if (state.kind === "starting") {
      this.tell("Starting …");
    } else {
      this.tell("Ready. Your recordings are assessed here, and no server hears them.");
    }
  }

  tell(message, kind = "hint") {
    byId("on-device-note").textContent = message;
    byId("on-device-note").className = kind;
    byId("on-device-loaded").textContent = "";
  }

  /**
   * Have a recording assessed here; as `assess` of api.js.
   *
   * @param {Blob} blob
   * @param {{text: string, wishes: object, signal: AbortSignal}} options
   * @returns {Promise<object>} the report
   */
  async assess(blob, { text, wishes, signal }) {
    let answer;
    if (!this.engine.isReady) this.start();
    try {
      answer = await this.engine.assess(blob, { text, ...wishes }, signal);
    } catch (error) {
      if (error.name === "AbortError") this.tell("Not loaded, as that was cancelled.");
      if (!(error instanceof EngineError)) throw error;
      throw new Refusal("failed", `This device could not assess the recording, which is kept. ${error.message}`);
    }
    const plain = JSON.parse(answer.body);
    if (answer.status === 200) return plain;
    throw refusalOf({ ...plain, status: answer.status });
  }

  /**
   * The next sentence, chosen here; as `practice` of api.js.
   *
   * @param {string} body JSON of the attempts
   * @returns {Promise<object>}
   */
  async practice(body) {
    let answer;
    try {
      await this.engine.start();
      answer = await this.engine.ask({ kind: "practice", body });
    } catch (error) {
      if (error.name === "AbortError") throw new Refusal("away", "The switch was turned off meanwhile.");
      if (!(error instanceof EngineError)) throw error;
      throw new Refusal("failed", error.message);
    }
    const plain = JSON.parse(answer.body);
    if (answer.status === 200) return plain;
    throw refusalOf({ ...plain, status: answer.status });
  }
}

/** From now on the page opens without its server, too. */
function stayAvailable() {
  navigator.serviceWorker?.register("offline.js").catch((error) => {
    if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    console.warn(`the page will not open without its server: ${error.message}`);
  });
}
