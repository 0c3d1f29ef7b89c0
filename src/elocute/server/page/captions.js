// What the page says in words: about a word, a sound, the melody, the pauses; plain enough to be read aloud.

import { ipa, syllableIpa } from "./sounds.js";

const NONE = "–";
const WORD_ERRORS = {
  omission: "left out",
  insertion: "not in the text",
  mispronunciation: "mispronounced",
  repetition: "said again later",
  restart: "begun, then said again",
  truncation: "broken off",
};
const DOES = { rise: "Your voice goes up", fall: "Your voice goes down", level: "Your voice stays level" };
const DO = { rise: "go up", fall: "go down", level: "stay level" };
const FAIR = 0.6;

export function scoreText(score) {
  return score === null ? NONE : String(Math.round(score));
}

export function shareOf(score, scale) {
  return score === null ? null : score / scale;
}

/** The score that a word is shown with. */
export function scoreOf(word) {
  return word.total ?? word.accuracy;
}

export function wordNote(word) {
  return word.error === null ? "" : WORD_ERRORS[word.error];
}

/** Whether a phone that is not called wrong may be. */
export function isUnclear(phone, scale) {
  return phone.error === null && (phone.is_unsure || (phone.score !== null && phone.score < FAIR * scale));
}

/** What became of a phone, in a few words. */
export function phoneNote(phone, scale) {
  if (phone.error === "substitution" && phone.actual !== null) return `said as ${ipa(phone.actual)}`;
  if (phone.error === "deletion") return "left out";
  if (phone.error === "insertion") return "added";
  if (phone.error !== null) return "heavy accent";
  if (isUnclear(phone, scale)) return "unclear";
  return phone.score === null ? "not scored" : "clear";
}

/** Where the stress of a word was heard if it belongs elsewhere; "" if it is right or cannot be told. */
export function stressNote(word) {
  const asked = word.syllables.find((item) => item.stress_expected === 1);
  const heard = word.syllables.filter((item) => item.stress_spoken === 1);
  // A syllable with secondary stress may stand out as well.
  if (!asked || heard.length === 0 || heard.some((item) => item.stress_expected === 1 || item.stress_expected === 2)) {
    return "";
  }
  const [first, second] = [heard[0], asked].map(syllableIpa);
  return `stress heard on /${first}/, belongs on /${second}/`;
}

/** A word in one sentence, for a button's name. */
export function wordCaption(word, scale) {
  const score = scoreOf(word);
  const parts = [score === null ? null : `${scoreText(score)} of ${scale}`, wordNote(word), stressNote(word)];
  return `${word.word}: ${parts.filter(Boolean).join("; ") || "not scored"}`;
}

export function phoneCaption(phone, scale) {
  const score = phone.score === null ? "" : `, ${scoreText(phone.score)} of ${scale}`;
  return `sound ${phone.ipa}: ${phoneNote(phone, scale)}${score}`;
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}

export function pauseCaption(pause, isOdd) {
  const places = { boundary: "at the end of a phrase", phrase: "inside a phrase", word: "inside a word" };
  const wrong = isOdd ? ", where none belongs" : "";
  return `pause of ${(pause.end_s - pause.start_s).toFixed(2)} seconds ${places[pause.place]}${wrong}`;
}

/** Whether the report calls a pause out of place. */
export function isOddPause(pause, report) {
  const breaks = report.prosody?.breaks ?? [];
  return breaks.some((item) => item.kind === "unexpected" && item.start_s < pause.end_s && pause.start_s < item.end_s);
}

function fluencyFacts(fluency) {
  const facts = [
    ["Pace", `${fluency.speech_rate_syl_s.toFixed(1)} syllables a second; ${Math.round(fluency.wcpm)} right words a minute`],
    ["Without the pauses", `${fluency.articulation_rate_syl_s.toFixed(1)} syllables a second`],
  ];
  const long = fluency.long_pause_count > 0 ? `, ${fluency.long_pause_count} of them long` : "";
  const mean = fluency.mean_pause_s === null ? "" : `, ${fluency.mean_pause_s.toFixed(2)} seconds on average`;
  facts.push(["Pauses", fluency.pause_count > 0 ? `${fluency.pause_count}${long}${mean}` : "none inside the sentence"]);
  facts.push(["In one breath", `${fluency.mean_length_of_run.toFixed(1)} syllables between pauses, on average`]);
  return facts;
}

function endFact(prosody) {
  const { final_contour: heard, final_expected: asked, final_movement_st: by } = prosody;
  const size = by === null ? "" : ` (${by > 0 ? "+" : ""}${by.toFixed(1)} semitones)`;
  let wish = "";
  if (asked !== null && asked === heard) wish = ", as it should";
  // A level end is nobody's error.
  else if (asked !== null && asked !== "level" && heard !== "level") wish = `; sentences like this mostly ${DO[asked]}`;
  return ["At the end", `${DOES[heard]}${size}${wish}`];
}

function melodyFacts(prosody) {
  const facts = [];
  if (prosody.f0_mean_hz !== null) {
    const range = prosody.f0_range_st;
    const wide = range === null ? "" : `, moving over ${range.toFixed(1)} semitones`;
    facts.push(["Pitch", `${Math.round(prosody.f0_mean_hz)} hertz on average${wide}`]);
  }
  if (prosody.final_contour !== null) facts.push(endFact(prosody));
  if (prosody.monotone !== null && prosody.monotone.confidence >= 0.5) {
    facts.push(["Melody", `Sounds flat (${percent(prosody.monotone.confidence)} sure); let your voice move up and down more`]);
  }
  if (prosody.rhythm.npvi_v !== null) {
    facts.push(["Rhythm", `neighbouring vowels differ in length by ${Math.round(prosody.rhythm.npvi_v)} (nPVI; 0 is all alike)`]);
  }
  return facts;
}

function breakFacts(report) {
  const names = { unexpected: "Pause where none belongs", missing: "A pause belongs here" };
  const words = report.words.filter((word) => word.text_index !== null);
  const told = (item) => `after “${words[item.after_word].word}” (${percent(item.confidence)} sure)`;
  return Object.entries(names)
    .map(([kind, name]) => [name, (report.prosody?.breaks ?? []).filter((item) => item.kind === kind).map(told).join("; ")])
    .filter(([, places]) => places !== "");
}

/** Rate, pauses and melody as [name, value]; empty for a recording that was not scored. */
export function facts(report) {
  return [
    ...(report.fluency === null ? [] : fluencyFacts(report.fluency)),
    ...(report.prosody === null ? [] : melodyFacts(report.prosody)),
    ...breakFacts(report),
  ];
}

/** What was likely heard at a phone, most probable first. */
export function heard(phone) {
  return phone.nbest.filter((item) => item.probability >= 0.01).slice(0, 4);
}
