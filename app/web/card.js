/** The model card as a page, from GET /model. */

import { element, part } from "./element.js";
import { labelText } from "./labels.js";
import { Key } from "./key.js";
import { Problem, Service } from "./service.js";

/** @param {number} value */
const three = (value) => value.toFixed(3);
/** @param {number} share */
const percent = (share) => `${(share * 100).toFixed(1)} %`;
/**
 * @param {unknown} value
 * @param {(value: number) => string} written
 */
const optional = (value, written) => (typeof value === "number" ? written(value) : undefined);
/** @param {number[]} interval */
const range = ([low, high]) => `${three(low)} to ${three(high)}`;

/**
 * @param {string} heading
 * @param {...(Node | string)} content
 */
function section(heading, ...content) {
  return element("section", {}, element("h2", {}, heading), ...content);
}

/** @param {[string, unknown][]} pairs */
function list(pairs) {
  const known = pairs.filter(([, value]) => value !== undefined && value !== null);
  return element("dl", {}, ...known.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, String(value))]));
}

/** @param {any[]} labels */
function subjects(labels) {
  const heads = ["Subject", "Threshold", "Precision", "Recall", "F1", "95 % interval", "Papers"];
  const cells = (/** @type {any} */ label) => [
    label.threshold.toFixed(2), label.precision?.toFixed(3), label.recall?.toFixed(3), label.f1?.toFixed(3),
    label.f1_interval && range(label.f1_interval), label.support?.toLocaleString("en"),
  ];
  return element("div", { className: "scroll", role: "region", ariaLabel: "Quality by subject", tabIndex: 0 },
    element("table", { className: "rows" },
      element("caption", { className: "said" }, "Threshold and quality of each subject on the validation papers"),
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...labels.map((label) => element("tr", {},
        element("th", { scope: "row" }, labelText(label)),
        ...cells(label).map((text) => element("td", { className: "number" }, text ?? "not measured")))))));
}

/** @param {any} scope */
function outOfScope(scope) {
  const kinds = Object.entries(scope.kinds).map(([kind, { caught }]) => [`– ${kind}`, percent(caught)]);
  return section("Out-of-scope texts", list([
    ["Papers of the field, marked wrongly", percent(scope.false_alarms)],
    ["Titles alone, marked wrongly", percent(scope.title_false_alarms)],
    ["Texts that are not papers, marked", percent(scope.caught.caught)],
    .../** @type {[string, unknown][]} */ (kinds),
    ["Papers of other fields, marked", scope.near_misses && percent(scope.near_misses.caught)],
  ]));
}

/** @param {any} quality */
function figures(quality) {
  if (!quality) return element("p", {}, "Not measured: no labelled papers were available.");
  return list([
    ["Validation papers", quality.papers.toLocaleString("en")],
    ["Micro-F1", `${three(quality.micro_f1)} (95 % interval ${range(quality.micro_f1_interval)})`],
    ["Micro-F1 with thresholds chosen on other papers", quality.micro_f1_held_out && three(quality.micro_f1_held_out)],
    ["Macro-F1", three(quality.macro_f1)],
    ["Mean average precision", three(quality.mean_average_precision)],
    ["Papers with exactly the right subjects", percent(quality.subset_accuracy)],
    ["Titles alone, micro-F1", quality.titles && three(quality.titles.micro_f1)],
    ["TF-IDF baseline, micro-F1", quality.baseline?.micro_f1 && three(quality.baseline.micro_f1)],
  ]);
}

/** @param {any} card */
function quality({ calibration, quality, quantization, scope, uncertain }) {
  return [
    section("Quality", figures(quality)),
    section("Calibration", list([
      ["Method", calibration.method],
      ["Calibration error, mean over subjects", quality?.calibration_error && three(quality.calibration_error)],
    ])),
    section("When a person should check", list([
      ["Distance from a threshold, in log-odds", `below ${uncertain.margin.toFixed(2)}`],
      ["Papers marked", optional(uncertain.share, percent)],
      ["Of those, with a wrong or missing subject", optional(uncertain.error_rate_uncertain, percent)],
      ["Of the others", optional(uncertain.error_rate_ok, percent)],
    ])),
    ...(scope ? [outOfScope(scope)] : []),
    section("Effect of quantization", list([
      ["Scheme", quantization.scheme],
      ["Micro-F1 before", optional(quantization.micro_f1_fp32, three)],
      ["Papers with other subjects than before", percent(quantization.flipped)],
      ["Largest change of a probability", three(quantization.largest_change)],
    ])),
  ];
}

/** @param {any} card */
function render(card) {
  const { config, ...provenance } = card.provenance;
  const limits = card.limits.length ? [section("Limits", element("ul", {}, ...card.limits.map((/** @type {string} */ limit) => element("li", {}, limit))))] : [];
  part("heading").textContent = `${card.name} ${card.version}`;
  part("card-note").textContent = `${card.labels.length} subjects, ${card.licence}, created ${card.created.slice(0, 10)}.`;
  part("card").replaceChildren(
    section("Subjects", subjects(card.labels)), ...quality(card), ...limits,
    section("Provenance",
      list([[provenance.imported ? "Imported model" : "Base encoder", card.base_encoder], ["Maximum number of word pieces", card.input.max_tokens], ["Seed", provenance.seed], ["sha256", card.sha256]]),
      element("details", {}, element("summary", {}, "Data, libraries and commit"), element("pre", { tabIndex: 0 }, JSON.stringify(provenance, null, 2))),
      element("details", {}, element("summary", {}, "The training run's configuration"), element("pre", { tabIndex: 0 }, config))));
}

try {
  render(await new Service(new Key()).ask("/model"));
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  part("card-note").textContent = error.message;
}
