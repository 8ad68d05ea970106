/** The finding on one paper: a bar per subject, the decision in words, and remarks. Knows the card's labels, no service. */

import { element, part } from "./element.js";
import { remarks, threshold, verdict } from "./doubt.js";

export class Finding {
  #card;
  /** @type {Map<string, {row: HTMLElement, bar: HTMLElement, number: HTMLElement, given: HTMLElement, limit: HTMLElement, label: any}>} */
  #bars = new Map();

  /** @param {any} card of /model */
  constructor(card) {
    this.#card = card;
    part("bars").tBodies[0].replaceChildren(...card.labels.map((/** @type {any} */ label) => this.#row(label)));
  }

  /** @param {any} result of /classify */
  show(result) {
    for (const [name, { row, bar, number, given, limit, label }] of this.#bars) {
      const chosen = result.labels.includes(name);
      const applied = threshold(label, result.input);
      bar.style.setProperty("--p", result.probabilities[name]);
      bar.style.setProperty("--t", String(applied));
      limit.textContent = applied.toFixed(2);
      number.textContent = result.probabilities[name].toFixed(2);
      row.classList.toggle("chosen", chosen);
      given.textContent = chosen ? "given" : "";
    }
    part("notes").replaceChildren(...remarks(result, this.#card).map((remark) => element("li", {}, remark)));
    this.#say(result.labels.length ? result.labels : ["No subject"], result.status);
  }

  /** @param {string} sentence in place of a decision */
  tell(sentence) {
    this.busy(false);
    part("decision").className = "decision quiet";
    part("decision").textContent = sentence;
  }

  /** Nothing is asked any more. */
  clear() {
    for (const { row, bar, number, given } of this.#bars.values()) {
      bar.style.setProperty("--p", "0");
      row.classList.remove("chosen");
      number.textContent = given.textContent = "";
    }
    part("notes").replaceChildren();
    this.tell("Nothing to read yet.");
  }

  /** @param {boolean} busy whether what is shown is about to change */
  busy(busy) {
    part("bars").setAttribute("aria-busy", String(busy));
  }

  /**
   * @param {string[]} labels
   * @param {string} status
   */
  #say(labels, status) {
    this.busy(false);
    const decision = part("decision");
    decision.className = `decision ${status}`;
    decision.replaceChildren(element("strong", {}, new Intl.ListFormat("en").format(labels)));
    if (verdict(status)) decision.append(" ", element("span", { className: "flag" }, verdict(status)));
  }

  /** @param {any} label of the card */
  #row(label) {
    const bar = element("span", { className: "bar", ariaHidden: "true" });
    bar.style.setProperty("--t", label.threshold);
    const number = element("span", { className: "number" });
    const given = element("span", { className: "given" });
    const limit = element("td", { className: "number threshold" }, label.threshold.toFixed(2));
    const row = element("tr", {},
      element("th", { scope: "row" }, label.name, " ", given),
      element("td", {}, element("span", { className: "gauge" }, bar, number)),
      limit);
    this.#bars.set(label.name, { row, bar, number, given, limit, label });
    return row;
  }
}
