// Makes elements of names, properties and children. Text becomes text nodes, so no text ever becomes markup.

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, any>} Properties */

const SVG = "http://www.w3.org/2000/svg";
const SVG_NAMES = new Set(["svg", "path", "circle", "line", "rect", "g", "title"]);

/** Attributes whose properties can't be set, or not to a text. */
const ATTRIBUTES = new Set(["list", "spellcheck"]);

/**
 * An element: `h("button.quiet", { onclick, disabled: true }, "Copy")`.
 *
 * Properties are set as properties where the element has them, listeners by their `on` names, and all others as
 * attributes; those that are `undefined`, `null` or `false` are left out.
 *
 * @param {string} name with classes behind dots
 * @param {...(Properties | Child | Child[])} rest
 * @returns {any}
 */
export function h(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const element = SVG_NAMES.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  if (classes.length > 0) {
    element.setAttribute("class", classes.join(" "));
  }
  for (const part of rest.flat()) {
    if (isProperties(part)) {
      assign(element, /** @type {Properties} */ (part));
    } else if (part !== null && part !== undefined && part !== false) {
      element.append(/** @type {any} */ (part));
    }
  }
  return element;
}

/** @param {unknown} part */
function isProperties(part) {
  return typeof part === "object" && part !== null && !(part instanceof Node);
}

/**
 * Sets properties and attributes of an element.
 *
 * @param {Element} element
 * @param {Properties} properties
 */
export function assign(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (name === "class") {
      for (const one of String(value || "").split(" ").filter(Boolean)) {
        element.classList.add(one);
      }
    } else if (value === undefined || value === null || value === false) {
      element.removeAttribute(name);
    } else if (name in element && element.namespaceURI !== SVG && !ATTRIBUTES.has(name)) {
      /** @type {any} */ (element)[name] = value;
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/**
 * Replaces all children of an element.
 *
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  const kept = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...kept.map((child) => (child instanceof Node ? child : String(child))));
}

/**
 * A button.
 *
 * @param {string} text
 * @param {(event: Event) => void} onclick
 * @param {Properties} [properties]
 * @returns {HTMLButtonElement}
 */
export function button(text, onclick, properties = {}) {
  return h("button", { type: "button", onclick, ...properties }, text);
}

/**
 * An icon of one path on a square of 16 units.
 *
 * @param {string} path
 */
export function icon(path) {
  return h("svg.icon", { viewBox: "0 0 16 16", "aria-hidden": "true" }, h("path", { d: path }));
}
