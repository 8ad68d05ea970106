/** Requests to the service that this page came from; waits and repeats them while the service is busy. */

/** An error that waiting does not cure; the message is for people. */
export class Problem extends Error {
  /**
   * @param {string} detail
   * @param {number} [status] the HTTP status; 0 if there was no response
   */
  constructor(detail, status = 0) {
    super(detail);
    this.status = status;
  }
}

// This file is in web/, one level below the service's root, which may itself be below a path of a proxy.
const ROOT = new URL("..", import.meta.url);
const MOST_TRIES = 12;
const LONGEST_PAUSE_S = 60;
const BUSY = [429, 503];
// Statuses that say nothing of a paper: the same request may succeed a little later.
const TRANSIENT = [408, 429, 500, 502, 503, 504];

/**
 * Whether a request with this status may succeed later.
 * @param {number} status
 */
export function isTransient(status) {
  return TRANSIENT.includes(status);
}

/**
 * @typedef {object} Options
 * @property {AbortSignal} [signal] cancels the request
 * @property {(seconds: number) => void} [waiting] called before a pause, after which the request is repeated
 */

export class Service {
  #key;

  /** @param {{headers: () => Record<string, string>, request: () => Promise<void>}} key */
  constructor(key) {
    this.#key = key;
  }

  /**
   * The JSON of the response; throws Problem, or the signal's AbortError.
   * @param {string} path
   * @param {unknown} [body] sent as JSON; without one the method is GET
   * @param {Options} [options]
   * @returns {Promise<any>}
   */
  async ask(path, body, { signal, waiting } = {}) {
    for (let tries = 1; ; tries += 1) {
      const response = await this.#send(path, body, signal);
      if (response.ok) return documentOf(response, signal);
      const pause = pauseOf(response);
      if (response.status === 401) await this.#key.request();
      else if (pause && tries < MOST_TRIES) {
        waiting?.(pause);
        await sleep(pause, signal);
      } else throw await problemOf(response);
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
      return await fetch(new URL(path.replace(/^\//, ""), ROOT), { method, headers, body: JSON.stringify(body), signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem("The service cannot be reached. Is it running, and are you connected?");
    }
  }
}

/**
 * Seconds to wait where waiting helps, otherwise 0.
 * @param {Response} response
 */
function pauseOf(response) {
  if (!BUSY.includes(response.status)) return 0;
  const asked = Number(response.headers.get("Retry-After"));
  return Math.min(LONGEST_PAUSE_S, Math.max(1, asked || 1));
}

/**
 * @param {Response} response
 * @param {AbortSignal} [signal]
 */
async function documentOf(response, signal) {
  try {
    return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem("The answer is incomplete or is not JSON. Reload this page; a login page may have answered in place of the service.");
  }
}

/** @param {Response} response */
async function problemOf(response) {
  const document = await response.json().catch(() => ({}));
  return new Problem(document.detail ?? `The service answered with status ${response.status}.`, response.status);
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
