/** The page: wires text fields, examples, links, evidence and the spreadsheet to the service. */

import { element, part } from "./element.js";
import { Evidence } from "./evidence.js";
import { EXAMPLES } from "./examples.js";
import { Finding } from "./finding.js";
import { Key } from "./key.js";
import { Latest } from "./latest.js";
import { fragment, paperOf } from "./link.js";
import { Problem, Service } from "./service.js";
import { Upload } from "./upload.js";

/** @typedef {{title: string, abstract: string}} Paper */

class Page {
  #service;
  /** @type {any} */
  #card;
  /** @type {any} */
  #finding;
  #evidence = new Evidence();
  #questions = new Latest((/** @type {Paper} */ paper, signal) => this.#classify(paper, signal));
  #reasons = new Latest((/** @type {Paper} */ paper, signal) => this.#explain(paper, signal), 0);

  /**
   * @param {Service} service
   * @param {any} card
   */
  constructor(service, card) {
    this.#service = service;
    new Upload(service);
    this.#adopt(card);
    for (const field of ["title", "abstract"]) part(field).oninput = () => this.#changed();
    part("paper").onsubmit = (/** @type {Event} */ event) => event.preventDefault();
    part("clear").onclick = () => { this.#write({ title: "", abstract: "" }); part("title").focus(); };
    part("link").onclick = () => this.#link();
    part("why").onclick = () => this.#reasons.ask(this.#paper);
    part("examples").replaceChildren(...EXAMPLES.map(({ name, ...paper }) =>
      element("button", { type: "button", onclick: () => this.#take(paper) }, name)));
    window.addEventListener("hashchange", () => this.#reopen());
    // What was typed while the card was on its way, or kept by the browser.
    this.#changed(0);
    this.#reopen();
  }

  /**
   * From now on this model answers: its labels, its thresholds.
   * @param {any} card
   */
  #adopt(card) {
    this.#card = card;
    this.#finding = new Finding(card);
    part("model").textContent = `${card.name} ${card.version} answers here, ${card.licence}.`;
  }

  /** @returns {Paper} */
  get #paper() {
    return { title: part("title").value, abstract: part("abstract").value };
  }

  /** @param {Paper} paper */
  #write({ title, abstract }) {
    part("title").value = title;
    part("abstract").value = abstract;
    this.#changed(0);
  }

  /**
   * An example; on a phone its result would be out of sight.
   * @param {Paper} paper
   */
  #take(paper) {
    this.#write(paper);
    part("finding").scrollIntoView({ block: "nearest" });
  }

  /** @param {number} [pause] */
  #changed(pause) {
    const { title, abstract } = this.#paper;
    this.#forget();
    if ((title + abstract).trim()) this.#questions.ask({ title, abstract }, pause);
    else {
      this.#questions.drop();
      this.#finding.clear();
    }
  }

  #forget() {
    this.#reasons.drop();
    this.#evidence.clear();
    part("why").hidden = true;
    part("why-note").textContent = part("link-note").textContent = "";
  }

  /**
   * @param {Paper} paper
   * @param {AbortSignal} signal
   */
  async #classify(paper, signal) {
    this.#finding.busy(true);
    const waiting = (/** @type {number} */ s) => this.#finding.tell(`The service is busy; asking again in ${s} s.`);
    try {
      const result = await this.#service.ask("/classify", paper, { signal, waiting });
      // The service may change its model while the page is open.
      if (result.model.sha256 !== this.#card.sha256) this.#adopt(await this.#service.ask("/model", undefined, { signal }));
      this.#finding.show(result);
      part("why").hidden = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.#finding.tell(error.message);
    }
  }

  /**
   * @param {Paper} paper
   * @param {AbortSignal} signal
   */
  async #explain(paper, signal) {
    const note = part("why-note");
    note.textContent = "Leaving out one sentence after the other.";
    const waiting = (/** @type {number} */ s) => { note.textContent = `Others are being explained; asking again in ${s} s.`; };
    try {
      this.#evidence.show(paper, await this.#service.ask("/explain", paper, { signal, waiting }));
      note.textContent = "";
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      note.textContent = error.message;
    }
  }

  async #link() {
    history.replaceState(null, "", fragment(this.#paper, this.#card.version));
    try {
      await navigator.clipboard.writeText(location.href);
      part("link-note").textContent = "Copied; it reopens this text and its result.";
    } catch {
      part("link-note").textContent = "The address of this page now reopens this text.";
    }
  }

  #reopen() {
    const given = paperOf(location.hash);
    if (!given) return;
    this.#write(given);
    const { version } = this.#card;
    if (given.version && given.version !== version) {
      part("link-note").textContent = `This link was made with version ${given.version}; ${version} answers now.`;
    }
  }
}

const service = new Service(new Key());
try {
  new Page(service, await service.ask("/model"));
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  part("decision").textContent = error.message;
}
