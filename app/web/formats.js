/** A file of papers as a table; its format is detected from its content, since file names are often wrong. */

import { readBibtex } from "./bibtex.js";
import { readDelimited } from "./delimited.js";
import { readJson } from "./json_rows.js";
import { readTagged } from "./tagged.js";

/**
 * @typedef {object} Content
 * @property {string[]} columns
 * @property {import("./csv.js").Row[]} rows as wide as the columns
 * @property {string} [delimiter] of delimited text
 */

/**
 * @param {string} text
 * @returns {Content}
 */
export function readTable(text) {
  return readJson(text) ?? readTagged(text) ?? (/^\s*(?:%[^\n]*\n\s*)*@\s*\w+\s*[{(]/.test(text) ? readBibtex(text) : null) ?? readDelimited(text);
}
