/** The text of a file: decompressed, decoded by its own marks, and refused in one sentence if it is not text. */

import { Problem } from "./service.js";

const COMMAND_LINE = "the command line reads it: papers classify FILE";
/** @type {[string, string][]} the first bytes of a file, as Latin-1, and what it is */
const SIGNATURES = [
  ["\xd0\xcf\x11\xe0", "is an Excel workbook of the old kind (.xls), which a page cannot read; save it as CSV"],
  ["PAR1", `is a parquet file, which a page cannot read; ${COMMAND_LINE}`],
  ["ARROW1", "is an Arrow file, which a page cannot read; write it as CSV"],
  ["%PDF-", "is a PDF; choose the table that its papers are listed in"],
  ["BZh", "is compressed with bzip2; decompress it first"],
  ["\xfd7zXZ", "is compressed with xz; decompress it first"],
  ["\x28\xb5\x2f\xfd", "is compressed with zstd; decompress it first"],
  ["7z\xbc\xaf", "is a 7z archive; extract the table from it"],
  ["Rar!", "is a RAR archive; extract the table from it"],
  ["SQLite format 3", "is a SQLite database; export the table from it"],
  ["{\\rtf", "is an RTF document; save the table as CSV"],
  ["\x89PNG", "is a picture; choose the table that the papers are listed in"],
  ["\xff\xd8\xff", "is a picture; choose the table that the papers are listed in"],
];
const OFFICE = ["[Content_Types].xml", "_rels/", "xl/", "docProps/"];
/** @type {[string, string][]} */
const MARKS = [["\xef\xbb\xbf", "utf-8"], ["\xff\xfe", "utf-16le"], ["\xfe\xff", "utf-16be"]];
// What a browser can hold as text and as a table without being stopped.
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * @param {File} file
 * @returns {Promise<string>} throws Problem for what is not text
 */
export async function textOf(file) {
  const bytes = await decompressed(file);
  const start = latin1(bytes.subarray(0, 4096));
  const foreign = foreignContent(start);
  if (foreign) throw new Problem(`${file.name} ${foreign}.`);
  return decoded(bytes, start);
}

/** @param {File} file */
async function decompressed(file) {
  if (file.size > MOST_BYTES) throw new Problem(`${file.name} is too large for a page; ${COMMAND_LINE}.`);
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (start[0] !== 0x1f || start[1] !== 0x8b) return new Uint8Array(await file.arrayBuffer());
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  let size = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      // A small compressed file may expand to gigabytes.
      if ((size += part.value.length) > MOST_BYTES) throw new Problem(`${file.name} is too large for a page; ${COMMAND_LINE}.`);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error instanceof Problem ? error : new Problem(`${file.name} is damaged: it cannot be decompressed.`);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** @param {string} start */
function foreignContent(start) {
  if (start.startsWith("PK\x03\x04")) return zipContent(start);
  const found = SIGNATURES.find(([signature]) => start.startsWith(signature));
  if (found) return found[1];
  const text = start.replace(/^(?:\xef\xbb\xbf|\s)+/, "").toLowerCase();
  if (/^<(?:!doctype html|html|table)/.test(text)) return "is a web page; save the table as CSV";
  if (/^<(?:\?xml|rdf|modscollection)/.test(text)) return "is XML; export the papers as CSV, RIS or BibTeX";
  return "";
}

/** @param {string} start */
function zipContent(start) {
  if (OFFICE.some((name) => start.includes(name))) {
    return `is an Excel workbook, which a page cannot read; save it as CSV, or ${COMMAND_LINE}`;
  }
  if (start.includes("mimetypeapplication/vnd.oasis")) return "is an OpenDocument spreadsheet, which a page cannot read; save it as CSV";
  return "is a zip archive; extract the table from it";
}

/**
 * UTF-8 or UTF-16, with or without their marks; otherwise what old spreadsheets write.
 * @param {Uint8Array} bytes
 * @param {string} start
 */
function decoded(bytes, start) {
  const encoding = MARKS.find(([mark]) => start.startsWith(mark))?.[1] ?? utf16WithoutMark(start) ?? "utf-8";
  try {
    // A second mark, which some programs leave when they join files, is not skipped by the decoder.
    return new TextDecoder(encoding, { fatal: true }).decode(bytes).replace(/^\ufeff+/, "");
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/**
 * Column names are mostly ASCII, of which UTF-16 makes every second byte a NUL.
 * @param {string} start
 */
function utf16WithoutMark(start) {
  const head = [...start.slice(0, 512)];
  const even = head.filter((byte, i) => byte === "\0" && i % 2 === 0).length;
  const odd = head.filter((byte, i) => byte === "\0" && i % 2 === 1).length;
  if (!head.length || Math.max(even, odd) * 4 < head.length) return undefined;
  return odd > even ? "utf-16le" : "utf-16be";
}

/** @param {Uint8Array} bytes */
function latin1(bytes) {
  return String.fromCharCode(...bytes);
}
