import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface ServerCertificate {
  readonly ca: string;
  readonly caKey: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * A fresh CA and a server certificate signed by it for these alternative names, e.g. `IP:127.0.0.1`, valid for `days`
 * days; with -1 it has expired. The CA is self-signed, or signed by the CA of `parent`.
 */
export async function issueCertificate(
  names: string,
  days = 30,
  parent?: ServerCertificate,
): Promise<ServerCertificate> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-certificate-"));
  const file = (name: string): string => join(directory, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  try {
    const above: string[] = [];
    if (parent !== undefined) {
      await writeFile(file("root.pem"), parent.ca);
      await writeFile(file("root.key"), parent.caKey);
      above.push("-CA", file("root.pem"), "-CAkey", file("root.key"));
    }
    await run("openssl", [
      "req",
      "-x509",
      ...above,
      ...newKey,
      "-keyout",
      file("ca.key"),
      "-out",
      file("ca.pem"),
      "-subj",
      parent === undefined ? "/CN=Test CA" : "/CN=Test CA below another",
    ]);
    await run("openssl", [
      "req",
      ...newKey,
      "-keyout",
      file("key.pem"),
      "-out",
      file("request.pem"),
      "-subj",
      "/CN=imageio",
    ]);
    await writeFile(file("names"), `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
    const signer = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-days", String(days)];
    signer.push("-extfile", file("names"));
    await run("openssl", ["x509", "-req", "-in", file("request.pem"), ...signer, "-out", file("cert.pem")]);
    const [ca, caKey, cert, key] = await Promise.all(
      ["ca.pem", "ca.key", "cert.pem", "key.pem"].map((name) => readFile(file(name), "utf8")),
    );
    if (ca === undefined || caKey === undefined || cert === undefined || key === undefined) {
      throw new Error("openssl wrote nothing");
    }
    return { ca, caKey, cert, key };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
