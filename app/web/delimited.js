/** Delimited text as a table: its delimiter, where its header is, and rows brought to the header's width. */

import { findColumn, isHeader, isTransposed, NAMES } from "./known_columns.js";
import { rows } from "./csv.js";
import { Problem } from "./service.js";

/** @typedef {import("./csv.js").Row} Row */
/** @typedef {import("./csv.js").Dialect} Dialect */

const DELIMITERS = [",", ";", "\t", "|"];
// Excel's own way to name the delimiter, in a first line; sheets that were saved again fill that line with delimiters.
const SEPARATOR_LINE = /^"?sep=([^"\r\n])\1*"?(?:\r\n|\r|\n|$)/i;
// Reports have a few descriptive lines above the header.
const MOST_LINES_ABOVE = 20;
const SAMPLE_ROWS = 100;
// Where a table has one field in each row, a paper has no more of them.
const ROWS_OF_A_PAPER = 20;
const SAMPLE_CHARACTERS = 64 * 1024;

/**
 * @param {string} text
 * @returns {{columns: string[], rows: Row[], delimiter: string}}
 */
export function readDelimited(text) {
  const separator = SEPARATOR_LINE.exec(text);
  const body = separator ? text.slice(separator[0].length) : text;
  const dialect = { delimiter: separator?.[1] ?? mostPlausible(body), escaped: false };
  const all = readRows(body, dialect, separator ? 2 : 1);
  const head = headerAt(all.map(({ cells }) => cells));
  const columns = named(all[head]?.cells ?? []);
  if (all.slice(head + 1, head + 1 + ROWS_OF_A_PAPER).some(({ cells }) => isTransposed(columns, cells))) {
    throw new Problem("The file has one field in each row; export it with one paper in each row, or as RIS.");
  }
  return { columns, rows: fitted(all.slice(head + 1), columns.length), delimiter: dialect.delimiter };
}

/**
 * The rows; with backslashes as escapes if only so they can be read.
 * @param {string} text
 * @param {Dialect} dialect
 * @param {number} line
 */
function readRows(text, dialect, line) {
  const plain = [...rows(text, dialect, line)];
  if (!text.includes('\\"')) return plain;
  const escaped = [...rows(text, { ...dialect, escaped: true }, line)];
  return misfits(escaped) < misfits(plain) ? escaped : plain;
}

/** @param {Row[]} all */
function misfits(all) {
  const width = all[headerAt(all.map(({ cells }) => cells))]?.cells.length ?? 0;
  return all.filter(({ cells, fault }) => fault || cells.length !== width).length;
}

/** @param {string} text */
function mostPlausible(text) {
  const sample = text.slice(0, SAMPLE_CHARACTERS);
  const scores = DELIMITERS.map((delimiter) => plausibility(sample, delimiter));
  const best = scores.reduce((best, score, i) => (compare(score, scores[best]) > 0 ? i : best), 0);
  if (scores[best][2] > 1) return DELIMITERS[best];
  // One column: a delimiter that occurs nowhere, so that no text is cut at its commas.
  return DELIMITERS.find((delimiter) => !text.includes(delimiter)) ?? "\x1f";
}

/**
 * Known columns, the share of rows that fit the header, and its width: larger is more plausible.
 * @param {string} sample
 * @param {string} delimiter
 */
function plausibility(sample, delimiter) {
  /** @type {string[][]} */
  const records = [];
  for (const { cells } of rows(sample, delimiter)) {
    if (records.push(cells) === SAMPLE_ROWS) break;
  }
  const head = headerAt(records);
  const width = records[head]?.length ?? 0;
  if (width < 2) return [0, 0, width];
  const known = Object.keys(NAMES).filter((field) => findColumn(records[head], field) >= 0).length;
  const others = records.filter((_, i) => i !== head);
  const fits = others.filter((cells) => cells.length >= 2 && cells.length <= width).length;
  return [known, others.length ? Math.round((10 * fits) / others.length) : 10, width];
}

/**
 * @param {number[]} one
 * @param {number[]} other
 */
function compare(one, other) {
  const i = one.findIndex((value, i) => value !== other[i]);
  return i < 0 ? 0 : one[i] - other[i];
}

/**
 * The index of the first row that holds column names; 0 if none does.
 * @param {string[][]} records
 */
function headerAt(records) {
  return Math.max(0, records.slice(0, MOST_LINES_ABOVE + 1).findIndex(isHeader));
}

/**
 * The names, with "column 4" and the like for those that are empty.
 * @param {string[]} names
 */
function named(names) {
  return names.map((name, i) => name.replace(/^\ufeff+/, "").trim() ? name.replace(/^\ufeff+/, "") : `column ${i + 1}`);
}

/**
 * Missing cells at the end are filled up, since some programs leave out empty ones; rows after a torn one that lack
 * cells may be a part of it.
 * @param {Row[]} all
 * @param {number} width
 * @returns {Row[]}
 */
function fitted(all, width) {
  let torn = false;
  return all.filter(({ cells, fault }) => fault || cells.some((cell) => cell.trim())).map(({ line, cells, fault }) => {
    const short = torn && cells.length < width;
    torn = fault !== "" || short;
    if (!fault && short) fault = "may be a part of the torn row before it, since it lacks cells";
    if (!fault && cells.slice(width).some((cell) => cell.trim())) fault = `${cells.length} cells, where the first line has ${width}`;
    return { line, cells: Array.from({ length: Math.max(width, fault ? cells.length : 0) }, (_, i) => cells[i] ?? ""), fault };
  });
}
