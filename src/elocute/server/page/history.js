// The attempts of this visit. Reports stay in the tab's session storage; recordings only in memory.

import { scoreText } from "./captions.js";
import { byId, el, svg } from "./dom.js";
import { Player } from "./player.js";
import { exampleOf, ipa } from "./sounds.js";

const KEY = "elocute.attempts";
const MOST = 50;
const MOST_SOUNDS = 6;

export class History {
  /**
   * @param {(attempt: object) => void} onShow
   * @param {(attempts: object[]) => void} onChange called when attempts came or went
   */
  constructor(onShow, onChange) {
    this.onShow = onShow;
    this.onChange = onChange;
    this.attempts = restored();
    this.current = null;
    byId("forget").addEventListener("click", () => {
      this.attempts = this.attempts.filter((attempt) => attempt === this.current);
      this.keep();
      this.draw();
      this.onChange(this.attempts);
    });
    this.draw();
  }

  /** Add a report with its recording; the attempt is the current one from now on. */
  add(report, blob) {
    const number = (this.attempts.at(-1)?.number ?? 0) + 1;
    const attempt = { number, report, blob, player: new Player(blob) };
    this.attempts = [...this.attempts, attempt].slice(-MOST);
    this.keep();
    this.select(attempt);
    this.onChange(this.attempts);
    return attempt;
  }

  select(attempt) {
    this.current = attempt;
    this.draw();
  }

  /** Reports of this visit as JSON, oldest first. */
  json() {
    return JSON.stringify(this.attempts.map(({ report }) => report), null, 2);
  }

  keep() {
    let kept = this.attempts.map(({ number, report, outcome }) => ({ number, report, outcome }));
    while (kept.length > 0) {
      try {
        sessionStorage.setItem(KEY, JSON.stringify(kept));
        return;
      } catch (error) {
        if (error.name !== "QuotaExceededError") throw error;
        kept = kept.slice(Math.ceil(kept.length / 2)); // the newest are worth most
      }
    }
    sessionStorage.removeItem(KEY);
  }

  draw() {
    byId("history").hidden = this.attempts.length === 0;
    byId("attempts").replaceChildren(...this.attempts.map((attempt, n) => this.row(attempt, n)).reverse());
    const same = this.current === null ? [] : this.attempts.filter((attempt) => isSameText(attempt, this.current));
    const totals = same.map(({ report }) => report.utterance.total).filter((total) => total !== null);
    byId("progress").replaceChildren(...chart(totals), ...wrongSounds(this.attempts));
  }

  row({ number, report }, n) {
    const attempt = this.attempts[n];
    const before = this.attempts.slice(0, n).filter((other) => isSameText(other, attempt)).at(-1);
    const { total, accuracy, fluency, prosody } = report.utterance;
    const show = el("button", { type: "button", "aria-label": `Show attempt ${number}: ${report.text}` }, "Show");
    show.addEventListener("click", () => {
      this.select(attempt);
      this.onShow(attempt);
    });
    const cells = [scoreText(total), change(total, before?.report.utterance.total ?? null), scoreText(accuracy), scoreText(fluency), scoreText(prosody)];
    return el(
      "tr",
      attempt === this.current ? { class: "current", "aria-current": "true" } : {},
      el("th", { scope: "row" }, String(number)),
      el("td", { class: "text" }, report.text),
      ...cells.map((cell) => el("td", {}, cell)),
      el("td", {}, show),
    );
  }
}

function restored() {
  const stored = sessionStorage.getItem(KEY);
  if (stored === null) return [];
  try {
    return JSON.parse(stored).map(({ number, report, outcome }) => ({ number, report, outcome, blob: null, player: null }));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    sessionStorage.removeItem(KEY); // not of our making
    return [];
  }
}

function isSameText(first, second) {
  return first.report.text === second.report.text;
}

function change(now, before) {
  if (now === null || before === null) return "";
  const by = Math.round(now) - Math.round(before);
  if (by === 0) return "=";
  return by > 0 ? `▲ ${by}` : `▼ ${-by}`;
}

/** Totals of the attempts at one text as a line; nothing for fewer than two. */
function chart(totals) {
  if (totals.length < 2) return [];
  const [width, height] = [320, 90];
  const x = (n) => 30 + ((width - 50) * n) / (totals.length - 1);
  const y = (total) => height - 14 - ((height - 30) * total) / 100;
  const rules = [0, 50, 100].flatMap((value) => [
    svg("line", { class: "rule", x1: 26, x2: width - 10, y1: y(value), y2: y(value) }),
    svg("text", { class: "axis end", x: 22, y: y(value) + 3 }, String(value)),
  ]);
  const line = svg("polyline", { class: "melody", points: totals.map((total, n) => `${x(n)},${y(total)}`).join(" ") });
  const dots = totals.map((total, n) => svg("circle", { class: "dot", cx: x(n), cy: y(total), r: 4 }));
  const last = svg("text", { class: "middle", x: x(totals.length - 1) - 4, y: y(totals.at(-1)) - 8 }, scoreText(totals.at(-1)));
  const name = `Total of your ${totals.length} attempts at this sentence: ${totals.map(scoreText).join(", ")}`;
  return [
    el("p", { class: "label" }, `This sentence: ${scoreText(totals[0])} at first, ${scoreText(totals.at(-1))} now`),
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name, class: "chart" }, ...rules, line, ...dots, last),
  ];
}

/** Sounds that were wrong in this visit, in its earlier and its later attempts; nothing for fewer than two attempts. */
function wrongSounds(attempts) {
  const scored = attempts.filter(({ report }) => report.utterance.total !== null);
  const half = Math.floor(scored.length / 2);
  const counts = new Map();
  scored.forEach(({ report }, n) => {
    const side = n < half ? 0 : 1;
    for (const word of report.words) {
      if (word.text_index === null || word.error === "omission" || word.error === "truncation") continue;
      for (const { expected, error } of word.phonemes) {
        if (expected === null) continue;
        if (!counts.has(expected)) counts.set(expected, [{ wrong: 0, said: 0 }, { wrong: 0, said: 0 }]);
        counts.get(expected)[side].said += 1;
        counts.get(expected)[side].wrong += error === null ? 0 : 1;
      }
    }
  });
  const share = ({ wrong, said }) => (said === 0 ? 0 : wrong / said);
  const wrong = [...counts]
    .filter(([, [before, after]]) => before.wrong + after.wrong > 0)
    .sort(([, [, one]], [, [, other]]) => share(other) - share(one) || other.wrong - one.wrong)
    .slice(0, MOST_SOUNDS);
  if (half === 0 || wrong.length === 0) return [];
  const cell = ({ wrong, said }) => (said === 0 ? "-" : `${wrong} of ${said}`);
  const rows = wrong.map(([phone, sides]) =>
    el("tr", {}, el("th", { scope: "row" }, `/${ipa(phone)}/ as in ${exampleOf({ expected: phone, ipa: ipa(phone) })}`), ...sides.map((side) => el("td", {}, cell(side)))),
  );
  const head = ["Sound", `Wrong in the first ${half}`, `Wrong in the last ${scored.length - half}`].map((name) => el("th", { scope: "col" }, name));
  return [
    el("p", { class: "label" }, "Sounds to work on, over this visit; a few attempts show little, so these are counts, not verdicts"),
    el("table", { id: "wrong-sounds" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)),
  ];
}
