/** BibTeX entries as rows; accents in TeX notation become letters. */

/** @typedef {import("./csv.js").Row} Row */

const BLOCK = /^[ \t]*@[ \t]*(\w+)[ \t]*[{(]/gm;
/** @type {Record<string, string>} */
const ACCENTS = {
  "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", u: "\u0306", ".": "\u0307",
  '"': "\u0308", r: "\u030a", H: "\u030b", v: "\u030c", d: "\u0323", c: "\u0327", k: "\u0328", b: "\u0331",
};
/** @type {Record<string, string>} */
const LETTERS = {
  ss: "ß", ae: "æ", AE: "Æ", oe: "œ", OE: "Œ", o: "ø", O: "Ø", l: "ł", L: "Ł", aa: "å", AA: "Å", i: "ı", j: "ȷ",
  dh: "ð", DH: "Ð", th: "þ", TH: "Þ", dj: "đ", DJ: "Đ",
};
// \"o, \"{o}, \'\i, \v{s}, \c c; an accent that is a letter needs a brace or a space before its letter.
const ACCENT = /\\(?:([`'^~=."])\s*|([uvHtcdbrk])(?=[\s{])\s*)(?:\{\s*(\\?[A-Za-z])\s*\}|(\\[ij](?![A-Za-z])|[A-Za-z]))/g;
const LETTER = new RegExp(`\\\\(${Object.keys(LETTERS).sort((a, b) => b.length - a.length).join("|")})(?![A-Za-z])(?:\\{\\}|\\s+|)`, "g");

/**
 * The entries of a text; null if it has none.
 * @param {string} text
 * @returns {{columns: string[], rows: Row[]} | null}
 */
export function readBibtex(text) {
  const blocks = [...text.matchAll(BLOCK)];
  const entries = blocks
    .map((block, i) => ({ kind: block[1].toLowerCase(), at: block.index, text: text.slice(block.index, blocks[i + 1]?.index) }))
    .filter(({ kind }) => !["comment", "preamble", "string"].includes(kind));
  if (!entries.length) return null;
  let line = 1;
  let at = 0;
  const read = entries.map((entry) => {
    line += text.slice(at, entry.at).match(/\r\n|\r|\n/g)?.length ?? 0;
    at = entry.at;
    return { line, ...fieldsOf(entry.text, entry.kind) };
  });
  const columns = [...new Set(read.flatMap(({ fields }) => [...fields.keys()]))];
  return { columns, rows: read.map(({ line, fields, fault }) => ({ line, fault, cells: columns.map((name) => fields.get(name) ?? "") })) };
}

/**
 * @param {string} entry
 * @param {string} kind
 */
function fieldsOf(entry, kind) {
  const fields = new Map([["type", kind]]);
  const head = /^[^{(]*[{(]\s*([^,\s})]*)\s*,?/.exec(entry);
  fields.set("key", head?.[1] ?? "");
  const name = /\s*([\w:+/.-]+)\s*=\s*/y;
  for (let at = head?.[0].length ?? 0; ; ) {
    name.lastIndex = at;
    const found = name.exec(entry);
    if (!found) break;
    const value = readValue(entry, name.lastIndex);
    if (value.end < 0) return { fields, fault: "no complete BibTeX entry; is a brace or a comma missing?" };
    if (!fields.has(found[1].toLowerCase())) fields.set(found[1].toLowerCase(), plainText(value.text));
    at = value.end + (/^\s*,/.exec(entry.slice(value.end, value.end + 1000))?.[0].length ?? 0);
  }
  return { fields, fault: fields.size > 2 ? "" : "no complete BibTeX entry; is a brace or a comma missing?" };
}

/**
 * A value and the index behind it, -1 if it never ends: `{...}`, `"..."` or a word, joined by `#`.
 * @param {string} entry
 * @param {number} at
 */
function readValue(entry, at) {
  const parts = [];
  for (;;) {
    const mark = entry[at];
    const end = mark === "{" ? closing(entry, at, "}") : mark === '"' ? closing(entry, at, '"') : wordEnd(entry, at);
    if (end < 0) return { text: "", end };
    parts.push(mark === "{" || mark === '"' ? entry.slice(at + 1, end - 1) : entry.slice(at, end));
    const more = /^\s*#\s*/.exec(entry.slice(end, end + 100));
    if (!more) return { text: parts.join(""), end };
    at = end + more[0].length;
  }
}

/**
 * The index behind the mark that closes the one at `at`, braces within counted; -1 if there is none.
 * @param {string} text
 * @param {number} at
 * @param {string} mark
 */
function closing(text, at, mark) {
  let depth = 0;
  for (let i = at + 1; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === mark && depth === 0) return i + 1;
    else if (text[i] === "{") depth += 1;
    else if (text[i] === "}") depth -= 1;
  }
  return -1;
}

/**
 * @param {string} text
 * @param {number} at
 */
function wordEnd(text, at) {
  const end = text.slice(at).search(/[\s,#})]/);
  return end < 0 ? text.length : at + end;
}

/**
 * A value without braces and with accents as letters; what stands between dollar signs stays as it is.
 * @param {string} value
 */
export function plainText(value) {
  const parts = value.split(/(?<!\\)(\$[^$]*\$)/);
  return parts.map((part) => (part.startsWith("$") ? part : withoutTex(part))).join("").split(/\s+/).join(" ").trim();
}

/** @param {string} text */
function withoutTex(text) {
  return text
    .replace(/\\(?:emph|text[a-z]+|url)\s*(?=\{)/g, "")
    .replace(ACCENT, (_, sign, letter, inBraces, bare) => ((inBraces ?? bare).replace(/^\\/, "") + ACCENTS[sign ?? letter]).normalize("NFC"))
    .replace(LETTER, (_, name) => LETTERS[name])
    .replace(/(?<!\\)[{}]/g, "")
    .replace(/\\([&%$#_{}])/g, "$1");
}
