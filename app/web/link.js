/** A link that reopens a text: everything stands behind the #, which browsers never send. */

/** @typedef {{title: string, abstract: string}} Paper */

/**
 * @param {Paper} paper
 * @param {string} version of the model that answered
 */
export function fragment(paper, version) {
  return `#${new URLSearchParams({ ...paper, version })}`;
}

/**
 * The paper of a fragment and the version it was made with; null if it holds none.
 * @param {string} hash
 * @returns {(Paper & {version: string}) | null}
 */
export function paperOf(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const paper = { title: given.get("title") ?? "", abstract: given.get("abstract") ?? "" };
  return paper.title || paper.abstract ? { ...paper, version: given.get("version") ?? "" } : null;
}
