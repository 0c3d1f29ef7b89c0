// The server, and what it says when it does not give a report.

/** Why there is no report: `kind` is busy, key, away, refused or failed; the message is for people. */
export class Refusal extends Error {
  constructor(kind, message, { retryAfterS = null, report = null } = {}) {
    super(message);
    this.kind = kind;
    this.retryAfterS = retryAfterS;
    this.report = report; // what can be said of a recording that cannot be scored
  }
}

const TITLES = {
  400: "This text cannot be used.",
  413: "This recording is too large or too long.",
  415: "This file is not a recording that can be read.",
  422: "This recording cannot be scored.",
};
const ENDINGS = {
  "audio/webm": "webm", "audio/mp4": "m4a", "audio/ogg": "ogg", "audio/wav": "wav", "audio/x-wav": "wav",
  "audio/mpeg": "mp3", "audio/flac": "flac",
};

function nameOf(blob) {
  return blob.name ?? `recording.${ENDINGS[blob.type.split(";")[0]] ?? "bin"}`;
}

/** Seconds that a recording may have, as the server says; null where it does not say. */
export async function longestRecording() {
  const answer = await fetch("v1/models").catch(() => null); // a server that is away is told of when it is needed
  if (answer === null || !answer.ok) return null;
  const { limits } = await answer.json();
  return limits?.max_duration_s ?? null;
}

/**
 * Have a recording assessed.
 *
 * @param {Blob} blob the recording, as the browser or a file gave it
 * @param {{text: string, wishes: object, key: string | null, signal: AbortSignal}} options wishes: other fields of the form
 * @returns {Promise<object>} the report
 */
export async function assess(blob, { text, wishes, key, signal }) {
  const form = new FormData();
  form.append("audio", blob, nameOf(blob));
  form.append("text", text);
  for (const [name, value] of Object.entries(wishes)) form.append(name, value);
  let answer;
  try {
    answer = await fetch("v1/assess", { method: "POST", body: form, headers: key ? { "X-API-Key": key } : {}, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("away", "The server does not answer. Is it still running? Your recording is kept here.");
  }
  if (answer.ok) return answer.json();
  throw await refusal(answer);
}

/**
 * The next sentence to practise; the server chooses it and keeps nothing.
 *
 * @param {string} body JSON of the attempts
 * @param {string | null} key
 * @returns {Promise<{sentence: string, phones: {phone: string, ipa: string}[], attempts: (object | null)[]}>}
 */
export async function practice(body, key) {
  const headers = { "Content-Type": "application/json", ...(key ? { "X-API-Key": key } : {}) };
  let answer;
  try {
    answer = await fetch("v1/practice", { method: "POST", body, headers });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Refusal("away", "The server does not answer.");
  }
  if (answer.ok) return answer.json();
  throw await refusal(answer);
}

async function refusal(answer) {
  const wait = Number(answer.headers.get("Retry-After"));
  return refusalOf({ ...(await problemOf(answer)), status: answer.status }, wait > 0 ? wait : null);
}

/** The refusal that a problem of the server is. */
export function refusalOf({ status, detail, report = null }, wait = null) {
  const told = typeof detail === "string" && detail ? sentence(detail) : "";
  if (status === 429 || (status === 503 && wait !== null)) {
    return new Refusal("busy", "The server is busy with other recordings.", { retryAfterS: wait ?? 2 });
  }
  if (status === 401) return new Refusal("key", "This server asks for an API key.");
  if (status in TITLES) return new Refusal("refused", `${TITLES[status]} ${told}`.trim(), { report });
  return new Refusal("failed", `The server could not answer (${status}). ${told}`.trim());
}

/** A problem+json; nothing where the answer is something else, such as a proxy's page. */
async function problemOf(answer) {
  if (!/json/.test(answer.headers.get("Content-Type") ?? "")) return {};
  try {
    return { ...(await answer.json()) };
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function sentence(text) {
  const begun = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
