// One report on the page: scores, words, the sounds of the chosen word, the picture and the figures.

import { facts, heard, isUnclear, phoneCaption, phoneNote, scoreOf, scoreText, shareOf, stressNote, wordCaption, wordNote } from "./captions.js";
import { paint } from "./colours.js";
import { byId, el } from "./dom.js";
import { track } from "./pitch.js";
import { referenceVoice, say, stop } from "./player.js";
import { decodeForDrawing, spectrogram } from "./sound.js";
import { exampleOf, heardIpa, SOUNDS, syllableIpa } from "./sounds.js";
import { Staff } from "./staff.js";

/** Shows one attempt at a time. */
export class Result {
  constructor() {
    this.attempt = null;
    this.staff = null;
    this.chosen = null;
    let width = 0;
    new ResizeObserver(([entry]) => {
      // Its own drawing changes the height only.
      if (entry.contentRect.width === width) return;
      width = entry.contentRect.width;
      this.staff?.draw();
      if (this.chosen !== null) this.staff?.mark(...this.chosen);
    }).observe(byId("picture"));
    byId("play-all").addEventListener("click", () => this.play(0, Infinity));
  }

  /** Show an attempt: its report, and what the recording looks like where there is one. */
  async show(attempt) {
    stop();
    this.attempt = attempt;
    this.staff = null;
    this.chosen = null;
    byId("result").hidden = false;
    byId("play-all").hidden = attempt.player === null;
    byId("read").textContent = attempt.report.text;
    this.showScores();
    this.showWords();
    this.showFindings();
    this.showFacts();
    byId("detail").replaceChildren(el("p", { class: "hint" }, "Choose a word to see its sounds."));
    byId("picture").replaceChildren();
    await this.showPicture(attempt);
  }

  get report() {
    return this.attempt.report;
  }

  showScores() {
    const { utterance, scale, warnings, model, audio } = this.report;
    const names = { total: "Total", accuracy: "Accuracy", fluency: "Fluency", prosody: "Melody", completeness: "Complete" };
    const tiles = Object.entries(names).map(([key, name]) =>
      el("div", { class: key }, el("dt", {}, name), paint(el("dd", {}, scoreText(utterance[key])), shareOf(utterance[key], scale))),
    );
    byId("scores").replaceChildren(...tiles);
    byId("scores").hidden = utterance.total === null;
    const told = utterance.total === null ? ["Not scored", ...warnings] : warnings;
    byId("warnings").replaceChildren(...told.map((warning) => el("li", {}, warning)));
    byId("warnings").hidden = told.length === 0;
    byId("origin").textContent =
      `elocute ${model.version}; hears with ${model.backend}, scores with ${model.scorer}; scores of ${scale}; ` +
      `recording of ${audio.duration_s.toFixed(2)} s`;
  }

  showWords() {
    const { words, scale } = this.report;
    const buttons = words.map((word, index) => {
      const score = scoreOf(word);
      const isGone = word.error === "omission";
      const kind = ["said", word.text_index === null ? "extra" : "", isGone ? "gone" : ""].filter(Boolean).join(" ");
      const below = isGone || word.text_index === null ? wordNote(word) : [scoreText(score), wordNote(word)].filter(Boolean).join(" · ");
      const name = wordCaption(word, scale);
      const wrong = word.phonemes.some((phone) => phone.error !== null) && !isGone;
      const button = el(
        "button",
        { type: "button", class: wrong ? `${kind} marked` : kind, "aria-label": name, "aria-pressed": "false", "data-word": index },
        el("b", {}, word.word),
        el("span", {}, below),
      );
      button.addEventListener("click", () => this.choose(index, null));
      return isGone || word.text_index === null ? button : paint(button, shareOf(score, scale));
    });
    byId("words").replaceChildren(...buttons);
  }

  showFindings() {
    const { words, scale, mispronunciations } = this.report;
    const items = mispronunciations.map((found) => {
      const phone = words[found.word_index].phonemes[found.phone_index];
      return [found.word_index, found.phone_index, `${found.word}: ${phoneCaption(phone, scale)}`];
    });
    words.forEach((word, index) => stressNote(word) && items.push([index, null, `${word.word}: ${stressNote(word)}`]));
    const links = items.map(([word, phone, caption]) =>
      el("li", {}, el("button", { type: "button", class: "link", onclick: () => this.choose(word, phone, true) }, caption)),
    );
    byId("findings").replaceChildren(...links);
    byId("practise").hidden = links.length === 0;
  }

  showFacts() {
    const found = facts(this.report);
    byId("facts").replaceChildren(...found.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    byId("figures").hidden = found.length === 0;
  }

  async showPicture(attempt) {
    const note = byId("picture-note");
    let samples = null;
    if (attempt.blob === null) {
      note.textContent = "The sound of this attempt is gone, because the page was loaded again; its report is kept.";
    } else {
      note.textContent = "";
      try {
        samples = await decodeForDrawing(attempt.blob);
      } catch (error) {
        if (!(error instanceof DOMException)) throw error;
        note.textContent = "This browser cannot play this kind of file, so its sound is not drawn.";
      }
    }
    if (this.attempt !== attempt) return; // another one was chosen meanwhile
    if (samples?.length === 0) samples = null;
    const scene = { report: this.report, samples, sound: samples && spectrogram(samples), f0: samples && track(samples) };
    this.staff = new Staff(byId("picture"), scene, (word, phone) => this.choose(word, phone));
    if (this.chosen !== null) this.staff.mark(...this.chosen);
  }

  /** Open a word, and one of its sounds; it is played. */
  choose(index, phone, moveFocus = false) {
    this.chosen = [index, phone];
    const word = this.report.words[index];
    for (const button of byId("words").children) {
      button.setAttribute("aria-pressed", String(button.dataset.word === String(index)));
    }
    this.staff?.mark(index, phone);
    this.showDetail(word, index, phone);
    const span = phone === null ? word : word.phonemes[phone];
    if (span.start_s !== null) this.play(span.start_s, span.end_s);
    if (moveFocus) byId("detail").focus();
    byId("detail").scrollIntoView({ block: "nearest" });
  }

  play(start, end) {
    const { player } = this.attempt;
    if (player === null) return;
    player.play(start, end, (time) => this.staff?.follow(time)).catch((error) => {
      if (!(error instanceof DOMException)) throw error;
      byId("picture-note").textContent = "This browser cannot play this kind of file.";
    });
  }

  showDetail(word, index, chosen) {
    const { scale } = this.report;
    const listen = [];
    if (word.start_s !== null && this.attempt.player !== null) {
      listen.push(el("button", { type: "button", onclick: () => this.play(word.start_s, word.end_s) }, "Play my word"));
    }
    if (referenceVoice() !== null && word.text_index !== null) {
      listen.push(el("button", { type: "button", onclick: () => say(word.word) }, "Hear it from the computer"));
    }
    const said = [wordNote(word), stressNote(word), word.variant && `said as ${word.variant}`].filter(Boolean).join("; ");
    const phones = word.phonemes.map((phone, number) => {
      const attributes = { type: "button", class: "phone", "aria-pressed": String(number === chosen) };
      const button = el("button", { ...attributes, "aria-label": phoneCaption(phone, scale), "data-phone": number },
        el("b", {}, phone.ipa), el("span", {}, this.below(phone)));
      if (phone.error !== null) button.classList.add("marked");
      button.addEventListener("click", () => {
        this.choose(index, number);
        byId("detail").querySelector(`[data-phone="${number}"]`).focus();
      });
      return paint(button, shareOf(phone.score, scale));
    });
    byId("detail").replaceChildren(
      el("h3", {}, `“${word.word}”`),
      el("p", {}, scoreOf(word) === null ? said || "not scored" : [`${scoreText(scoreOf(word))} of ${scale}`, said].filter(Boolean).join("; ")),
      el("p", { class: "buttons" }, ...listen),
      el("div", { class: "phones", role: "group", "aria-label": `Sounds of ${word.word}` }, ...phones),
      ...this.stressLine(word),
      ...this.advice(index, null),
      ...(chosen === null ? [el("p", { class: "hint" }, "Choose a sound to see what was heard.")] : this.phoneDetail(word, index, chosen)),
    );
  }

  below(phone) {
    const note = phoneNote(phone, this.report.scale);
    return phone.error === null && !isUnclear(phone, this.report.scale) ? scoreText(phone.score) : note;
  }

  /** Syllables with their stress, where a word has several. */
  stressLine(word) {
    if (word.syllables.length < 2) return [];
    const marks = { 0: "", 1: "ˈ", 2: "ˌ" };
    const asked = word.syllables.map((item) => (marks[item.stress_expected] ?? "") + syllableIpa(item)).join("·");
    const loud = word.syllables.findIndex((item) => item.stress_spoken === 1);
    const told = loud < 0 ? "which syllable stood out cannot be told" : `syllable ${loud + 1} stood out`;
    return [el("p", {}, `Stress: /${asked}/; ${told}.`)];
  }

  phoneDetail(word, index, number) {
    const phone = word.phonemes[number];
    const advice = this.advice(index, number);
    const bars = heard(phone).map((item) =>
      el("li", {}, el("span", { class: "name" }, heardIpa(item.phone, phone)), meter(item.probability), el("span", { class: "number" }, `${Math.round(100 * item.probability)} %`)),
    );
    const rows = [
      ["Expected", phone.expected === null ? "nothing" : `${phone.ipa}, as in “${exampleOf(phone)}”`],
      ["Heard", heardIpa(phone.actual, phone)],
      ["Verdict", phoneNote(phone, this.report.scale)],
      ["Chance of an error", `${Math.round(100 * phone.probability)} %`],
    ];
    return [
      el("h4", {}, `Sound ${phone.ipa}`),
      el("dl", { class: "facts short" }, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      ...(bars.length > 0 ? [el("p", { class: "label" }, "What it sounded like"), el("ul", { class: "heard" }, ...bars)] : []),
      ...(advice.length > 0 ? advice : this.howTo(phone)),
    ];
  }

  /** What the report itself advises about a word, or about one of its sounds: its feedback, else its suggestion. */
  advice(index, number) {
    const isHere = (item) => item.word_index === index && item.phone_index === number;
    const pieces = this.report.feedback.filter(isHere);
    const told = pieces.flatMap((item) => [
      item.message,
      item.articulation,
      item.minimal_pairs.length > 0 ? `Compare: ${item.minimal_pairs.join(", ")}.` : null,
    ]);
    if (pieces.length === 0) told.push(...this.report.mispronunciations.filter(isHere).map((item) => item.suggestion));
    return told.filter(Boolean).map((line) => el("p", { class: "tip" }, line));
  }

  /** How a sound is made, where the report has no advice of its own. */
  howTo(phone) {
    if (phone.expected === null) {
      return [el("p", { class: "tip" }, `Tip: the word has no ${phone.ipa} here; go straight to the next sound.`)];
    }
    return [el("p", { class: "tip" }, el("b", {}, "Tip: "), SOUNDS[phone.expected][2])];
  }
}

function meter(share) {
  const bar = el("i");
  bar.style.width = `${100 * share}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, bar);
}
