/** The service this page came from: asks it, waits when it says wait, and tells problems in its own words. */

/** A refusal that waiting does not cure. */
export class Problem extends Error {
  /**
   * @param {string} detail
   * @param {number} [status] of HTTP, 0 if no answer came
   */
  constructor(detail, status = 0) {
    super(detail);
    this.status = status;
  }
}

const MOST_TRIES = 12;
const LONGEST_PAUSE_S = 60;

/**
 * @typedef {object} Asking
 * @property {AbortSignal} [signal] drops the question
 * @property {(seconds: number) => void} [waiting] told when the service is busy and asked again later
 */

export class Service {
  #key;

  /** @param {{headers: () => Record<string, string>, want: () => Promise<void>}} key */
  constructor(key) {
    this.#key = key;
  }

  /**
   * The JSON answer; throws Problem, or the signal's AbortError.
   * @param {string} path
   * @param {unknown} [body] sent as JSON; without one it is a GET
   * @param {Asking} [asking]
   * @returns {Promise<any>}
   */
  async ask(path, body, { signal, waiting } = {}) {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#send(path, body, signal);
      if (answer.ok) return answer.json();
      const pause = pauseOf(answer);
      if (answer.status === 401) await this.#key.want();
      else if (pause && tries < MOST_TRIES) {
        waiting?.(pause);
        await sleep(pause, signal);
      } else throw await problemOf(answer);
    }
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @param {AbortSignal} [signal]
   */
  async #send(path, body, signal) {
    const headers = { ...this.#key.headers(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
    const method = body === undefined ? "GET" : "POST";
    try {
      return await fetch(path, { method, headers, body: JSON.stringify(body), signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem("The service cannot be reached. Is it running, and are you connected?");
    }
  }
}

/**
 * Seconds to wait where waiting helps, else 0.
 * @param {Response} answer
 */
function pauseOf(answer) {
  if (answer.status !== 429 && answer.status !== 503) return 0;
  const asked = Number(answer.headers.get("Retry-After"));
  return Math.min(LONGEST_PAUSE_S, Math.max(1, asked || 1));
}

/** @param {Response} answer */
async function problemOf(answer) {
  const told = await answer.json().catch(() => ({}));
  return new Problem(told.detail ?? `The service answered ${answer.status}.`, answer.status);
}

/**
 * @param {number} seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
