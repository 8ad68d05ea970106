/** Labels as people read them. */

/**
 * "Machine Learning (cs.LG)" where the name is a code, otherwise the name.
 * @param {{name: string, title?: string}} label of the card
 */
export function labelText({ name, title }) {
  return title && title !== name ? `${title} (${name})` : name;
}
