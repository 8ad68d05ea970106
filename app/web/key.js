/** The API key: asked for only where the service refuses to answer without one, kept in this tab only. */

import { part } from "./element.js";

const SLOT = "api-key";

export class Key {
  /** @type {Promise<void> | null} */
  #wanted = null;

  /** @returns {Record<string, string>} headers to send along */
  headers() {
    const key = sessionStorage.getItem(SLOT);
    return key ? { Authorization: `Bearer ${key}` } : {};
  }

  /** Ask the person; however many requests wait, there is one question. Resolves once a key was given. */
  want() {
    this.#wanted ??= this.#ask().finally(() => { this.#wanted = null; });
    return this.#wanted;
  }

  /** @returns {Promise<void>} */
  #ask() {
    const form = part("key");
    const field = part("key-field");
    if (sessionStorage.getItem(SLOT)) part("key-note").textContent = "That key was not accepted.";
    form.hidden = false;
    field.focus();
    return new Promise((resolve) => {
      form.onsubmit = (/** @type {Event} */ event) => {
        event.preventDefault();
        sessionStorage.setItem(SLOT, field.value.trim());
        field.value = "";
        form.hidden = true;
        resolve();
      };
    });
  }
}
