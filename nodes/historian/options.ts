import { number, oneOf, secret, text } from "../lib/options.ts";

export const options = {
  name: text(""),
  engine: oneOf("embedded", ["embedded", "influxdb"]),
  file: text(""),
  url: text("http://127.0.0.1:8086"),
  database: text("device_analytics"),
  username: text(""),
  password: secret(),
  token: secret(),
  retentionDays: number(30, { min: 0, max: 36_500 }),
  archiveDays: number(365, { min: 0, max: 36_500 }),
};
