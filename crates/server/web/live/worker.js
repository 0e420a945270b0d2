// The shared worker: every tab of this browser connects to its hub.

import { Hub } from "./hub.js";

const hub = new Hub();

/** @type {any} */ (self).onconnect = (/** @type {MessageEvent} */ event) => hub.connect(event.ports[0]);
