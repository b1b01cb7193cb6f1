/** What a dashboard page loads: registers the package's custom elements. */
import { DaAlarms } from "./da-alarms.ts";
import { DaChart } from "./da-chart.ts";
import { DaDevices } from "./da-devices.ts";

const ELEMENTS = { "da-chart": DaChart, "da-devices": DaDevices, "da-alarms": DaAlarms };

for (const [name, element] of Object.entries(ELEMENTS)) {
  if (!customElements.get(name)) customElements.define(name, element);
}
