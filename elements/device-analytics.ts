/** What a dashboard page loads: registers the package's custom elements. */
import { DaChart } from "./da-chart.ts";

if (!customElements.get("da-chart")) customElements.define("da-chart", DaChart);
