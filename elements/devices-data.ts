/** The messages of a list of devices. Those of the node fleet-status, live-series and health-score are of this form. */
import type { DeviceDetail, DeviceRow } from "../core/device-status.ts";
import type { ChartAppend, ChartData } from "./chart-data.ts";
import type { Role } from "./parts.ts";

/** What has become of devices. */
export interface DevicesNews {
  /** When it was sent, ms since 1970: ages are counted from it. */
  timestamp: number;
  /** True if `devices` are all that there are, in place of those before. */
  isWhole?: boolean;
  /** Those that have changed. */
  devices: DeviceRow[];
  /** The chosen one in full, if it has changed. */
  device?: DeviceDetail;
  /** A viewer is shown no buttons; without a role they are shown. */
  role?: Role;
}

/** The history of the chosen device: whole charts or what goes on with them, by their ids. */
export interface DeviceCharts {
  deviceId?: string;
  charts: { id: string; data: ChartData | ChartAppend }[];
}

/** The limits of the health score that are in force for a device; without one, those for all have changed. */
export interface DeviceLimits {
  deviceId?: string;
  limits: HealthLimit[];
  /** Who has just changed them. */
  by?: string;
}

export interface HealthLimit {
  flag: string;
  metric: string;
  comparison: string;
  limit: number;
  /** Points that it takes off. */
  penalty: number;
  /** It was set for just this device. */
  isSet: boolean;
  isSettable: boolean;
}

export type DevicesMessage = DevicesNews | DeviceCharts | DeviceLimits;

/** What somebody has chosen to see. It can be kept, and given back to another element. */
export interface DevicesChoice {
  deviceId?: string | undefined;
  status?: string;
  search?: string;
  /** `status`, `device`, `health`, `lastSeen`, `lastAnomaly`, `alarms`, or `metric ` and its name. */
  sort?: string;
  isReversed?: boolean;
}
