/** Which columns hold titles and abstracts, by the names that databases and reference managers use. */

// In lower case, words separated by one space; the same lists as in tables/known_columns.py, which a test compares.
/** @type {Record<string, string[]>} */
export const NAMES = {
  title: [
    "title", "article title", "document title", "paper title", "primary title", "item title", "work title",
    "ti", "t1", "display name", "dc title", "dcterms title", "title s", "en title s",
    "preprint title", "title display", "original title", "english title", "title english", "title en", "title eng",
    "main title", "articletitle", "documenttitle", "papertitle", "dc title en", "题目", "论文题目", "論文名",
    "titel", "titre", "título", "titolo", "название", "заглавие", "题名", "标题", "篇名", "論題", "タイトル", "제목",
    "title 题名", "tytuł", "název", "otsikko", "başlık",
  ],
  abstract: [
    "abstract", "abstract note", "abstract text", "abstracts", "ab", "n2", "notes abstract", "abstract display",
    "abstract inverted index", "summary", "dc description abstract", "dcterms abstract", "abstract s", "en abstract s",
    "preprint abstract", "english abstract", "abstract english", "abstract en", "abstract eng", "paper abstract",
    "article abstract", "abstracttext", "abstractnote", "abstract summary", "dc description abstract en",
    "dc description", "description abstract", "中文摘要", "英文摘要", "要約", "요약",
    "zusammenfassung", "kurzfassung", "résumé", "resumen", "resumo", "riassunto", "аннотация", "реферат",
    "摘要", "summary 摘要", "抄録", "要旨", "초록", "samenvatting", "sammanfattning", "streszczenie", "abstrakt",
    "tiivistelmä", "özet",
  ],
};

/**
 * A column's name in lower case with one space between words: "Article_Title" and "articleTitle" → "article title".
 * @param {string} name
 */
export function normalized(name) {
  return name.normalize("NFKC")
    .replace(/\p{Cf}/gu, "")
    .replace(/\[\w*\]\s*$/, "") // DSpace writes dc.title[en_US]
    .replace(/([a-z])(?=[A-Z])/g, "$1 ")
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim().toLowerCase();
}

/**
 * The index of the column that holds titles or abstracts, -1 if none does; "title" is preferred to rarer names.
 * @param {string[]} columns
 * @param {string} field "title" or "abstract"
 */
export function findColumn(columns, field) {
  const names = columns.map(normalized);
  const known = NAMES[field].find((name) => names.includes(name));
  return known === undefined ? -1 : names.indexOf(known);
}

/**
 * Whether these cells are column names: one of them is a known name.
 * @param {string[]} cells
 */
export function isHeader(cells) {
  return Object.keys(NAMES).some((field) => findColumn(cells, field) >= 0);
}

/**
 * Whether fields are below each other in the first column, a title's and an abstract's, and not side by side.
 * @param {string[]} columns
 * @param {string[]} row
 */
export function isTransposed(columns, row) {
  return [["title", "abstract"], ["abstract", "title"]].some(([one, other]) =>
    findColumn(columns.slice(0, 1), one) >= 0 && findColumn(row.slice(0, 1), other) >= 0
      && findColumn(columns, other) < 0);
}
