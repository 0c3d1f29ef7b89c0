// The recording as lines, like music: time, waveform, spectrogram, pitch, words, stress and sounds under each other.

import { isOddPause, isUnclear, pauseCaption, phoneCaption, scoreOf, scoreText, shareOf, wordCaption } from "./captions.js";
import { colour, inkOn } from "./colours.js";
import { svg } from "./dom.js";
import { SHIFT_S } from "./pitch.js";
import { HIGHEST_HZ, outline, percentile, RATE_HZ, STEP_S } from "./sound.js";
import { ipa } from "./sounds.js";

const LEFT = 44;
const RIGHT = 8;
const WAVE = [18, 66];
const SPECTRUM = [72, 162];
const PITCH = [172, 240];
const WORDS = 256;
const STRESS = 300;
const PHONES = 309;
const HEIGHT = 350;
const PX_PER_S = 190; // a short sound of 50 ms stays wide enough for its name
const SMALLEST = 7;
const MARGIN_S = 0.4;

/** Where lines begin and end: even lengths from a little before the first word on, each break in a silence near. */
export function cutLines(words, duration, width) {
  const most = Math.max((width - LEFT - RIGHT) / PX_PER_S, 1);
  const placed = words.filter((word) => word.start_s !== null);
  const first = Math.max(Math.min(...placed.map((word) => word.start_s)) - MARGIN_S, 0);
  const last = Math.min(Math.max(...placed.map((word) => word.end_s)) + MARGIN_S, duration);
  const [begin, end] = placed.length > 0 && last > first ? [first, last] : [0, duration];
  const count = Math.max(Math.ceil((end - begin) / most), 1);
  const cuts = [begin];
  for (let n = 1; n < count; n += 1) {
    const ideal = begin + ((end - begin) * n) / count;
    const gaps = placed.slice(1).map((word, k) => [placed[k].end_s, Math.max(word.start_s, placed[k].end_s)]);
    let best = ideal;
    let cost = Infinity;
    for (const [low, high] of gaps) {
      const place = (low + high) / 2;
      const penalty = Math.abs(place - ideal) - Math.min(high - low, 0.5);
      if (Math.abs(place - ideal) <= 0.4 * most && penalty < cost) [best, cost] = [place, penalty];
    }
    cuts.push(Math.max(best, cuts.at(-1) + most / 10));
  }
  cuts.push(Math.max(end, cuts.at(-1) + most / 10));
  return cuts.slice(1).map((stop, n) => ({ start: cuts[n], end: stop }));
}

/**
 * Words that were left out, those side by side together, and where they should have been: between the words beside them.
 *
 * @returns {{at: number, index: number, labels: string[]}[]} seconds, the first of the words, and all of them
 */
export function leftOut(words, duration) {
  const found = [];
  let together = null;
  let before = null;
  const close = (at) => {
    if (together !== null) found.push({ at, ...together });
    together = null;
  };
  words.forEach((word, index) => {
    if (word.error === "omission") {
      together ??= { index, labels: [] };
      together.labels.push(word.word);
    } else if (word.start_s !== null) {
      close(before === null ? word.start_s / 2 : (before + Math.max(word.start_s, before)) / 2);
      before = Math.max(before ?? 0, word.end_s);
    }
  });
  close(before ?? duration / 2);
  return found;
}

/** The axis of the pitch: an octave at least, round frequencies; null where nothing is voiced. */
export function pitchAxis(f0) {
  const voiced = f0.filter((value) => value > 0);
  if (voiced.length === 0) return null;
  const low = 12 * Math.log2(percentile(voiced, 0.02));
  const high = 12 * Math.log2(percentile(voiced, 0.98));
  const spare = Math.max(1.5, (12 - (high - low)) / 2);
  const axis = { low: low - spare, high: high + spare, ticks: [] };
  for (const tick of [50, 60, 75, 100, 125, 150, 200, 250, 300, 400, 500, 600]) {
    const at = 12 * Math.log2(tick);
    if (at < axis.low || at > axis.high) continue;
    if (axis.ticks.length === 0 || at - 12 * Math.log2(axis.ticks.at(-1)) >= 3) axis.ticks.push(tick);
  }
  return axis;
}

/** Draws one recording into a container; `draw` again for another width. */
export class Staff {
  /**
   * @param {HTMLElement} container emptied and filled
   * @param {object} scene report, samples (or null), sound (spectrogram or null), f0 (or null)
   * @param {(word: number, phone: number | null) => void} onChoose
   */
  constructor(container, scene, onChoose) {
    Object.assign(this, { container, ...scene, onChoose });
    this.axis = this.f0 === null ? null : pitchAxis(this.f0);
    this.duration = this.samples === null ? this.report.audio.duration_s : this.samples.length / RATE_HZ;
    this.loudest = this.samples?.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);
    this.draw();
  }

  draw() {
    this.width = Math.max(this.container.clientWidth, 280);
    this.lines = cutLines(this.report.words, this.duration, this.width);
    const [first, last] = [this.lines[0].start, this.lines.at(-1).end];
    this.lost = leftOut(this.report.words, this.duration)
      .map((item) => ({ ...item, at: Math.min(Math.max(item.at, first), last) }));
    const longest = Math.max(...this.lines.map((line) => line.end - line.start), 0.8);
    this.scale = Math.min((this.width - LEFT - RIGHT) / longest, 2 * PX_PER_S);
    this.cursors = [];
    this.container.replaceChildren(...this.lines.map((line) => this.line(line)));
  }

  /** Show the time that is being played; null for none. */
  follow(time) {
    this.lines.forEach((line, n) => {
      const inside = time !== null && time >= line.start && time < line.end;
      this.cursors[n].setAttribute("visibility", inside ? "visible" : "hidden");
      if (inside) this.cursors[n].setAttribute("transform", `translate(${this.x(time, line)} 0)`);
    });
  }

  /** Mark the chosen word and phone. */
  mark(word, phone) {
    for (const box of this.container.querySelectorAll("[data-at]")) {
      box.classList.toggle("on", box.dataset.at === `${word}` || box.dataset.at === `${word}.${phone}`);
    }
  }

  x(seconds, line) {
    return LEFT + (Math.min(Math.max(seconds, line.start), line.end) - line.start) * this.scale;
  }

  line(line) {
    const meets = (item) => item.start_s !== null && item.start_s < line.end && line.start < item.end_s;
    const words = this.report.words.map((word, index) => ({ word, index })).filter(({ word }) => meets(word));
    const cursor = svg("line", { class: "cursor", x1: 0, x2: 0, y1: WAVE[0], y2: HEIGHT, visibility: "hidden" });
    this.cursors.push(cursor);
    const gone = this.lost.filter((item) => this.isOn(line, item.at)).flatMap((item) => item.labels);
    const spoken = (words.map(({ word }) => word.word).join(" ") || "no words") + (gone.length > 0 ? `; left out: ${gone.join(" ")}` : "");
    const name = `Waveform, spectrogram and pitch, ${line.start.toFixed(1)} to ${line.end.toFixed(1)} seconds: ${spoken}`;
    const parts = [this.clock(line)];
    if (this.samples !== null) parts.push(this.wave(line), this.spectrum(line));
    parts.push(this.edges(words, line), (this.report.fluency?.pauses ?? []).filter(meets).map((item) => this.pause(item, line)));
    if (this.axis !== null) parts.push(this.pitch(line));
    parts.push(words.map(({ word, index }) => this.word(word, index, line)), this.breaks(line), this.gone(line), cursor);
    const size = { viewBox: `0 0 ${this.width} ${HEIGHT}`, width: this.width, height: HEIGHT };
    return svg("svg", { ...size, role: "img", "aria-label": name, class: "staff" }, ...parts.flat());
  }

  clock(line) {
    const step = [0.1, 0.2, 0.5, 1].find((size) => size * this.scale >= 50) ?? 1;
    const parts = [];
    for (let n = Math.ceil(line.start / step - 1e-9); n * step <= line.end + 1e-9; n += 1) {
      const x = this.x(n * step, line);
      parts.push(svg("line", { class: "tick", x1: x, x2: x, y1: 13, y2: WAVE[0] }));
      if (x < this.width - 14) parts.push(text(x, 10, `${(n * step).toFixed(1)} s`, "axis middle"));
    }
    return parts;
  }

  wave(line) {
    const [left, right] = [this.x(line.start, line), this.x(line.end, line)];
    const columns = Math.max(1, Math.round(right - left));
    const { low, high } = outline(this.samples, line.start * RATE_HZ, line.end * RATE_HZ, columns);
    const middle = (WAVE[0] + WAVE[1]) / 2;
    const half = (WAVE[1] - WAVE[0]) / 2 - 1;
    const at = (value) => (middle - (half * value) / this.loudest).toFixed(1);
    const upper = Array.from(high, (value, c) => `${(left + c).toFixed(1)},${at(value)}`);
    const lower = Array.from(low, (value, c) => `${(left + c).toFixed(1)},${at(value)}`).reverse();
    const panel = { class: "panel", x: left, y: WAVE[0], width: right - left, height: WAVE[1] - WAVE[0] };
    return [svg("rect", panel), svg("polygon", { class: "wave", points: [...upper, ...lower].join(" ") })];
  }

  spectrum(line) {
    const { columns, rows, loudness } = this.sound;
    const first = Math.min(Math.round(line.start / STEP_S), columns - 1);
    const last = Math.min(Math.max(Math.round(line.end / STEP_S), first + 1), columns);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [last - first, rows];
    const pen = canvas.getContext("2d");
    const picture = pen.createImageData(canvas.width, rows);
    for (let c = first; c < last; c += 1) {
      for (let r = 0; r < rows; r += 1) {
        const shade = 255 * (1 - loudness[c * rows + r]);
        picture.data.set([shade, shade, shade, 255], 4 * ((rows - 1 - r) * canvas.width + c - first));
      }
    }
    pen.putImageData(picture, 0, 0);
    const x = this.x(line.start, line);
    const place = { x, y: SPECTRUM[0], width: this.x(line.end, line) - x, height: SPECTRUM[1] - SPECTRUM[0] };
    const image = { class: "spectrum", preserveAspectRatio: "none", href: canvas.toDataURL(), ...place };
    const marks = [0, 2, 4, 6, 8].map((kilohertz) => {
      const y = SPECTRUM[1] + ((SPECTRUM[0] - SPECTRUM[1]) * kilohertz * 1000) / HIGHEST_HZ;
      return text(LEFT - 5, y + 3, kilohertz === 8 ? "8 kHz" : kilohertz, "axis end");
    });
    return [svg("image", image), ...marks];
  }

  edges(words, line) {
    const rule = (seconds, style) => {
      if (seconds === null || seconds < line.start || seconds > line.end) return null;
      const x = this.x(seconds, line);
      return svg("line", { class: style, x1: x, x2: x, y1: WAVE[0], y2: this.axis === null ? SPECTRUM[1] : PITCH[1] });
    };
    return words.flatMap(({ word }) => [
      ...word.phonemes.slice(1).map((phone) => rule(phone.start_s, "edge")),
      rule(word.start_s, "edge word"),
      rule(word.end_s, "edge word"),
    ]);
  }

  pause(pause, line) {
    const [left, right] = [this.x(pause.start_s, line), this.x(pause.end_s, line)];
    const isOdd = isOddPause(pause, this.report);
    const place = { x: left, y: WAVE[0], width: right - left, height: PITCH[1] - WAVE[0] };
    return svg(
      "g",
      { class: isOdd ? "pause odd" : "pause" },
      svg("title", {}, pauseCaption(pause, isOdd)),
      svg("rect", place),
      text((left + right) / 2, WAVE[0] + 11, `${(pause.end_s - pause.start_s).toFixed(2)} s`, "middle"),
    );
  }

  pitch(line) {
    const [left, right] = [this.x(line.start, line), this.x(line.end, line)];
    const y = (hertz) => {
      const share = (12 * Math.log2(hertz) - this.axis.low) / (this.axis.high - this.axis.low);
      return PITCH[1] - (PITCH[1] - PITCH[0]) * Math.min(Math.max(share, 0), 1);
    };
    const parts = [svg("rect", { class: "frame", x: left, y: PITCH[0], width: right - left, height: PITCH[1] - PITCH[0] })];
    for (const tick of this.axis.ticks) {
      parts.push(svg("line", { class: "rule", x1: left, x2: right, y1: y(tick), y2: y(tick) }));
      parts.push(text(LEFT - 5, y(tick) + 3, tick === this.axis.ticks.at(-1) ? `${tick} Hz` : tick, "axis end"));
    }
    let run = [];
    const close = () => {
      // A lone frame is a line of no length, which round caps turn into a dot.
      if (run.length > 0) parts.push(svg("polyline", { class: "melody", points: [...run, run.at(-1)].join(" ") }));
      run = [];
    };
    this.f0.forEach((hertz, n) => {
      const seconds = (n + 0.5) * SHIFT_S;
      if (!(hertz > 0) || seconds < line.start || seconds >= line.end) close();
      else run.push(`${this.x(seconds, line).toFixed(1)},${y(hertz).toFixed(1)}`);
    });
    close();
    return parts;
  }

  word(word, index, line) {
    const score = scoreOf(word);
    const style = word.text_index === null ? "box word extra" : "box word";
    const title = wordCaption(word, this.report.scale);
    const whole = this.box(word, line, WORDS, 36, shareOf(score, this.report.scale), [
      [16, word.word, 15],
      [30, scoreText(score), 11],
    ]);
    const button = svg("g", { class: style, "data-at": index, onclick: () => this.onChoose(index, null) }, svg("title", {}, title), ...whole);
    const inside = (phone) => phone.start_s !== null && phone.start_s < line.end && line.start < phone.end_s;
    const phones = word.phonemes.map((phone, n) => (inside(phone) ? this.phone(phone, index, n, line) : null));
    return [button, ...this.stress(word, line), ...phones];
  }

  phone(phone, index, number, line) {
    const { scale } = this.report;
    let below = isUnclear(phone, scale) ? `${scoreText(phone.score)}?` : scoreText(phone.score);
    if (phone.error === "deletion") below = "→∅";
    else if (phone.error === "substitution" && phone.actual !== null) below = `→${ipa(phone.actual)}`;
    else if (phone.error === "insertion") below = "+";
    const parts = this.box(phone, line, PHONES, 40, shareOf(phone.score, scale), [[17, phone.ipa, 15], [33, below, 11]]);
    const attributes = { class: phone.error === null ? "box phone" : "box phone wrong", "data-at": `${index}.${number}` };
    attributes.onclick = () => this.onChoose(index, number);
    return svg("g", attributes, svg("title", {}, phoneCaption(phone, scale)), ...parts);
  }

  box(span, line, top, height, share, rows) {
    const [left, right] = [this.x(span.start_s, line), this.x(span.end_s, line)];
    const fill = colour(share);
    const wide = right - left;
    const parts = [svg("rect", { x: left + 0.5, y: top, width: Math.max(wide - 1, 0.5), height, rx: 3, fill })];
    for (const [below, content, size] of rows) {
      const fitting = (wide - 1) / (0.58 * Math.max([...content].length, 1));
      // What would have to be too small to read is left to the title and to the lists above.
      if (fitting < SMALLEST) continue;
      parts.push(text((left + right) / 2, top + below, content, "middle", { fill: inkOn(fill), "font-size": Math.min(size, fitting) }));
    }
    return parts;
  }

  /** A ring where stress is expected, a disc where it was heard. */
  stress(word, line) {
    const own = word.phonemes.filter((phone) => phone.expected !== null);
    const total = word.syllables.reduce((sum, item) => sum + item.phones.length, 0);
    if (word.syllables.length < 2 || total !== own.length) return [];
    let first = 0;
    return word.syllables.map((syllable) => {
      const inside = own.slice(first, (first += syllable.phones.length)).filter((phone) => phone.start_s !== null);
      if (inside.length === 0) return null;
      const middle = (inside[0].start_s + inside.at(-1).end_s) / 2;
      if (middle < line.start || middle >= line.end) return null;
      const place = { cx: this.x(middle, line), cy: STRESS };
      const { stress_expected: asked, stress_spoken: spoken } = syllable;
      const isWrong = spoken !== null && (asked === 0 || asked === 1) && asked !== spoken;
      const parts = [];
      if (asked === 1 || asked === 2) parts.push(svg("circle", { class: "asked", ...place, r: asked === 1 ? 5 : 3.2 }));
      if (spoken === 1) parts.push(svg("circle", { class: "spoken", ...place, r: 2.6 }));
      return svg("g", { class: isWrong ? "stress wrong" : "stress" }, ...parts);
    });
  }

  isOn(line, seconds) {
    return seconds >= line.start && (seconds < line.end || line === this.lines.at(-1));
  }

  /** Words that were left out, between their neighbours. */
  gone(line) {
    return this.lost.filter((item) => this.isOn(line, item.at)).map(({ at, index, labels }) => {
      const shown = labels.slice(0, 3).join(", ") + (labels.length > 3 ? "…" : "");
      const half = Math.min(3.4 * shown.length + 9, (this.width - LEFT) / 2);
      const x = this.x(at, line);
      const middle = Math.min(Math.max(x, LEFT + half), this.width - half);
      return svg(
        "g",
        { class: "lost", "data-at": index, onclick: () => this.onChoose(index, null) },
        svg("title", {}, `${labels.map((label) => `“${label}”`).join(", ")} left out`),
        svg("path", { d: `M${x} ${WORDS - 4}v40` }),
        svg("rect", { x: middle - half, y: WORDS - 18, width: 2 * half, height: 16, rx: 7 }),
        text(middle, WORDS - 6, shown, "middle"),
      );
    });
  }

  breaks(line) {
    return (this.report.prosody?.breaks ?? []).map((item) => {
      const at = (item.start_s + item.end_s) / 2;
      if (at < line.start || at >= line.end) return null;
      const title = item.kind === "unexpected" ? "no pause belongs here" : "a pause belongs here";
      const shape = svg("path", { d: `M${this.x(at, line) - 6} ${WORDS - 11}h12l-6 9z` });
      return svg("g", { class: `break ${item.kind}` }, svg("title", {}, title), shape);
    });
  }
}

function text(x, y, content, style, more = {}) {
  return svg("text", { x, y, class: style, ...more }, String(content));
}
