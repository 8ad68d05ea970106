/** Delimited text as records: any line terminator, quoted cells, and recovery from a quotation mark that is never closed. */

/**
 * @typedef {object} Row
 * @property {number} line where the row begins
 * @property {string[]} cells
 * @property {string} fault what is wrong with it; empty if nothing is
 */

/**
 * @typedef {object} Dialect
 * @property {string} delimiter
 * @property {boolean} [escaped] whether a backslash takes the next character literally, as Spark and MySQL write
 */

/** @typedef {{cells: string[], fault: string, end: number}} Cut one record, and the index behind it */

const UNCLOSED = "a quotation mark is never closed";

/**
 * The rows of a text; blank lines are left out. A row that cannot be read is one line long, and the lines after it are
 * read for themselves.
 * @param {string} text
 * @param {Dialect | string} [dialect] a string is the delimiter
 * @param {number} [line] the number of the first line
 * @returns {Generator<Row>}
 */
export function* rows(text, dialect = ",", line = 1) {
  const end = lineEndOf(text);
  const reader = new Reader(text, typeof dialect === "string" ? { delimiter: dialect } : dialect, end);
  for (let at = 0; at < text.length; ) {
    const record = reader.record(at, line);
    const raw = text.slice(at, record.end);
    if (raw.trim() || record.cells.length > 1) yield { line, cells: record.cells, fault: record.fault };
    line += count(raw, end) + 1;
    at = record.end + (text.startsWith("\r\n", record.end) ? 2 : 1);
  }
}

/**
 * What ends the lines of a text: "\r" if that comes first outside quotation marks, otherwise "\n", before which there
 * may be a "\r". The other one, if it occurs, is a part of a cell.
 * @param {string} text
 */
function lineEndOf(text) {
  let quoted = false;
  for (const [found] of text.matchAll(/"|\r\n|\r|\n/g)) {
    if (found === '"') quoted = !quoted;
    else if (!quoted) return found === "\r" ? "\r" : "\n";
  }
  return "\n";
}

/**
 * @param {string} text
 * @param {string} mark
 */
function count(text, mark) {
  return text.split(mark).length - 1;
}

class Reader {
  #text;
  #dialect;
  #lineEnd;
  #plain;

  /**
   * @param {string} text
   * @param {Dialect} dialect
   * @param {string} lineEnd
   */
  constructor(text, dialect, lineEnd) {
    this.#text = text;
    this.#dialect = dialect;
    this.#lineEnd = lineEnd;
    // Runs of characters of a cell: ordinary ones, and escaped or stray ones that would otherwise end it.
    const delimiter = dialect.delimiter.replace(/[\\\]^-]/, "\\$&");
    const ordinary = `[^${delimiter}${lineEnd === "\r" ? "\r" : "\r\n"}${dialect.escaped ? "\\\\" : ""}]*`;
    const exceptions = [...(dialect.escaped ? ["\\\\[^]"] : []), ...(lineEnd === "\r" ? [] : ["\r(?!\n|$)"])];
    this.#plain = new RegExp(exceptions.length ? `${ordinary}(?:(?:${exceptions.join("|")})${ordinary})*` : ordinary, "y");
  }

  /**
   * @param {number} at
   * @param {number} line
   * @returns {Cut}
   */
  record(at, line) {
    const record = this.#cut(at);
    const more = count(this.#text.slice(at, record.end), this.#lineEnd);
    if (!record.fault || !more) return record;
    const last = line + more;
    const end = this.#endOfLine(at);
    return { cells: [], fault: `${UNCLOSED}, up to line ${last}; the lines after this one are read without it`, end };
  }

  /**
   * @param {number} at
   * @returns {Cut}
   */
  #cut(at) {
    /** @type {string[]} */
    const cells = [];
    let fault = "";
    for (let end = at; ; end += 1) {
      const cell = this.#text[end] === '"' ? this.#quoted(end + 1) : this.#unquoted(end);
      cells.push(cell.value);
      fault ||= cell.fault;
      end = cell.end;
      if (this.#text[end] !== this.#dialect.delimiter) return { cells, fault, end };
    }
  }

  /** @param {number} at */
  #unquoted(at) {
    this.#plain.lastIndex = at;
    const raw = this.#plain.exec(this.#text)?.[0] ?? "";
    return { value: this.#literal(raw), fault: "", end: at + raw.length };
  }

  /** @param {number} at behind the opening mark */
  #quoted(at) {
    const begin = at;
    for (;;) {
      const quote = this.#closing(at);
      if (quote < 0) return { value: this.#text.slice(begin), fault: UNCLOSED, end: this.#text.length };
      at = quote + 1;
      if (this.#text[at] !== '"') {
        const value = this.#literal(this.#text.slice(begin, quote)).replaceAll('""', '"');
        const rest = this.#unquoted(at);
        return { value: value + rest.value, fault: rest.value.trim() && "text follows a closing quotation mark", end: rest.end };
      }
      at += 1;
    }
  }

  /** @param {number} at */
  #closing(at) {
    if (!this.#dialect.escaped) return this.#text.indexOf('"', at);
    for (let i = at; i < this.#text.length; i += 1) {
      if (this.#text[i] === "\\") i += 1;
      else if (this.#text[i] === '"') return i;
    }
    return -1;
  }

  /** @param {string} raw */
  #literal(raw) {
    return this.#dialect.escaped ? raw.replace(/\\([^])/g, "$1") : raw;
  }

  /** @param {number} at */
  #endOfLine(at) {
    const end = this.#text.indexOf(this.#lineEnd, at);
    if (end < 0) return this.#text.length;
    return this.#text.startsWith("\r\n", end - 1) ? end - 1 : end;
  }
}
