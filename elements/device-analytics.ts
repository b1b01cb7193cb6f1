/** What a dashboard page loads: registers the package's custom elements. */
import { DaAlarms } from "./da-alarms.ts";
import { DaAnalytics } from "./da-analytics.ts";
import { DaChart } from "./da-chart.ts";
import { DaDevices } from "./da-devices.ts";
import { DaHeatmap } from "./da-heatmap.ts";
import { DaHistogram } from "./da-histogram.ts";
import { DaTheme } from "./da-theme.ts";
import { DaTrends } from "./da-trends.ts";
import { DaWindows } from "./da-windows.ts";

const ELEMENTS = {
  "da-chart": DaChart,
  "da-devices": DaDevices,
  "da-alarms": DaAlarms,
  "da-trends": DaTrends,
  "da-windows": DaWindows,
  "da-histogram": DaHistogram,
  "da-heatmap": DaHeatmap,
  "da-analytics": DaAnalytics,
  "da-theme": DaTheme,
};

for (const [name, element] of Object.entries(ELEMENTS)) {
  if (!customElements.get(name)) customElements.define(name, element);
}
