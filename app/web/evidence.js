/** The evidence: sentences that support a subject or speak against it, marked by sign, line and words, not by colour alone. */

import { element, part } from "./element.js";

// A sentence below this share of the strongest one, or below this many log-odds, is left unmarked.
const FAINT = 0.08;
const NOTHING = 0.05;
// The weight of the full tint, unless a sentence weighs more: weak evidence must not look strong.
const STRONG = 1;

/** @typedef {{field: "title" | "abstract", start: number, end: number, sentences: number, weight?: number}} Sentence */

export class Evidence {
  /** Hide the evidence, since the text has changed. */
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
  if (merged) told.push("The text is long, so its later sentences were left out several at a time.");
  if (strongest < NOTHING) told.push("No single sentence makes much difference; the others support the subject without it.");
  return told.map((sentence) => element("p", { className: "aside" }, sentence));
}

/**
 * @param {string} text
 * @param {Sentence} sentence
 * @param {number} strongest
 * @returns {(Node | string)[]}
 */
function mark(text, { weight }, strongest) {
  if (weight === undefined) return [text, element("span", { className: "aside" }, "(the only sentence; without it no text would be left)")];
  const strength = Math.abs(weight) / strongest;
  if (strength < FAINT || Math.abs(weight) < NOTHING) return [text];
  const side = weight > 0 ? "for" : "against";
  const shown = text.trimEnd();
  const number = `${weight > 0 ? "+" : "−"}${Math.abs(weight).toFixed(1)}`;
  const made = element("mark", { className: side }, shown,
    element("span", { className: "weight" }, element("span", { className: "said" }, ` ${side === "for" ? "supports" : "speaks against"}, `), number));
  made.style.setProperty("--strength", (Math.abs(weight) / Math.max(strongest, STRONG)).toFixed(2));
  return [made, text.slice(shown.length)];
}
