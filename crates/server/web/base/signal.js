// Values that tell who reads them when they change.

/** @type {Effect | null} */
let reading = null;
/** @type {Set<Effect>} */
const due = new Set();
let isScheduled = false;

/** A function that runs again when a signal that it has read has changed. */
class Effect {
  /** @param {() => void} run */
  constructor(run) {
    this.run = run;
    /** @type {Set<Set<Effect>>} */
    this.sources = new Set();
  }

  start() {
    this.stop();
    const outer = reading;
    reading = this;
    try {
      this.run();
    } finally {
      reading = outer;
    }
  }

  stop() {
    for (const source of this.sources) {
      source.delete(this);
    }
    this.sources.clear();
    due.delete(this);
  }
}

/**
 * A value. `get` notes the effect that reads it; `set` runs the effects that have read it, together, before the next
 * task.
 *
 * @template T
 * @param {T} initial
 */
export function signal(initial) {
  let value = initial;
  /** @type {Set<Effect>} */
  const readers = new Set();
  return {
    get() {
      if (reading) {
        readers.add(reading);
        reading.sources.add(readers);
      }
      return value;
    },
    peek: () => value,
    /** @param {T} next */
    set(next) {
      if (Object.is(next, value)) {
        return;
      }
      value = next;
      readers.forEach((effect) => due.add(effect));
      if (!isScheduled && due.size > 0) {
        isScheduled = true;
        queueMicrotask(flush);
      }
    },
  };
}

/**
 * Runs a function now and whenever a signal that it read has changed; answers a function that ends this.
 *
 * @param {() => void} run
 * @returns {() => void}
 */
export function effect(run) {
  const made = new Effect(run);
  made.start();
  return () => made.stop();
}

/** Runs the effects that are due. */
export function flush() {
  isScheduled = false;
  const now = [...due];
  due.clear();
  now.forEach((one) => one.start());
}
