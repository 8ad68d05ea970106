/** Why a person should look, and what was cut, in plain words. Knows answers and the card, shows nothing. */

/** @type {Record<string, string>} */
const VERDICTS = { ok: "", uncertain: "A person should look", out_of_scope: "Out of scope" };

/** @param {number} p */
const odds = (p) => Math.log(p / (1 - p));
/** @param {number} p */
const clipped = (p) => Math.min(1 - 1e-7, Math.max(1e-7, p));
/** @param {number} share */
const percent = (share) => `${Math.round(share * 100)} %`;

/**
 * A status in a few words; nothing for one that is fine, and the service's own word for one that is news.
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
  if (result.status === "out_of_scope") return ["The text does not look like the papers the model was trained on; its scores mean little."];
  if (result.status !== "uncertain") return [`The service calls this “${verdict(result.status)}”, which this page has no words for; a person should look.`];
  const calls = card.labels.map((/** @type {any} */ label) => call(label, threshold(label, result.input), result.probabilities[label.name]));
  const close = calls.filter((/** @type {any} */ one) => one.distance < card.uncertain.margin);
  return [...(result.labels.length ? [] : [nothing(calls)]), ...close.map(closeness), record(card.uncertain)];
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
  return `No subject reached its threshold; the nearest is ${nearest.label.name} with ${nearest.p.toFixed(2)} of ${nearest.limit.toFixed(2)}.`;
}

/** @param {any} call */
function closeness({ label, limit, p }) {
  const side = p >= limit ? "just over" : "just short of";
  return `${label.name} is a close call: ${p.toFixed(2)} is ${side} its threshold of ${limit.toFixed(2)}.`;
}

/** @param {any} rule */
function record(rule) {
  return `Of the validation papers marked like this, ${percent(rule.error_rate_uncertain)} had a wrong subject or lacked one; of the others, ${percent(rule.error_rate_ok)}.`;
}

/** @param {{tokens: number, tokens_used: number, truncated: boolean, abstract: boolean}} input */
function cuts(input) {
  const read = input.truncated
    ? `Cut: the model read ${input.tokens_used} of ${input.tokens} word pieces and never saw the rest.`
    : input.tokens === 1 ? "Its one word piece was read." : `All ${input.tokens} word pieces were read.`;
  return input.abstract ? [read] : [read, "There is no abstract; with one, the answer is usually better."];
}
