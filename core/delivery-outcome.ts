/** What came of an attempt to deliver a message, read from the message that tells it. */

/** `failed` is worth another try, `refused` is not. */
export type Outcome =
  | { result: "delivered" }
  | { result: "failed"; reason: string; retryAfterSeconds?: number }
  | { result: "refused"; reason: string };

/** The properties that tell the outcome: a Catch node's `error`, or `statusCode` and `headers` of an HTTP answer. */
export interface OutcomeMessage {
  error?: unknown;
  statusCode?: unknown;
  headers?: unknown;
  [property: string]: unknown;
}

/** Statuses below 500 that ask for another try: request timeout, too early, too many requests (RFC 9110, 8470, 6585). */
const TRY_AGAIN = new Set([408, 425, 429]);

/**
 * Reads an outcome. An error is a failure. A status of 200 to 299 is a delivery; 408, 425, 429, 500 and above, and
 * text in its place such as `ECONNREFUSED`, is a failure; any other status is a refusal. Neither of them is a delivery.
 *
 * @param now ms since 1970, against which a `Retry-After` that is a date counts
 */
export function outcomeOf({ error, statusCode, headers }: OutcomeMessage, now: number): Outcome {
  if (error !== undefined && error !== null) return { result: "failed", reason: messageOf(error) };
  if (statusCode === undefined || statusCode === null) return { result: "delivered" };
  const status = Number(statusCode);
  if (!Number.isInteger(status)) return { result: "failed", reason: String(statusCode) };
  if (status >= 200 && status < 300) return { result: "delivered" };
  const reason = `answered with status ${status}`;
  if (status < 500 && !TRY_AGAIN.has(status)) return { result: "refused", reason };
  const retryAfterSeconds = retryAfter(headers, now);
  return { result: "failed", reason, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) };
}

function messageOf(error: unknown): string {
  const isObject = typeof error === "object" && error !== null;
  return String(isObject && "message" in error ? error.message : error);
}

/** Seconds until the time of a `Retry-After` header, which holds seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(headers: unknown, now: number): number | undefined {
  const value = typeof headers === "object" && headers !== null && "retry-after" in headers && headers["retry-after"];
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const seconds = /^\s*\d+\s*$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
