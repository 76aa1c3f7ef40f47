import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { run } from "@ovault/test-support/commands";

/** A CA and a server certificate for localhost and 127.0.0.1, named as QEMU's tls-creds-x509 wants them. */
export async function makeCertificates(directory: string): Promise<{ ca: Buffer; cert: Buffer; key: Buffer }> {
  const at = (name: string): string => join(directory, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await run("openssl", ["req", "-x509", ...newKey, "-keyout", at("ca-key.pem"), "-out", at("ca-cert.pem"),
    "-subj", "/CN=test CA", "-days", "2", "-addext", "keyUsage=critical,keyCertSign"]); // prettier-ignore
  await run("openssl", ["req", ...newKey, "-keyout", at("server-key.pem"), "-out", at("server.csr"),
    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]); // prettier-ignore
  await run("openssl", ["x509", "-req", "-in", at("server.csr"), "-CA", at("ca-cert.pem"), "-CAkey", at("ca-key.pem"),
    "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", at("server-cert.pem")]); // prettier-ignore
  const [ca, cert, key] = await Promise.all(
    ["ca-cert.pem", "server-cert.pem", "server-key.pem"].map((name) => readFile(at(name))),
  );
  if (ca === undefined || cert === undefined || key === undefined) throw new Error("openssl wrote nothing");
  return { ca, cert, key };
}
