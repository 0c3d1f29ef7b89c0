// The page: a sentence, a recording, the server's report.

import { assess, longestRecording, practice } from "./api.js";
import { OnDevice } from "./device/device.js";
import { byId, download, el } from "./dom.js";
import { History } from "./history.js";
import { ConnectionLost, Live, Reading } from "./live.js";
import { Next } from "./next.js";
import { referenceVoice, say, stop as silence, whenVoicesChange } from "./player.js";
import { MicrophoneError, Recording } from "./record.js";
import { Result } from "./result.js";
import { SENTENCES } from "./sentences.js";

const KEY = "elocute.key";
const MOST_TRIES = 3;
const QUIET = 0.02;
const LOUD = 0.98;
const SHORTEST_S = 0.4;
const SILENCE_S = 1.2; // after the last word, that ends a recording
const BY_ITSELF = "elocute.by-itself";
const WISHES = ["sensitivity", "l1", "advice"];
const REMEMBERED = ["l1", "advice"]; // they are the learner's, and the same tomorrow

const sentence = byId("sentence");
const record = byId("record");
const status = byId("status");
const result = new Result();
const reading = new Reading();
const onDevice = new OnDevice();
const next = new Next(
  (body) => (onDevice.isOn ? onDevice.practice(body) : practice(body, sessionStorage.getItem(KEY))),
  (text) => {
    write(text);
    byId("sentence").scrollIntoView({ block: "center" });
    record.focus({ preventScroll: true });
  },
);
const history = new History(
  (attempt) => {
    write(attempt.report.text);
    show(attempt);
  },
  (attempts) => next.follow(attempts, () => history.keep()),
);
let recording = null;
let live = null;
let isOpening = false;
let sending = null;
let last = null;
let longest = 60;

function tell(message, kind = "") {
  status.textContent = message;
  status.className = kind;
}

/** Put a sentence there to be read. */
function write(text) {
  sentence.value = text;
  const known = SENTENCES.findIndex(([other]) => other === text);
  byId("choice").value = known < 0 ? "" : String(known);
}

function offer({ again = false, cancel = false }) {
  byId("again").hidden = !again;
  byId("cancel").hidden = !cancel;
}

async function show(attempt) {
  await result.show(attempt);
  byId("result").scrollIntoView({ block: "start" });
}

function showLevel(seconds, peak) {
  const meter = byId("meter");
  // In decibels, as ears hear: -50 dB is empty, 0 dB full.
  const share = Math.min(Math.max(1 + (20 * Math.log10(peak + 1e-6)) / 50, 0), 1);
  meter.value = share;
  byId("clock").textContent = `${seconds.toFixed(1)} s`;
  if (seconds >= longest - 0.5) finish();
}

async function begin() {
  if (isOpening || sending !== null) return;
  if (sentence.value.trim() === "") {
    tell("Write or choose a sentence first.", "bad");
    sentence.focus();
    return;
  }
  silence();
  isOpening = true;
  offer({});
  tell("Waiting for the microphone …");
  try {
    recording = await Recording.start({ onLevel: showLevel, onSamples: (samples) => live?.send(samples), onEnd: () => finish() });
  } catch (error) {
    if (!(error instanceof MicrophoneError)) throw error;
    tell(error.message, "bad");
    return;
  } finally {
    isOpening = false;
  }
  const text = sentence.value.trim();
  reading.begin(text);
  onDevice.hold(true);
  live = onDevice.isOn ? null : assessedMeanwhile(text);
  record.classList.add("on");
  byId("record-name").textContent = "Stop";
  byId("level").hidden = false;
  offer({ cancel: true });
  const ending = byId("by-itself").checked && live !== null ? "it stops when you have finished, or when you press Stop" : "then press Stop";
  tell(`Recording. Read the sentence aloud; ${ending}.`);
}

/** How the recording is to be assessed, beside its text: fields of the server's form. */
function wishes() {
  return { scale: "100", ...Object.fromEntries(WISHES.map((name) => [name, byId(name).value])) };
}

/** A connection over which the recording is assessed while it is made; null where it is to be sent as a whole. */
function assessedMeanwhile(text) {
  const options = {
    text,
    wishes: wishes(),
    key: sessionStorage.getItem(KEY),
    rate: recording.rate,
    silence: byId("by-itself").checked ? SILENCE_S : null,
  };
  const own = new Live(options, {
    onReady: (spans) => reading.divide(spans),
    onWords: (words) => reading.light(words, 100),
    onEnd: (samples) => live === own && finish(samples),
    onFailure: (error) => {
      if (live !== own) return; // the recording has ended: whoever waits for its report is told
      live = null;
      if (error.kind === "refused") stopRecording().then(() => refuse(error));
      else tell("Recording. The server does not listen along; read on, then press Stop.");
    },
  });
  return own;
}

/** End the recording, with its first samples or all; null where there is none, or where its end is under way. */
async function stopRecording(samples) {
  if (recording === null) return null;
  const ended = { recording, live };
  recording = null;
  live = null;
  onDevice.hold(false);
  record.classList.remove("on");
  byId("record-name").textContent = "Record";
  byId("level").hidden = true;
  offer({});
  const blob = await ended.recording.stop(samples);
  return { blob, live: ended.live, loudest: ended.recording.loudest, seconds: ended.recording.seconds };
}

async function finish(samples) {
  const ended = await stopRecording(samples);
  if (ended === null) return;
  if (ended.seconds < SHORTEST_S) {
    ended.live?.abort();
    reading.end();
    tell("That was too short. Press Record, read the sentence, then press Stop.", "bad");
    return;
  }
  if (samples === undefined) ended.live?.stop();
  let remark = "";
  if (ended.loudest < QUIET) remark = "The recording is very quiet: come closer to the microphone, or turn it up.";
  if (ended.loudest > LOUD) remark = "The recording is too loud and distorted: go away from the microphone a little.";
  await send(ended.blob, remark, ended.live);
}

async function cancel() {
  if (sending !== null) {
    sending.abort();
    return;
  }
  const ended = await stopRecording();
  if (ended === null) {
    silence();
    return;
  }
  ended.live?.abort();
  reading.end();
  tell("The recording was thrown away.");
}

async function send(blob, remark = "", meanwhile = null) {
  const text = sentence.value.trim();
  if (text === "") {
    last = { blob, remark };
    tell("Write the sentence that was read, then press Send again.", "bad");
    offer({ again: true });
    sentence.focus();
    return;
  }
  last = { blob, remark };
  sending = new AbortController();
  record.disabled = true;
  try {
    const report = (await reportOf(meanwhile, sending.signal)) ?? (await tryOften(blob, text, sending.signal));
    await present(report, blob, remark);
  } catch (error) {
    if (error.report) await present(error.report, blob, remark);
    else refuse(error);
  } finally {
    reading.end();
    sending = null;
    record.disabled = false;
  }
}

async function present(report, blob, remark) {
  const attempt = history.add(report, blob);
  const { total } = report.utterance;
  const told = total === null ? "This recording could not be scored; the reason is below." : `Done: ${Math.round(total)} of ${report.scale}.`;
  tell([told, remark].filter(Boolean).join(" "), total === null || remark ? "bad" : "good");
  offer({});
  await show(attempt);
}

/** The report of a recording that was assessed while it was made; null where that did not work out. */
async function reportOf(meanwhile, signal) {
  if (meanwhile === null) return null;
  tell("Listening to your recording …");
  offer({ cancel: true });
  signal.addEventListener("abort", () => meanwhile.abort());
  try {
    return await meanwhile.report;
  } catch (error) {
    if (error instanceof ConnectionLost || ["busy", "key", "failed"].includes(error.kind)) return null;
    throw error;
  }
}

/** Send; a busy server is asked again after the time that it names. */
async function tryOften(blob, text, signal) {
  const heard = onDevice.isOn ? (...asked) => onDevice.assess(...asked) : assess;
  for (let count = 1; ; count += 1) {
    tell("Listening to your recording …");
    offer({ cancel: true });
    try {
      return await heard(blob, { text, wishes: wishes(), key: sessionStorage.getItem(KEY), signal });
    } catch (error) {
      if (error.kind !== "busy" || count === MOST_TRIES) throw error;
      const wait = Math.min(error.retryAfterS, 30);
      tell(`${error.message} Trying again in ${Math.ceil(wait)} s …`);
      await pause(1000 * wait, signal);
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    });
  });
}

function refuse(error) {
  reading.end();
  if (error.name === "AbortError") {
    tell("Cancelled. Your recording is kept until you make another.");
    offer({ again: true });
    return;
  }
  if (error.kind === undefined) throw error;
  tell(error.kind === "busy" ? `${error.message} Wait a little, then press Send again.` : error.message, "bad");
  offer({ again: error.kind !== "refused" });
  if (error.kind === "key") {
    byId("key-form").hidden = false;
    byId("key").focus();
  }
}

function open(files) {
  if (files.length === 0 || sending !== null || recording !== null) return;
  silence();
  send(files[0]);
}

function fillSentences() {
  const list = byId("choice");
  list.append(...SENTENCES.map(([text, trains], n) => el("option", { value: n }, `${text} (${trains})`)));
  list.addEventListener("change", () => {
    if (list.value !== "") sentence.value = SENTENCES[Number(list.value)][0];
  });
  sentence.addEventListener("input", () => { list.value = ""; });
  sentence.value = SENTENCES[0][0];
  list.value = "0";
}

function listen() {
  record.addEventListener("click", () => (recording === null ? begin() : finish()));
  byId("hear").addEventListener("click", () => say(sentence.value));
  whenVoicesChange(() => { byId("hear").hidden = referenceVoice() === null; });
  byId("file").addEventListener("change", (event) => {
    open([...event.target.files]);
    event.target.value = ""; // so that the same file can be opened again
  });
  byId("cancel").addEventListener("click", cancel);
  byId("by-itself").checked = localStorage.getItem(BY_ITSELF) !== "no";
  byId("by-itself").addEventListener("change", (event) => localStorage.setItem(BY_ITSELF, event.target.checked ? "yes" : "no"));
  for (const name of REMEMBERED) {
    const kept = localStorage.getItem(`elocute.${name}`);
    if ([...byId(name).options].some((option) => option.value === kept)) byId(name).value = kept;
    byId(name).addEventListener("change", (event) => localStorage.setItem(`elocute.${name}`, event.target.value));
  }
  byId("again").addEventListener("click", () => send(last.blob, last.remark));
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, byId("key").value.trim());
    byId("key-form").hidden = true;
    if (last !== null) send(last.blob, last.remark);
  });
  byId("export").addEventListener("click", () => download("elocute-report.json", JSON.stringify(result.report, null, 2)));
  byId("export-all").addEventListener("click", () => download("elocute-visit.json", history.json()));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancel();
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && document.body.classList.remove("dragging"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    open([...event.dataTransfer.files]);
  });
  byId("words").addEventListener("keydown", walk);
  byId("detail").addEventListener("keydown", walk);
}

/** Left and right go from word to word, and from sound to sound. */
function walk(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const button = event.target.closest(".said, .phone");
  if (step === undefined || button === null) return;
  const row = [...button.parentElement.children];
  const next = row[row.indexOf(button) + step];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}

fillSentences();
listen();
next.follow(history.attempts, () => history.keep());
longest = (await longestRecording()) ?? longest;
