// Tables as RFC 4180 has them, with a comma, a tab or a semicolon between cells.

/** @typedef {{ head: string[], rows: string[][] }} Table */

const SEPARATORS = [",", "\t", ";"];

/**
 * The table that a text is: a head and at least one row, all of the same width of two cells or more.
 *
 * @param {string} text
 * @returns {Table | undefined}
 */
export function parseTable(text) {
  for (const separator of SEPARATORS) {
    const rows = text.includes(separator) ? parseRows(text, separator) : undefined;
    if (rows && rows.length > 1 && rows[0].length > 1 && rows.every((row) => row.length === rows[0].length)) {
      const [head, ...others] = rows;
      const isNamed = head.every((cell) => cell.trim() !== "" && Number.isNaN(Number(cell)));
      return isNamed ? { head, rows: others } : undefined;
    }
  }
  return undefined;
}

/**
 * The cells of a text, or nothing where its quotes are not those of a table.
 *
 * @param {string} text
 * @param {string} separator
 */
function parseRows(text, separator) {
  const cell = new RegExp(`(?:"((?:[^"]|"")*)"|([^"\\r\\n${separator}][^\\r\\n${separator}]*|))(${separator}|\\r?\\n|$)`, "y");
  /** @type {string[][]} */
  const rows = [[]];
  while (cell.lastIndex < text.length) {
    const found = cell.exec(text);
    if (!found) {
      return undefined;
    }
    const [, quoted, plain, end] = found;
    rows[rows.length - 1].push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== separator && cell.lastIndex < text.length) {
      rows.push([]);
    } else if (end === separator && cell.lastIndex === text.length) {
      rows[rows.length - 1].push("");
    }
  }
  return rows;
}

/**
 * Rows as a table of RFC 4180. Cells that begin with a sign that spreadsheets take for a formula get a quote before it.
 *
 * @param {(string | number)[][]} rows
 */
export function formatTable(rows) {
  return rows.map((row) => row.map(formatCell).join(",")).join("\r\n");
}

/** @param {string | number} cell */
function formatCell(cell) {
  if (typeof cell === "number") {
    return String(cell);
  }
  const isNumber = cell !== "" && Number.isFinite(Number(cell));
  const safe = /^[=+\-@\t\r]/.test(cell) && !isNumber ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
