/** A link that opens the page with a text, which is in the fragment, since browsers do not send that. */

/** @typedef {{title: string, abstract: string}} Paper */

/**
 * @param {Paper} paper
 * @param {string} version of the model
 */
export function fragment(paper, version) {
  return `#${new URLSearchParams({ ...paper, version })}`;
}

/**
 * The paper in a fragment and the version of the model it was labelled by; null if there is none.
 * @param {string} hash
 * @returns {(Paper & {version: string}) | null}
 */
export function paperOf(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const paper = { title: given.get("title") ?? "", abstract: given.get("abstract") ?? "" };
  return paper.title || paper.abstract ? { ...paper, version: given.get("version") ?? "" } : null;
}
