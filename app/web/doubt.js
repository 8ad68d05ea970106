/** Why a person should check a result, and how much of the text the model read, in sentences. */

import { labelText } from "./labels.js";

/** @type {Record<string, string>} */
const VERDICTS = { ok: "", uncertain: "A person should check", out_of_scope: "Out of scope" };

const MOST_CLOSE = 3;

/** @param {number} p */
const odds = (p) => Math.log(p / (1 - p));
/** @param {number} p */
const clipped = (p) => Math.min(1 - 1e-7, Math.max(1e-7, p));
/** @param {number} share */
const percent = (share) => `${Math.round(share * 100)} %`;

/**
 * A status in a few words; empty for "ok", and the service's own word for a status of a later version.
 * @param {string} status
 */
export function verdict(status) {
  return VERDICTS[status] ?? status.replaceAll("_", " ");
}

/**
 * @param {any} result of /classify
 * @param {any} card of /model
 * @returns {string[]} sentences
 */
export function remarks(result, card) {
  return [...doubts(result, card), ...cuts(result.input)];
}

/**
 * @param {any} label of the card
 * @param {{abstract: boolean}} input
 * @returns {number} the threshold that counts for this paper
 */
export function threshold(label, input) {
  return input.abstract ? label.threshold : (label.title_threshold ?? label.threshold);
}

/**
 * @param {any} result
 * @param {any} card
 */
function doubts(result, card) {
  if (result.status === "ok") return [];
  if (result.status === "out_of_scope") return ["The text is unlike the papers the model was trained on, so its probabilities are not reliable."];
  if (result.status !== "uncertain") return [`The service says “${verdict(result.status)}”, a status that this page does not know; a person should check.`];
  const calls = card.labels.map((/** @type {any} */ label) => call(label, threshold(label, result.input), result.probabilities[label.name]));
  const close = calls.filter((/** @type {any} */ one) => one.distance < card.uncertain.margin)
    .sort((/** @type {any} */ one, /** @type {any} */ other) => one.distance - other.distance).slice(0, MOST_CLOSE);
  return [...(result.labels.length ? [] : [nothing(calls)]), ...close.map(closeness), ...record(card.uncertain)];
}

/**
 * @param {any} label
 * @param {number} limit
 * @param {number} p
 */
function call(label, limit, p) {
  return { label, limit, p, distance: Math.abs(odds(clipped(p)) - odds(limit)) };
}

/** @param {any[]} calls */
function nothing(calls) {
  const nearest = calls.reduce((best, one) => (one.distance < best.distance ? one : best));
  return `No subject meets its threshold; the nearest is ${labelText(nearest.label)} with ${nearest.p.toFixed(2)} of ${nearest.limit.toFixed(2)}.`;
}

/** @param {any} call */
function closeness({ label, limit, p }) {
  const side = p >= limit ? "just above" : "just below";
  return `${labelText(label)} is a close decision: ${p.toFixed(2)} is ${side} its threshold of ${limit.toFixed(2)}.`;
}

/** @param {any} rule */
function record(rule) {
  if (typeof rule.error_rate_uncertain !== "number") return []; // not measured
  return [`Of the validation papers marked like this, ${percent(rule.error_rate_uncertain)} had a wrong or a missing subject; of the others, ${percent(rule.error_rate_ok)}.`];
}

/** @type {Record<string, string>} what the text preparation may have changed */
const CHANGES = {
  markup: "markup was removed",
  characters: "unusual characters were replaced",
  heading: "a heading such as “Abstract” was removed",
  hyphenation: "words broken at line ends were joined",
  placeholder: "a placeholder was taken for no text",
};

/** @param {{tokens: number, tokens_used: number, truncated: boolean, abstract: boolean, unknown?: number, changes?: string[], withdrawn?: boolean}} input */
function cuts({ tokens, tokens_used, truncated, abstract, unknown, changes, withdrawn }) {
  const read = truncated
    ? `The text is too long: the model read ${tokens_used} of ${tokens} word pieces.`
    : tokens === 1 ? "The model read its one word piece." : `The model read all ${tokens} word pieces.`;
  return [
    read,
    ...(unknown ? [`Of these, ${unknown} ${unknown === 1 ? "is" : "are"} not in its vocabulary.`] : []),
    ...(changes?.length ? [`Before that, ${new Intl.ListFormat("en").format(changes.map((change) => CHANGES[change] ?? change))}.`] : []),
    ...(withdrawn ? ["The text contains a notice that the paper was withdrawn."] : []),
    ...(abstract ? [] : ["There is no abstract; with one, the result is usually better."]),
  ];
}
