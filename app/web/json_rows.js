/** JSON as rows: one object per line, an array of objects, or an object that holds one such array. */

import { isHeader } from "./known_columns.js";
import { Problem } from "./service.js";

/** @typedef {import("./csv.js").Row} Row */

// Python's json module and pandas write these, which JSON does not have; within strings they stay.
const NOT_JSON = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/**
 * The objects of a text; null if it does not begin as JSON does. Throws Problem if it then is none.
 * @param {string} text
 * @returns {{columns: string[], rows: Row[]} | null}
 */
export function readJson(text) {
  if (!/^\s*(?:\[\s*[{\]]|\{\s*["}])/.test(text)) return null;
  const { value } = parsed(text);
  const found = arrayOf(value) ?? (isObject(value) ? [{ line: 1, value, fault: "" }] : lines(text));
  if (!found.some(({ fault }) => !fault)) throw new Problem("The file begins as JSON does, but is not valid JSON; was it cut off?");
  const columns = [...new Set(found.flatMap(({ value }) => (isObject(value) ? Object.keys(value) : [])))];
  return {
    columns,
    rows: found.map(({ line, value, fault }) => ({
      line,
      cells: columns.map((name) => cellText(isObject(value) ? value[name] : undefined)),
      fault: fault || (isObject(value) ? "" : `a JSON ${Array.isArray(value) ? "array" : typeof value}, expected an object`),
    })),
  };
}

/**
 * @param {string} text
 * @returns {{value?: any, fault: string}}
 */
function parsed(text) {
  try {
    return { value: JSON.parse(text), fault: "" };
  } catch {
    try {
      return { value: JSON.parse(text.replace(NOT_JSON, (found) => (found.startsWith('"') ? found : "null"))), fault: "" };
    } catch {
      return { fault: "no valid JSON" };
    }
  }
}

/**
 * The elements of an array, or of the one array of objects within an object; null if there is none.
 * @param {any} value
 * @returns {{line: number, value: any, fault: string}[] | null}
 */
function arrayOf(value) {
  if (Array.isArray(value)) return value.map((value, i) => ({ line: i + 1, value, fault: "" }));
  // A paper may hold arrays, too: of authors, for example.
  if (!isObject(value) || isHeader(Object.keys(value))) return null;
  const arrays = Object.values(value).filter((inner) => Array.isArray(inner) && isObject(inner[0]));
  if (arrays.length === 1) return arrayOf(arrays[0]);
  const inner = Object.values(value).filter(isObject).map(arrayOf).filter(Boolean);
  return inner.length === 1 ? inner[0] : null;
}

/** @param {string} text */
function lines(text) {
  return text.split(/\r\n|\r|\n/).flatMap((line, i) => (line.trim() ? [{ line: i + 1, value: undefined, ...parsed(line) }] : []));
}

/** @param {any} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The text of a cell. Crossref gives titles as lists, OpenAlex abstracts as an index from words to their places.
 * @param {any} value
 * @returns {string}
 */
function cellText(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((part) => typeof part === "string")) return value.join(" ");
  if (isObject(value) && Object.keys(value).length && Object.values(value).every((places) => Array.isArray(places) && places.every(Number.isInteger))) {
    const words = Object.entries(value).flatMap(([word, places]) => places.map((/** @type {number} */ place) => /** @type {const} */ ([place, word])));
    return words.sort(([one], [other]) => one - other).map(([, word]) => word).join(" ");
  }
  return JSON.stringify(value);
}
