/** Certificates for servers of tests. */
import { execFileSync } from "node:child_process";

/** Makes an authority in `ca.pem`, and a certificate of it for `localhost` in `server.pem` with `server.key`. */
export function makeCertificates(folder: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority");
  const server = ["-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=localhost"];
  const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:localhost"];
  openssl("req", "-x509", ...key, ...server, ...authority);
}
