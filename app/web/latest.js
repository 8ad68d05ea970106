/** The latest question only: waits for a pause in the typing, and drops what is under way when a newer one comes. */

/** @template Question */
export class Latest {
  #answer;
  #pause;
  #controller = new AbortController();
  #timer = 0;

  /**
   * @param {(question: Question, signal: AbortSignal) => Promise<void>} answer handles its own errors
   * @param {number} [pause] milliseconds without a newer question before one is asked
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

  /** Forget the question, whether it waits or is under way. */
  drop() {
    window.clearTimeout(this.#timer);
    this.#controller.abort();
  }
}
