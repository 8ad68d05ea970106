/** Debounced requests: each waits for a pause in typing, and a newer one cancels it. */

/** @template Question */
export class Latest {
  #answer;
  #pause;
  #controller = new AbortController();
  #timer = 0;

  /**
   * @param {(question: Question, signal: AbortSignal) => Promise<void>} answer handles its errors itself
   * @param {number} [pause] milliseconds to wait for a newer question
   */
  constructor(answer, pause = 400) {
    this.#answer = answer;
    this.#pause = pause;
  }

  /**
   * @param {Question} question
   * @param {number} [pause]
   */
  ask(question, pause = this.#pause) {
    this.drop();
    const { signal } = (this.#controller = new AbortController());
    this.#timer = window.setTimeout(() => this.#answer(question, signal), pause);
  }

  /** Cancel the question, whether it waits or is being answered. */
  drop() {
    window.clearTimeout(this.#timer);
    this.#controller.abort();
  }
}
