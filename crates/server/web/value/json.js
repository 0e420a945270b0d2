// JSON as it is written: the digits of numbers, the spelling of texts, members that occur twice. `JSON.parse` would
// change all of these.

/**
 * @typedef {{ type: "object" | "array", members: Member[] }} Container
 * @typedef {{ type: "string" | "number" | "word", text: string }} Scalar
 * @typedef {Container | Scalar} Node
 * @typedef {{ name?: string, value: Node }} Member a value, and in an object the source of its name
 */

const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/y;

/** @typedef {"value" | "first value" | "name" | "first name" | "colon" | "comma" | "end"} Expected */

/**
 * The tree of a text, or nothing where it is not JSON. It keeps its own stack, so that no nesting is too deep.
 *
 * @param {string} text
 * @returns {Node | undefined}
 */
export function parseJson(text) {
  return new Parser().parse(text);
}

class Parser {
  constructor() {
    /** @type {Container[]} */
    this.open = [];
    /** @type {Node | undefined} */
    this.root = undefined;
    /** @type {string | undefined} */
    this.name = undefined;
    /** @type {Expected} */
    this.expected = "value";
  }

  /** @param {string} text */
  parse(text) {
    let at = 0;
    while (at < text.length) {
      TOKEN.lastIndex = at;
      const token = TOKEN.exec(text);
      if (!token) {
        return /^[ \t\n\r]*$/.test(text.slice(at)) && this.expected === "end" ? this.root : undefined;
      }
      at = TOKEN.lastIndex;
      if (!this.take(token)) {
        return undefined;
      }
    }
    return this.expected === "end" ? this.root : undefined;
  }

  /**
   * Takes a token; false if it can't stand here.
   *
   * @param {RegExpExecArray} token
   */
  take([, sign, string, number, word]) {
    if (sign === "{" || sign === "[") {
      return this.begin(sign === "{" ? "object" : "array");
    }
    if (sign === "}" || sign === "]") {
      return this.end(sign === "}" ? "object" : "array");
    }
    if (sign !== undefined) {
      return this.separate(sign);
    }
    if (string !== undefined && this.expected.endsWith("name")) {
      this.name = string;
      this.expected = "colon";
      return true;
    }
    const type = string !== undefined ? "string" : number !== undefined ? "number" : "word";
    return this.add({ type, text: string ?? number ?? word });
  }

  /** @param {Container["type"]} type */
  begin(type) {
    /** @type {Container} */
    const container = { type, members: [] };
    if (!this.add(container)) {
      return false;
    }
    this.open.push(container);
    this.expected = type === "object" ? "first name" : "first value";
    return true;
  }

  /** @param {Container["type"]} type */
  end(type) {
    const container = this.open[this.open.length - 1];
    const first = type === "object" ? "first name" : "first value";
    if (container?.type !== type || (this.expected !== "comma" && this.expected !== first)) {
      return false;
    }
    this.open.pop();
    this.expected = this.open.length > 0 ? "comma" : "end";
    return true;
  }

  /** @param {string} sign */
  separate(sign) {
    if (sign === ":" && this.expected === "colon") {
      this.expected = "value";
      return true;
    }
    if (sign === "," && this.expected === "comma") {
      this.expected = this.open[this.open.length - 1].type === "object" ? "name" : "value";
      return true;
    }
    return false;
  }

  /** @param {Node} value */
  add(value) {
    if (!this.expected.endsWith("value")) {
      return false;
    }
    const container = this.open[this.open.length - 1];
    if (container) {
      container.members.push({ name: this.name, value });
      this.name = undefined;
    } else {
      this.root = value;
    }
    this.expected = container ? "comma" : "end";
    return true;
  }
}

/**
 * The text that a string of JSON stands for.
 *
 * @param {string} source
 * @returns {string}
 */
export function unquote(source) {
  return JSON.parse(source);
}
