/**
 * `<da-heatmap>`: how strongly each two of several fields go together.
 *
 * It takes Correlations, as the node historian-query gives them, through the property `data`, from any dashboard. What goes
 * up together is orange, what goes against each other blue; the number stands in each cell.
 */
import type { Correlations } from "../core/history/correlation.ts";
import ownStyle from "./da-heatmap.css";
import { h, ListElement, renew } from "./parts.ts";

export class DaHeatmap extends ListElement<Correlations, object> {
  #data: Correlations | undefined;

  constructor() {
    super(ownStyle, '<table aria-label="Correlations"><thead></thead><tbody></tbody></table><div class="empty"></div>');
  }

  /** What is shown. */
  get data(): Correlations | null | undefined {
    return this.#data;
  }

  set data(data: Correlations | null | undefined) {
    this.#data = data ?? undefined;
    this.redraw();
  }

  protected draw(): void {
    const { fields = [], matrix = [], counts = [] } = this.#data ?? {};
    this.find(".empty").textContent = fields.length > 1 ? "" : "Two metrics at least are to be compared";
    this.find(".empty").hidden = fields.length > 1;
    const shown = fields.length > 1 ? fields : [];
    const head = (name: string, scope: string) => h("th", { scope, title: name }, name);
    renew(this.find("thead"), [h("tr", {}, h("td"), ...shown.map((name) => head(name, "col")))]);
    const rows = shown.map((name, row) =>
      h("tr", {}, head(name, "row"), ...shown.map((_, column) => cellOf(matrix[row]?.[column], counts[row]?.[column]))),
    );
    renew(this.find("tbody"), rows);
  }
}

function cellOf(coefficient: number | null | undefined, count = 0): HTMLElement {
  if (typeof coefficient !== "number") return h("td", { title: `unknown from ${count} readings` }, "–");
  const colour = coefficient < 0 ? "86, 180, 233" : "230, 159, 0";
  return h(
    "td",
    {
      title: `from ${count.toLocaleString("en")} readings`,
      style: `background: rgba(${colour}, ${0.5 * Math.abs(coefficient)})`,
    },
    // Without the sign of what is rounded to zero.
    (Math.round(100 * coefficient) / 100 || 0).toFixed(2),
  );
}
