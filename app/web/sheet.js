/** A spreadsheet of papers: read from a CSV text, labelled batch by batch, written back. Knows the service's bodies, shows nothing. */

import { csv, delimiterOf, rows } from "./csv.js";
import { Problem } from "./service.js";

// Well below what the service takes in one body; JSON may double a text.
const MOST_CHARACTERS = 200_000;

/**
 * @typedef {object} Entry
 * @property {number} line of the file
 * @property {string[]} cells
 * @property {string} fault why there is no result, if so
 * @property {any} result of /classify/batch, once there
 */

export class Sheet {
  /** @type {any} that answered first */
  #model = null;

  /** @param {string} text of a CSV file; throws Problem if it has no rows */
  constructor(text) {
    const [head, ...body] = rows(text, delimiterOf(text));
    if (!head || !body.length) throw new Problem("The file needs a line of column names and at least one row below it.");
    /** @type {string[]} */
    this.columns = head.cells;
    /** @type {Entry[]} */
    this.entries = body.map(({ line, cells, fault }) =>
      ({ line, cells, fault: fault || misfit(cells.length, head.cells.length), result: null }));
  }

  /** The labels of the model that answered, in its order; none before the first answer. */
  get labels() {
    return Object.keys(this.entries.find(({ result }) => result)?.result.probabilities ?? {});
  }

  /**
   * Where a column of this name stands, -1 if nowhere.
   * @param {string} name
   */
  column(name) {
    return this.columns.findIndex((column) => column.trim().toLowerCase() === name);
  }

  /** How many rows have their result or their fault. */
  get done() {
    return this.entries.filter((entry) => entry.result || entry.fault).length;
  }

  /**
   * Label every row that has no result yet; throws Problem or the signal's AbortError, and can then go on.
   * @param {(papers: {title: string, abstract: string}[]) => Promise<any>} classify asks for one batch
   * @param {{title: number, abstract: number, most: number}} layout columns, and papers in a batch
   * @param {() => void} progressed
   */
  async label(classify, { title, abstract, most }, progressed) {
    const paper = (/** @type {Entry} */ { cells }) => ({ title: cells[title] ?? "", abstract: cells[abstract] ?? "" });
    for (const entry of this.entries) {
      const { title, abstract } = paper(entry);
      if (!(title + abstract).trim()) entry.fault ||= "neither a title nor an abstract";
    }
    const waiting = this.entries.filter((entry) => !entry.fault && !entry.result);
    const asked = async (/** @type {any} */ papers) => this.#ofOneModel(await classify(papers));
    while (waiting.length) {
      const batch = waiting.splice(0, roomFor(waiting.map(paper), most));
      await settle(batch, paper, asked);
      progressed();
    }
  }

  /** The file again with the labels added; rows without a result say why. */
  csv() {
    const labels = this.labels;
    const own = ["labels", "status", "model", "problem"];
    const scores = labels.map((label) => (own.includes(label) ? `${label} probability` : label));
    const added = ["labels", "status", ...scores, "model", "problem"].map((name) => this.#free(name));
    return csv([[...this.columns, ...added], ...this.entries.map((entry) => [...this.#cells(entry), ...additions(entry, labels)])]);
  }

  /**
   * The same answer; throws Problem if the service has changed its model since the first one.
   * @param {any} answer of /classify/batch
   */
  #ofOneModel(answer) {
    this.#model ??= answer.model;
    if (answer.model.sha256 === this.#model.sha256) return answer;
    throw new Problem(`The service changed its model from ${this.#model.version} to ${answer.model.version}; choose the file again to have all rows from the new one.`);
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
 */
function additions({ result, fault }, labels) {
  if (!result) return ["", "", ...labels.map(() => ""), "", fault || "not labelled"];
  const { name, version, sha256 } = result.model;
  const model = `${name} ${version} ${sha256.slice(0, 12)}`;
  return [result.labels.join("; "), result.status, ...labels.map((label) => String(result.probabilities[label])), model, ""];
}

/**
 * @param {number} cells
 * @param {number} expected
 */
function misfit(cells, expected) {
  return cells === expected ? "" : `${cells} cells, where the first line has ${expected}`;
}

/**
 * How many of these papers go into the next batch, at least one.
 * @param {{title: string, abstract: string}[]} papers
 * @param {number} most
 */
function roomFor(papers, most) {
  let characters = 0;
  const over = papers.slice(0, most).findIndex(({ title, abstract }) => (characters += title.length + abstract.length) > MOST_CHARACTERS);
  return over < 0 ? most : Math.max(1, over);
}

/**
 * Label one batch; one that is too large or takes too long is sent as two halves.
 * @param {Entry[]} batch
 * @param {(entry: Entry) => {title: string, abstract: string}} paper
 * @param {(papers: {title: string, abstract: string}[]) => Promise<any>} classify
 */
async function settle(batch, paper, classify) {
  try {
    const { results, model } = await classify(batch.map(paper));
    batch.forEach((entry, i) => {
      if (results[i].error) entry.fault = results[i].error.errors?.[0]?.detail ?? results[i].error.detail;
      else entry.result = { ...results[i], model };
    });
  } catch (error) {
    if (!(error instanceof Problem) || ![413, 504].includes(error.status)) throw error;
    if (batch.length === 1) {
      batch[0].fault = error.message;
      return;
    }
    const half = Math.ceil(batch.length / 2);
    await settle(batch.slice(0, half), paper, classify);
    await settle(batch.slice(half), paper, classify);
  }
}
