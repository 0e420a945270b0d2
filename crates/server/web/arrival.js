// Takes what a sign-in left in the address out of it, before anything else is loaded.

"use strict";

(() => {
  const once = /^#sign-in=([\w-]+)$/.exec(location.hash);
  /** @type {any} */ (globalThis).prominenceArrival = {
    answer: location.search,
    once: once ? once[1] : "",
  };
  if (location.search || once) {
    history.replaceState(null, "", location.pathname + (once ? "" : location.hash));
  }
})();
