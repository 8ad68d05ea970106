/** The page: connects text fields, examples, links, evidence and the file of papers to the service. */

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
    // Text may have been typed while the card was loading, or restored by the browser.
    this.#changed(0);
    this.#reopen();
  }

  /**
   * Show the labels and thresholds of this model from now on.
   * @param {any} card
   */
  #adopt(card) {
    this.#card = card;
    this.#finding = new Finding(card);
    part("model").textContent = `The model is ${card.name} ${card.version}, licence ${card.licence}.`;
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
   * Take an example, and scroll to the result, which is below the fold on a phone.
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
    const waiting = (/** @type {number} */ s) => this.#finding.tell(`The service is busy; trying again in ${s} s.`);
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
    note.textContent = "Scoring the paper without each sentence.";
    const waiting = (/** @type {number} */ s) => { note.textContent = `The service is busy with other explanations; trying again in ${s} s.`; };
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
      part("link-note").textContent = "Copied. The link opens this page with the text.";
    } catch {
      part("link-note").textContent = "The address of this page is now the link.";
    }
  }

  #reopen() {
    const given = paperOf(location.hash);
    if (!given) return;
    this.#write(given);
    const { version } = this.#card;
    if (given.version && given.version !== version) {
      part("link-note").textContent = `This link was made with version ${given.version} of the model; the service has ${version}.`;
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
