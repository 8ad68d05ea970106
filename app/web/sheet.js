/** A table of papers: labelled batch by batch, and written as CSV. */

import { csv } from "./csv_writer.js";
import { findColumn } from "./known_columns.js";
import { isTransient, Problem } from "./service.js";

// Well below the service's limit for a body; as JSON a text may be twice as long.
const MOST_CHARACTERS = 200_000;
// A smaller batch may succeed: it arrives sooner, fits the limit, or is done before the deadline.
const SPLIT = [408, 413, 504];

/**
 * @typedef {object} Entry
 * @property {number} line of the file
 * @property {string[]} cells
 * @property {string} fault why there is no result, if so
 * @property {any} result of /classify/batch, once there
 */

/** @typedef {{title: string, abstract: string}} Paper */

export class Sheet {
  /** @type {any} the model that labelled the first row */
  #model = null;
  #delimiter;

  /** @param {import("./formats.js").Content} content throws Problem if there are no rows */
  constructor({ columns, rows, delimiter }) {
    if (!columns.length || !rows.length) throw new Problem("The file needs a line of column names and at least one row below it.");
    this.columns = columns;
    this.#delimiter = delimiter ?? ",";
    /** @type {Entry[]} */
    this.entries = rows.map((row) => ({ ...row, result: null }));
  }

  /** The labels of the model, in its order; none before the first result. */
  get labels() {
    return Object.keys(this.entries.find(({ result }) => result)?.result.probabilities ?? {});
  }

  /** The decimal mark that spreadsheets expect where cells are separated as in the file. */
  get decimal() {
    return this.#delimiter === ";" ? "," : ".";
  }

  /**
   * The index of the column with titles or abstracts, -1 if none has a known name.
   * @param {string} field "title" or "abstract"
   */
  column(field) {
    return findColumn(this.columns, field);
  }

  /** How many rows have a result or a fault. */
  get done() {
    return this.entries.filter((entry) => entry.result || entry.fault).length;
  }

  /**
   * Label every row that has no result yet; throws Problem or the signal's AbortError, after which it can be called again.
   * @param {(papers: Paper[]) => Promise<any>} classify requests one batch
   * @param {{title: number, abstract: number, most: number}} layout columns, and the service's limit for a batch
   * @param {() => void} progressed called after each batch
   */
  async label(classify, { title, abstract, most }, progressed) {
    const paper = (/** @type {Entry} */ { cells }) => ({ title: readable(cells[title]), abstract: readable(cells[abstract]) });
    for (const entry of this.entries) {
      const { title, abstract } = paper(entry);
      if (!(title + abstract).trim()) entry.fault ||= "neither a title nor an abstract";
    }
    const waiting = this.entries.filter((entry) => !entry.fault && !entry.result);
    const classifyByOneModel = async (/** @type {Paper[]} */ papers) => this.#checkModel(await classify(papers));
    while (waiting.length) {
      const batch = waiting.splice(0, batchSize(waiting.map(paper), most));
      await settle(batch, paper, classifyByOneModel);
      progressed();
    }
  }

  /**
   * The table with the labels added; rows without a result say why.
   * @param {string} decimal the decimal mark
   */
  csv(decimal) {
    const labels = this.labels;
    const own = ["labels", "status", "model", "problem"];
    const scores = labels.map((label) => (own.includes(label) ? `${label} probability` : label));
    const added = ["labels", "status", ...scores, "model", "problem"].map((name) => this.#free(name));
    const rows = this.entries.map((entry) => [...this.#cells(entry), ...additions(entry, labels, decimal)]);
    return csv([[...this.columns, ...added], ...rows], this.#delimiter);
  }

  /**
   * The same answer; throws Problem if the service has changed its model since the first one.
   * @param {any} answer of /classify/batch
   */
  #checkModel(answer) {
    this.#model ??= answer.model;
    if (answer.model.sha256 === this.#model.sha256) return answer;
    throw new Problem(`The service changed its model from ${this.#model.version} to ${answer.model.version}; choose the file again to have all rows labelled by the new one.`);
  }

  /** @param {Entry} entry */
  #cells({ cells }) {
    return Array.from(this.columns, (_, i) => cells[i] ?? "");
  }

  /** @param {string} name */
  #free(name) {
    return this.columns.includes(name) ? `predicted_${name}` : name;
  }
}

/**
 * @param {Entry} entry
 * @param {string[]} labels
 * @param {string} decimal
 */
function additions({ result, fault }, labels, decimal) {
  if (!result) return ["", "", ...labels.map(() => ""), "", fault || "not labelled"];
  const { name, version, sha256 } = result.model;
  const model = `${name} ${version} ${sha256.slice(0, 12)}`;
  const scores = labels.map((label) => String(result.probabilities[label]).replace(".", decimal));
  return [result.labels.join("; "), result.status, ...scores, model, ""];
}

/**
 * A cell as it is sent: the service refuses NUL characters and lone surrogates, which the model reads as spaces.
 * @param {string | undefined} cell
 */
function readable(cell) {
  return (cell ?? "").replace(/[\0\p{Cs}]/gu, " ");
}

/**
 * How many of these papers go into the next batch, at least one.
 * @param {Paper[]} papers
 * @param {number} most
 */
function batchSize(papers, most) {
  let characters = 0;
  const over = papers.slice(0, most).findIndex(({ title, abstract }) => (characters += title.length + abstract.length) > MOST_CHARACTERS);
  return over < 0 ? most : Math.max(1, over);
}

/**
 * Label one batch; one that is too large, arrives too slowly or takes too long is sent as two halves. Papers that the
 * service could not classify just now are sent once more, each for itself, and stay unlabelled if it cannot then.
 * @param {Entry[]} batch
 * @param {(entry: Entry) => Paper} paper
 * @param {(papers: Paper[]) => Promise<any>} classify
 */
async function settle(batch, paper, classify) {
  try {
    const { results, model } = await classify(batch.map(paper));
    for (const [i, entry] of batch.entries()) {
      const { error } = results[i];
      if (!error) entry.result = { ...results[i], model };
      else if (!isTransient(error.status)) entry.fault = error.errors?.[0]?.detail ?? error.detail;
      else if (batch.length > 1) await settle([entry], paper, classify);
    }
  } catch (error) {
    if (!(error instanceof Problem) || !SPLIT.includes(error.status)) throw error;
    if (batch.length === 1) {
      if (error.status !== 413) throw error;
      batch[0].fault = error.message;
      return;
    }
    const half = Math.ceil(batch.length / 2);
    await settle(batch.slice(0, half), paper, classify);
    await settle(batch.slice(half), paper, classify);
  }
}
