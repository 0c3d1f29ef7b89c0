// The next sentence to practise, from the attempts of this visit. They stay in the browser; what chooses keeps nothing.

import { byId, el } from "./dom.js";
import { exampleOf } from "./sounds.js";

export class Next {
  /**
   * @param {(body: string) => Promise<object>} choose asks whatever assesses, see `practice` of api.js
   * @param {(sentence: string) => void} onTake
   */
  constructor(choose, onTake) {
    this.choose = choose;
    this.asked = 0;
    byId("take-next").addEventListener("click", () => onTake(byId("next-sentence").textContent));
  }

  /**
   * Choose anew.
   *
   * @param {object[]} attempts oldest first; those that were answered have an outcome, a hundredth of their report
   * @param {() => void} keep stores the attempts
   */
  async follow(attempts, keep) {
    const scored = attempts.filter(({ report }) => report.utterance.total !== null);
    const asked = (this.asked += 1);
    if (scored.length === 0) {
      byId("next").hidden = true;
      return;
    }
    let found;
    try {
      found = await this.choose(JSON.stringify({ attempts: scored.map(({ report, outcome }) => outcome ?? report) }));
    } catch (error) {
      if (error.kind === undefined) throw error;
      if (asked === this.asked) this.show("", [el("span", {}, `It could not be chosen this time. ${error.message}`)]);
      return;
    }
    found.attempts.forEach((outcome, n) => { scored[n].outcome = outcome ?? undefined; });
    keep();
    if (asked === this.asked) this.show(found.sentence, reason(found.phones));
  }

  show(sentence, why) {
    byId("next").hidden = false;
    byId("next-sentence").textContent = sentence;
    byId("next-sentence").hidden = sentence === "";
    byId("take-next").hidden = sentence === "";
    byId("next-why").replaceChildren(...why);
  }
}

/** What the sentence is for. */
function reason(phones) {
  if (phones.length === 0) return ["No sound went wrong so far; this sentence has sounds that you have not read yet."];
  const sounds = phones.flatMap(({ phone, ipa }, n) => [
    n === 0 ? "" : n === phones.length - 1 ? " and " : ", ",
    el("b", {}, `/${ipa}/`),
    ` as in ${exampleOf({ expected: phone, ipa })}`,
  ]);
  return ["It trains ", ...sounds, ", which went wrong in this visit; what you get right comes back less often."];
}
