/** CSV for spreadsheets: in the dialect of a country, and without cells that would be evaluated as formulas. */

// Invisible characters that may precede a formula: white space, controls, zero-width and direction marks.
const UNSEEN = "[\\s\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202f\\u2060-\\u206f\\ufeff]*";
const FORMULA = new RegExp(`^(?:${UNSEEN}[=+\\-@＝＋－＠]|[\\t\\r])`);
const NUMBER = /^\s*[+-]?[\d.,]+(?:[eE][+-]?\d+)?\s*%?\s*$/;
// After a list separator or a line break within a cell; there a minus before a word may be text.
const INNER_FORMULA = "(?=[=@＝＠]|[+\\-＋－][A-Za-z(\"'])";
const LIST_SEPARATORS = [",", ";", "\t"];

/**
 * Rows as a CSV text.
 * @param {string[][]} table
 * @param {string} [delimiter]
 */
export function csv(table, delimiter = ",") {
  return table.map((cells) => `${cells.map((cell) => quoted(neutralized(cell, delimiter), delimiter)).join(delimiter)}\r\n`).join("");
}

/**
 * The text of a cell so that no spreadsheet computes it: an apostrophe is put before what begins a formula. A file with
 * commas may be opened where semicolons separate cells, and the other way round, so what follows the other separator
 * is made safe as well.
 * @param {string} text
 * @param {string} delimiter
 */
export function neutralized(text, delimiter) {
  const others = LIST_SEPARATORS.filter((separator) => separator !== delimiter).join("");
  const safe = text.replace(new RegExp(`([${others}\\r\\n]${UNSEEN})${INNER_FORMULA}`, "g"), "$1'");
  return FORMULA.test(safe) && !NUMBER.test(safe) ? `'${safe}` : safe;
}

/**
 * @param {string} value
 * @param {string} delimiter
 */
function quoted(value, delimiter) {
  const needed = value.includes(delimiter) || /["\r\n]|^\s|\s$/.test(value);
  return needed ? `"${value.replaceAll('"', '""')}"` : value;
}
