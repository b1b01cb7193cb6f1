/** Tries a real broker before the flows do, for they only say that a connection failed, not why. */
import { connect } from "mqtt";
import { StartError } from "./options.ts";

/** Longest time to wait for the broker's answer, ms. */
const TIMEOUT = 5000;

/** Codes with which a broker refuses user or password (MQTT 3.1.1, table 3.1). */
const REFUSALS = new Map([
  [4, "bad user name or password"],
  [5, "not authorised"],
]);

/**
 * Connects once. Gives undefined when that works, and the reason when the broker is not there, which may change. Throws
 * a StartError when it is there but will not have us, which only the user can change.
 */
export async function checkBroker(url: string, username: string, password: string): Promise<string | undefined> {
  const client = connect(url, { username, password, reconnectPeriod: 0, connectTimeout: TIMEOUT });
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      client.once("connect", () => resolve(undefined));
      client.once("close", () => resolve("it gives no answer"));
      client.on("error", (error: Error & { code?: number | string }) => {
        const refusal = REFUSALS.get(error.code as number);
        if (refusal) reject(new StartError(`${url} refuses the connection: ${refusal} (see MQTT_URL in --help)`));
        else if (isCertificateError(error))
          reject(new StartError(`${url} cannot be trusted: ${error.message} (see NODE_EXTRA_CA_CERTS in --help)`));
        else resolve(error.message.split("\n")[0] || String(error.code));
      });
    });
  } finally {
    client.end(true);
  }
}

const isCertificateError = ({ code }: { code?: number | string }) =>
  /CERT|UNABLE_TO_VERIFY|SELF_SIGNED/.test(String(code));
