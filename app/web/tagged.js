/** Tagged records as rows: RIS, PubMed's format, Web of Science's plain text, EndNote. */

/** @typedef {import("./csv.js").Row} Row */

/**
 * @typedef {object} Format how one kind of tagged file is written
 * @property {RegExp} line matches a line with a tag; groups: tag, value
 * @property {string} first the tag that begins a record
 * @property {string} last the tag that ends it; empty: a blank line does
 * @property {Record<string, string>} names columns for tags; others keep their own name
 */

/** @type {Format[]} */
const FORMATS = [
  {
    line: /^\s?([A-Z][A-Z0-9])(?: {2}-| -(?= |$)) ?(.*)$/, first: "TY", last: "ER",
    names: {
      TY: "type", TI: "title", T1: "title", AB: "abstract", N2: "abstract", AU: "authors", A1: "authors", PY: "year",
      Y1: "year", DO: "doi", JO: "journal", JF: "journal", T2: "journal", KW: "keywords", UR: "url", SN: "issn",
      ID: "id", AN: "accession_number", DP: "database", LA: "language",
    },
  },
  {
    line: /^([A-Z][A-Z0-9]{1,3}) *- ?(.*)$/, first: "PMID", last: "",
    names: {
      PMID: "pmid", TI: "title", AB: "abstract", FAU: "authors", DP: "date", JT: "journal", LID: "doi",
      MH: "mesh_terms", OT: "keywords", LA: "language", PT: "type",
    },
  },
  {
    line: /^(%[0-9A-Z@!#$&()*+<=>?[\]^~]) (.*)$/, first: "%0", last: "",
    names: {
      "%T": "title", "%X": "abstract", "%A": "authors", "%D": "year", "%J": "journal", "%R": "doi", "%K": "keywords",
      "%U": "url", "%0": "type",
    },
  },
];
/** @type {Format} */
const WEB_OF_SCIENCE = {
  line: /^([A-Z][A-Z0-9])(?: (.*)|)$/, first: "PT", last: "ER",
  names: {
    PT: "type", TI: "title", AB: "abstract", AU: "authors", PY: "year", SO: "journal", DI: "doi", DE: "keywords",
    UT: "id", LA: "language",
  },
};
// Around the records of a file from Web of Science.
const FRAME = ["FN", "VR", "EF"];
// Tags of which each further line is another value.
const LISTS = ["AU", "AF", "CR", "C1"];
const SAMPLE_LINES = 200;

/**
 * The format of a file from its beginning; undefined if its lines have no tags.
 * @param {string[]} lines
 */
function formatOf(lines) {
  const filled = lines.filter((line) => line.trim()).slice(0, SAMPLE_LINES).map((line) => line.trimEnd());
  if (/^FN (Clarivate|Thomson|ISI)/.test(filled[0] ?? "")) return WEB_OF_SCIENCE;
  return FORMATS.find(({ line, first }) => {
    const tags = new Set(filled.map((one) => line.exec(one)?.[1]).filter(Boolean));
    return tags.has(first) && tags.size > 1;
  });
}

/**
 * The records of a text, values of repeated tags joined by "; "; null if it has no tags.
 * @param {string} text
 * @returns {{columns: string[], rows: Row[]} | null}
 */
export function readTagged(text) {
  const lines = text.split(/\r\n|\r|\n/);
  const format = formatOf(lines);
  if (!format) return null;
  const found = records(lines, format);
  const columns = [...new Set(found.flatMap(({ cells }) => [...cells.keys()]))];
  return { columns, rows: found.map(({ line, cells, fault }) => ({ line, fault, cells: columns.map((name) => cells.get(name) ?? "") })) };
}

/**
 * @param {string[]} lines
 * @param {Format} format
 */
function records(lines, format) {
  /** @type {{line: number, tags: [string, string][], fault: string}[]} */
  const found = [];
  let open = false;
  lines.forEach((text, i) => {
    const match = format.line.exec(text.trimEnd());
    const [tag, value] = match ? [match[1], (match[2] ?? "").trim()] : ["", text.trim()];
    const record = found[found.length - 1];
    if (open && ends(record.tags, tag, value, format)) open = false;
    if (tag === format.last && tag) return;
    if (tag && !open && !FRAME.includes(tag)) {
      const fault = tag === format.first || !format.last ? "" : `no line with the tag ${format.first} at its beginning`;
      found.push({ line: i + 1, tags: [[tag, value]], fault });
      open = true;
    } else if (open && tag) record.tags.push([tag, value]);
    else if (open && value) extend(record.tags, value, format);
  });
  return found.map(({ line, tags, fault }) => ({ line, fault, cells: cellsOf(tags, format) }));
}

/**
 * @param {[string, string][]} tags so far
 * @param {string} tag of the next line
 * @param {string} value of the next line
 * @param {Format} format
 */
function ends(tags, tag, value, { first, last }) {
  if (tag === first) return last !== "" || tags.some(([name]) => name === first);
  return last ? tag === last : !tag && !value;
}

/**
 * @param {[string, string][]} tags
 * @param {string} value of a line without a tag
 * @param {Format} format
 */
function extend(tags, value, format) {
  const [name, before] = tags[tags.length - 1];
  const joined = format === WEB_OF_SCIENCE && LISTS.includes(name) ? "; " : " ";
  tags[tags.length - 1] = [name, before ? before + joined + value : value];
}

/**
 * @param {[string, string][]} tags
 * @param {Format} format
 */
function cellsOf(tags, { names }) {
  /** @type {Map<string, string>} */
  const cells = new Map();
  for (const [tag, value] of tags) {
    const name = names[tag] ?? tag;
    const before = cells.get(name);
    if (value) cells.set(name, before && before !== value ? `${before}; ${value}` : value);
  }
  return cells;
}
