/** The API key: requested from the user when the service answers 401, and kept in this tab only. */

import { part } from "./element.js";

const SLOT = "api-key";

export class Key {
  /** @type {Promise<void> | null} */
  #requested = null;

  /** @returns {Record<string, string>} headers for a request */
  headers() {
    const key = sessionStorage.getItem(SLOT);
    return key ? { Authorization: `Bearer ${key}` } : {};
  }

  /** Show the form, once however many requests wait for it; resolves when a key was entered. */
  request() {
    this.#requested ??= this.#ask().finally(() => { this.#requested = null; });
    return this.#requested;
  }

  /** @returns {Promise<void>} */
  #ask() {
    const form = part("key");
    const field = part("key-field");
    if (sessionStorage.getItem(SLOT)) part("key-note").textContent = "The service did not accept that key.";
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
