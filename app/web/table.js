/** A sortable table of the labelled papers, of which a hundred are shown at a time. */

import { element } from "./element.js";

const STEP = 100;

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {(entry: any) => string | number} value shown, and sorted by
 * @property {boolean} [numeric]
 */

export class Table {
  #entries;
  #columns;
  #body = element("tbody");
  #head;
  #sorted = { column: 0, descending: false };
  #shown = STEP;

  /**
   * @param {any[]} entries
   * @param {Column[]} columns
   */
  constructor(entries, columns) {
    this.#entries = [...entries];
    this.#columns = columns;
    this.#head = element("tr", {}, ...columns.map((column, i) =>
      element("th", { scope: "col", className: column.numeric ? "number" : "" },
        element("button", { type: "button", onclick: () => this.#sort(i) }, column.name))));
    this.element = element("table", { className: "rows" },
      element("caption", { className: "said" }, "Labelled papers; the buttons in the header sort by their column"),
      element("thead", {}, this.#head), this.#body);
    this.#draw();
  }

  /** Whether some rows are not shown yet. */
  get more() {
    return this.#shown < this.#entries.length;
  }

  /** Show more rows. */
  grow() {
    this.#shown += STEP;
    this.#draw();
  }

  /** @param {number} column */
  #sort(column) {
    const descending = this.#sorted.column === column && !this.#sorted.descending;
    this.#sorted = { column, descending };
    const { value } = this.#columns[column];
    const sign = descending ? -1 : 1;
    this.#entries.sort((one, other) => sign * compare(value(one), value(other)));
    this.#draw();
  }

  #draw() {
    [...this.#head.children].forEach((cell, i) => {
      const { column, descending } = this.#sorted;
      if (i === column) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    this.#body.replaceChildren(...this.#entries.slice(0, this.#shown).map((entry) => this.#row(entry)));
  }

  /** @param {any} entry */
  #row(entry) {
    const cells = this.#columns.map(({ value, numeric }) => {
      const found = value(entry);
      const text = numeric && typeof found === "number" && !Number.isInteger(found) ? found.toFixed(2) : String(found);
      return element("td", { className: numeric ? "number" : "" }, text);
    });
    return element("tr", { className: entry.fault ? "bad" : "" }, ...cells);
  }
}

/**
 * @param {string | number} one
 * @param {string | number} other
 */
function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other));
}
