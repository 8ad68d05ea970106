/** Evidence on a text: sentences for and against a subject, told by sign, line and words, not by colour alone. */

import { element, part } from "./element.js";

// Below this share of the strongest sentence, or this many log-odds, one hardly matters and is left plain.
const FAINT = 0.08;
const NOTHING = 0.05;
// What fills the tint, unless a sentence weighs more: a faint case must not look like a strong one.
const STRONG = 1;

/** @typedef {{field: "title" | "abstract", start: number, end: number, sentences: number, weight?: number}} Sentence */

export class Evidence {
  /** Take it away: the text has changed. */
  clear() {
    part("evidence").hidden = true;
  }

  /**
   * @param {{title: string, abstract: string}} paper as it was asked about
   * @param {any} explained of /explain
   */
  show(paper, explained) {
    const buttons = explained.evidence.map((/** @type {any} */ entry) =>
      element("button", { type: "button", onclick: () => this.#choose(paper, explained, entry.label) }, entry.label));
    part("evidence-labels").replaceChildren(...buttons);
    this.#choose(paper, explained, explained.evidence[0].label);
    part("evidence").hidden = false;
    part("evidence").focus();
  }

  /**
   * @param {{title: string, abstract: string}} paper
   * @param {any} explained
   * @param {string} label
   */
  #choose(paper, explained, label) {
    for (const button of part("evidence-labels").children) {
      button.setAttribute("aria-pressed", String(button.textContent === label));
    }
    const { sentences } = explained.evidence.find((/** @type {any} */ entry) => entry.label === label);
    const strongest = Math.max(...sentences.map((/** @type {Sentence} */ one) => Math.abs(one.weight ?? 0)), 1e-9);
    const written = /** @type {const} */ (["title", "abstract"]).map((field) => {
      // Offsets count code points, JavaScript's strings count UTF-16 units.
      const points = Array.from(paper[field]);
      const parts = sentences.filter((/** @type {Sentence} */ one) => one.field === field)
        .map((/** @type {Sentence} */ one) => mark(points.slice(one.start, one.end).join(""), one, strongest));
      return element("p", { className: field }, ...parts.flat());
    });
    part("evidence-text").replaceChildren(...written, ...asides(explained.merged, strongest));
  }
}

/**
 * @param {boolean} merged
 * @param {number} strongest
 */
function asides(merged, strongest) {
  const told = [];
  if (merged) told.push("The text is long: its later sentences were left out several at a time.");
  if (strongest < NOTHING) told.push("No single sentence matters much: without any one of them, the others still carry the subject.");
  return told.map((sentence) => element("p", { className: "aside" }, sentence));
}

/**
 * @param {string} text
 * @param {Sentence} sentence
 * @param {number} strongest
 * @returns {(Node | string)[]}
 */
function mark(text, { weight }, strongest) {
  if (weight === undefined) return [text, element("span", { className: "aside" }, "(all there is: nothing would be left without it)")];
  const strength = Math.abs(weight) / strongest;
  if (strength < FAINT || Math.abs(weight) < NOTHING) return [text];
  const side = weight > 0 ? "for" : "against";
  const shown = text.trimEnd();
  const number = `${weight > 0 ? "+" : "−"}${Math.abs(weight).toFixed(1)}`;
  const made = element("mark", { className: side }, shown,
    element("span", { className: "weight" }, element("span", { className: "said" }, ` speaks ${side}, `), number));
  made.style.setProperty("--strength", (Math.abs(weight) / Math.max(strongest, STRONG)).toFixed(2));
  return [made, text.slice(shown.length)];
}
