import { readFileSync } from "node:fs";

import { codeOf, EngineClient, fetchEngineCa, ImageioClient } from "@ovault/ovirt";
import s3 from "@ovault/destination-s3";
import { pluginOptions } from "@ovault/testkit/checks";

import { checkTlsHandshake } from "@ovault/ovirt/internal/diagnosis/check-tls-handshake";

/**
 * A process of its own, because the environment is what is tried: connects as CLIENT to PORT of this machine, trusting the
 * CA in FILE, or none where the client can do without, and prints what it came to.
 */
const [client = "", port = "", caFile] = process.argv.slice(2);
const { signal } = new AbortController();
const url = `https://127.0.0.1:${port}`;
const trust = { ca: caFile === undefined ? [] : [readFileSync(caFile, "utf8")] };

const connect: Readonly<Record<string, () => Promise<unknown>>> = {
  async engine() {
    const engine = new EngineClient({ url: `${url}/ovirt-engine`, user: "admin@internal", password: "secret", trust });
    try {
      return await engine.get("/vms", { signal });
    } finally {
      await engine.close();
    }
  },
  async init() {
    const { authenticated } = await fetchEngineCa({ url: `${url}/ovirt-engine`, signal, timeoutMs: 3_000 });
    if (!authenticated) throw new Error("not authenticated");
  },
  imageio: () =>
    ImageioClient.open({
      transferUrl: `${url}/images/ticket`,
      ...trust,
      logicalBytes: 0,
      inactivityTimeoutMs: 60_000,
      patienceMs: 0,
      signal,
    }),
  doctor: () => checkTlsHandshake({ host: "127.0.0.1", port: Number(port) }, trust, signal),
  async s3() {
    const ca = trust.ca[0] === undefined ? {} : { ca: { pem: trust.ca[0] } };
    const credentials = { accessKeyId: { env: "S3_KEY" }, secretAccessKey: { env: "S3_KEY" } };
    const options = { bucket: "backups", endpoint: url, region: "us-east-1", credentials, ...ca };
    const host = { baseDirectory: ".", signal, secret: async () => "secret" };
    return await s3.create(await pluginOptions(s3, options), host);
  },
};

try {
  await connect[client]?.();
  process.stdout.write("connected");
} catch (error) {
  process.stdout.write(`failed: ${String(codeOf(error))} ${error instanceof Error ? error.message : ""}`);
}
process.exit(0);
