/** The result for one paper: a bar per subject, the decision in words, and remarks. */

import { element, part } from "./element.js";
import { remarks, threshold, verdict } from "./doubt.js";
import { labelText } from "./labels.js";

// With more labels than this, only the most probable are shown, and there is a field to search the others.
const MOST_BARS = 20;
const MOST_PROBABLE = 10;

export class Finding {
  #card;
  /** @type {any} the result that is shown */
  #result = null;
  /** @type {Map<string, {row: HTMLElement, bar: HTMLElement, number: HTMLElement, given: HTMLElement, limit: HTMLElement, label: any}>} */
  #bars = new Map();

  /** @param {any} card of /model */
  constructor(card) {
    this.#card = card;
    for (const label of card.labels) this.#addRow(label);
    part("search").hidden = !this.#isLong;
    part("search-field").value = "";
    part("search-field").oninput = () => this.#arrange();
    this.#arrange();
  }

  get #isLong() {
    return this.#card.labels.length > MOST_BARS;
  }

  /** @param {any} result of /classify */
  show(result) {
    this.#result = result;
    for (const [name, { row, bar, number, given, limit, label }] of this.#bars) {
      const chosen = result.labels.includes(name);
      const applied = threshold(label, result.input);
      bar.style.setProperty("--p", result.probabilities[name]);
      bar.style.setProperty("--t", String(applied));
      limit.textContent = applied.toFixed(2);
      number.textContent = result.probabilities[name].toFixed(2);
      row.classList.toggle("chosen", chosen);
      given.textContent = chosen ? "assigned" : "";
    }
    this.#arrange();
    part("notes").replaceChildren(...remarks(result, this.#card).map((remark) => element("li", {}, remark)));
    this.#say(result.labels.length ? result.labels : ["No subject"], result.status);
  }

  /** @param {string} sentence in place of a decision */
  tell(sentence) {
    this.busy(false);
    part("decision").className = "decision quiet";
    part("decision").textContent = sentence;
  }

  /** Show that there is no text. */
  clear() {
    this.#result = null;
    for (const { row, bar, number, given } of this.#bars.values()) {
      bar.style.setProperty("--p", "0");
      row.classList.remove("chosen");
      number.textContent = given.textContent = "";
    }
    this.#arrange();
    part("notes").replaceChildren();
    this.tell("Enter a title or an abstract.");
  }

  /** @param {boolean} busy whether what is shown is about to change */
  busy(busy) {
    part("bars").setAttribute("aria-busy", String(busy));
  }

  /** Show all bars; of many the assigned and most probable ones, or those that match the search. */
  #arrange() {
    const bars = [...this.#bars.values()];
    const shown = this.#isLong ? this.#selected(bars) : bars;
    part("bars").tBodies[0].replaceChildren(...shown.map(({ row }) => row));
    part("search-note").textContent = `${shown.length} of ${bars.length} subjects are shown.`;
  }

  /** @param {any[]} bars */
  #selected(bars) {
    const wanted = part("search-field").value.trim().toLowerCase();
    const probability = (/** @type {any} */ { label }) => this.#result?.probabilities[label.name] ?? 0;
    const sorted = bars.sort((one, other) => probability(other) - probability(one));
    if (wanted) return sorted.filter(({ label }) => labelText(label).toLowerCase().includes(wanted)).slice(0, MOST_BARS);
    return sorted.filter(({ label }, i) => i < MOST_PROBABLE || this.#result?.labels.includes(label.name));
  }

  /**
   * @param {string[]} labels
   * @param {string} status
   */
  #say(labels, status) {
    this.busy(false);
    const decision = part("decision");
    const texts = labels.map((name) => labelText(this.#bars.get(name)?.label ?? { name }));
    decision.className = `decision ${status}`;
    decision.replaceChildren(element("strong", {}, new Intl.ListFormat("en").format(texts)));
    if (verdict(status)) decision.append(" ", element("span", { className: "flag" }, verdict(status)));
  }

  /** @param {any} label of the card */
  #addRow(label) {
    const bar = element("span", { className: "bar", ariaHidden: "true" });
    bar.style.setProperty("--t", label.threshold);
    const number = element("span", { className: "number" });
    const given = element("span", { className: "given" });
    const limit = element("td", { className: "number threshold" }, label.threshold.toFixed(2));
    const row = element("tr", {},
      element("th", { scope: "row" }, labelText(label), " ", given),
      element("td", {}, element("span", { className: "gauge" }, bar, number)),
      limit);
    this.#bars.set(label.name, { row, bar, number, given, limit, label });
  }
}
