/** The section where a file of papers is chosen, labelled and downloaded. */

import { verdict } from "./doubt.js";
import { element, part } from "./element.js";
import { textOf } from "./file.js";
import { readTable } from "./formats.js";
import { Problem } from "./service.js";
import { Sheet } from "./sheet.js";
import { Table } from "./table.js";

// If the service's description states no limit; its default is larger.
const CAUTIOUS_BATCH = 16;
// More label columns than this are in the download only.
const MOST_LABEL_COLUMNS = 20;
const NONE = "-1";

export class Upload {
  #service;
  #name = "papers";
  /** @type {Sheet | null} */
  #sheet = null;
  /** @type {AbortController | null} */
  #running = null;

  /** @param {import("./service.js").Service} service */
  constructor(service) {
    this.#service = service;
    part("file").onchange = () => this.#open(part("file").files[0]);
    part("columns").onsubmit = (/** @type {Event} */ event) => { event.preventDefault(); this.#run(); };
    part("cancel").onclick = () => this.#running?.abort();
    part("download").onclick = () => this.#download();
    this.#acceptDrops();
    // A file may have been chosen before this script ran, on a slow line or before a reload.
    this.#open(part("file").files[0]);
  }

  #acceptDrops() {
    const drop = part("drop");
    drop.ondragover = (/** @type {DragEvent} */ event) => { event.preventDefault(); drop.classList.add("over"); };
    drop.ondragleave = () => drop.classList.remove("over");
    drop.ondrop = (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const file = event.dataTransfer?.files[0];
      if (file) this.#open(file);
    };
  }

  /** @param {File | undefined} file */
  async #open(file) {
    if (!file) return;
    this.#running?.abort();
    this.#sheet = null;
    for (const id of ["columns", "progress", "outcome"]) part(id).hidden = true;
    try {
      this.#sheet = new Sheet(readTable(await textOf(file)));
      this.#name = file.name.replace(/\.gz$/i, "").replace(/\.[^.]*$/, "");
      this.#offer(this.#sheet, file.name);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(error.message);
    }
  }

  /**
   * @param {Sheet} sheet
   * @param {string} file
   */
  #offer(sheet, file) {
    const names = sheet.columns.map((name, i) => name || `column ${i + 1}`);
    for (const field of ["title", "abstract"]) {
      const options = names.map((name, i) => element("option", { value: String(i) }, name));
      part(`${field}-column`).replaceChildren(element("option", { value: NONE }, "no column"), ...options);
      part(`${field}-column`).value = String(sheet.column(field));
    }
    part("file-note").textContent = `${sheet.entries.length.toLocaleString("en")} rows in ${file}.`;
    part("decimal").value = sheet.decimal;
    part("columns").hidden = false;
    say(missing(sheet));
    part("start").focus();
  }

  async #run() {
    const sheet = this.#sheet;
    if (!sheet) return;
    const layout = { title: Number(part("title-column").value), abstract: Number(part("abstract-column").value) };
    if (layout.title < 0 && layout.abstract < 0) return say("Choose at least one column.");
    const { signal } = (this.#running = new AbortController());
    part("columns").hidden = true;
    part("progress").hidden = false;
    say("");
    const options = { signal, waiting: (/** @type {number} */ s) => say(`The service is busy; continuing in ${s} s.`) };
    const classify = (/** @type {any} */ papers) => this.#service.ask("/classify/batch", { papers }, options);
    try {
      progress(sheet);
      await sheet.label(classify, { ...layout, most: await this.#mostPapers() }, () => progress(sheet));
      say(summary(sheet));
    } catch (error) {
      if (signal.aborted) say(`Stopped. ${summary(sheet)}`);
      else if (error instanceof Problem) say(`${error.message} ${summary(sheet)}`);
      else throw error;
    }
    if (this.#sheet === sheet) this.#present(sheet);
  }

  /** How many papers the service takes in a batch, as its own description says. */
  async #mostPapers() {
    const document = await this.#service.ask("/openapi.json");
    return document.components?.schemas?.BatchIn?.properties?.papers?.maxItems ?? CAUTIOUS_BATCH;
  }

  /** @param {Sheet} sheet */
  #present(sheet) {
    part("progress").hidden = true;
    part("columns").hidden = sheet.done === sheet.entries.length;
    const title = Math.max(0, Number(part("title-column").value));
    const scores = sheet.labels.length <= MOST_LABEL_COLUMNS ? sheet.labels : [];
    const table = new Table(sheet.entries, [
      { name: "Line", value: (entry) => entry.line, numeric: true },
      { name: "Title", value: (entry) => (entry.cells[title] ?? "").slice(0, 120) },
      { name: "Subjects", value: (entry) => (entry.result ? entry.result.labels.join(", ") || "none" : "") },
      { name: "Status", value: (entry) => (entry.result ? verdict(entry.result.status) || "ok" : entry.fault || "not labelled") },
      ...scores.map((label) => ({ name: label, value: (/** @type {any} */ entry) => entry.result?.probabilities[label] ?? "", numeric: true })),
    ]);
    part("rows").replaceChildren(table.element);
    part("more").hidden = !table.more;
    part("more").onclick = () => { table.grow(); part("more").hidden = !table.more; };
    part("outcome").hidden = false;
  }

  #download() {
    if (!this.#sheet) return;
    // The byte-order mark tells spreadsheets that the file is UTF-8.
    const blob = new Blob(["\ufeff", this.#sheet.csv(part("decimal").value)], { type: "text/csv;charset=utf-8" });
    const url = URL.createObjectURL(blob);
    element("a", { href: url, download: `${this.#name}-labelled.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

/** @param {string} sentence */
function say(sentence) {
  part("sheet-note").textContent = sentence;
}

/**
 * A warning if half of every paper would be ignored.
 * @param {Sheet} sheet
 */
function missing(sheet) {
  const unknown = ["title", "abstract"].filter((field) => sheet.column(field) < 0);
  if (!unknown.length) return "";
  if (unknown.length === 2) return "No column has a known name for titles or abstracts; choose the columns.";
  return `No column has a known name for ${unknown[0]}s; choose it if there is one.`;
}

/** @param {Sheet} sheet */
function progress(sheet) {
  part("bar").max = sheet.entries.length;
  part("bar").value = sheet.done;
  part("count").textContent = `${sheet.done.toLocaleString("en")} of ${sheet.entries.length.toLocaleString("en")}`;
}

/** @param {Sheet} sheet */
function summary(sheet) {
  const labelled = sheet.entries.filter((entry) => entry.result);
  const doubtful = labelled.filter((entry) => entry.result.status !== "ok").length;
  const check = doubtful ? `, ${doubtful} of them for a person to check` : "";
  const bad = sheet.entries.filter((entry) => entry.fault);
  const lines = bad.slice(0, 10).map((entry) => `line ${entry.line}: ${entry.fault}`).join("; ");
  const rest = bad.length > 10 ? `; and ${bad.length - 10} more` : "";
  return `${labelled.length} of ${sheet.entries.length} rows labelled${check}.${bad.length ? ` Left out: ${lines}${rest}.` : ""}`;
}
