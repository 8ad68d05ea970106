/** CSV by RFC 4180, read and written. Knows text and rows; knows no papers. */

/** @typedef {{line: number, cells: string[], fault: string}} Row a row, where it begins, and what is wrong with it, if anything */

const DELIMITERS = [",", ";", "\t"];
const LINE_END = /\r\n|\r|\n/g;
// What makes a spreadsheet take a cell for a formula, also behind white space; plain numbers are none.
const FORMULA = /^\s*[=+\-@＝＋－＠]/;
const NUMBER = /^[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?$/;

/**
 * The rows of a text, blank lines left out. Quoted cells may hold delimiters, line ends and doubled quotes.
 * @param {string} text
 * @param {string} [delimiter]
 * @returns {Generator<Row>}
 */
export function* rows(text, delimiter = ",") {
  const plain = new RegExp(`[^${delimiter}\r\n]*`, "y");
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const row = readRow(text, at, delimiter, plain);
    const raw = text.slice(at, row.end);
    if (raw.trim() || row.cells.length > 1) yield { line, cells: row.cells, fault: row.fault };
    line += (raw.match(LINE_END)?.length ?? 0) + 1;
    at = row.end + (text.startsWith("\r\n", row.end) ? 2 : 1);
  }
}

/**
 * The delimiter that cuts the first line into most cells; a comma if none does.
 * @param {string} text
 */
export function delimiterOf(text) {
  const counts = DELIMITERS.map((delimiter) => rows(text, delimiter).next().value?.cells.length ?? 0);
  return DELIMITERS[counts.indexOf(Math.max(...counts))];
}

/**
 * Rows as a CSV text with commas, safe to open in a spreadsheet: no cell is taken for a formula.
 * @param {string[][]} table
 */
export function csv(table) {
  return table.map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}

/** @param {string} value */
function cell(value) {
  const safe = FORMULA.test(value) && !NUMBER.test(value) ? `'${value}` : value;
  return /[",\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * @param {string} text
 * @param {number} at
 * @param {string} delimiter
 * @param {RegExp} plain
 */
function readRow(text, at, delimiter, plain) {
  /** @type {string[]} */
  const cells = [];
  let fault = "";
  for (let end = at; ; end += 1) {
    const found = text[end] === '"' ? readQuoted(text, end + 1, plain) : readPlain(text, end, plain);
    cells.push(found.value);
    fault ||= found.fault;
    end = found.end;
    if (text[end] !== delimiter) return { cells, fault, end };
  }
}

/**
 * @param {string} text
 * @param {number} at
 * @param {RegExp} plain
 */
function readPlain(text, at, plain) {
  plain.lastIndex = at;
  const value = plain.exec(text)?.[0] ?? "";
  return { value, fault: "", end: at + value.length };
}

/**
 * @param {string} text
 * @param {number} at behind the opening quote
 * @param {RegExp} plain
 */
function readQuoted(text, at, plain) {
  let value = "";
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return { value: value + text.slice(at), fault: "a quotation mark is never closed", end: text.length };
    value += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') break;
    value += '"';
    at += 1;
  }
  const rest = readPlain(text, at, plain);
  return { value: value + rest.value, fault: rest.value.trim() && "text follows a closing quotation mark", end: rest.end };
}
