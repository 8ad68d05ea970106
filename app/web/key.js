/** The API key: requested from the user when the service answers 401, and kept in this tab only. */

import { part } from "./element.js";

const SLOT = "api-key";
// Browsers throw for other characters in a header. They come along when a key is copied from formatted text.
const UNSENDABLE = /[^ -\xff]/;

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
        const key = field.value.trim();
        if (UNSENDABLE.test(key)) {
          part("key-note").textContent = "This holds a character that no key has, perhaps an invisible one. Copy the key from its source again.";
          return;
        }
        sessionStorage.setItem(SLOT, key);
        field.value = "";
        form.hidden = true;
        resolve();
      };
    });
  }
}
