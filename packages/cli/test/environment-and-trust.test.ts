import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { createServer as createPlainServer, type Server as PlainServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

const run = promisify(execFile);
const CHILD = join(import.meta.dirname, "support/connect.ts");
const CLIENTS = ["engine", "init", "imageio", "doctor", "s3"] as const;

let directory: string;
let impostor: Server;
let proxy: PlainServer;
let requests: string[] = [];
let proxied = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-trust-"));
  for (const name of ["impostor", "other"]) await makeCertificate(name);
  const [cert, key] = await Promise.all(
    ["impostor.pem", "impostor.key"].map((name) => readFile(join(directory, name))),
  );
  const answer = { cert: cert ?? "", key: key ?? "" };
  impostor = createServer(answer, (request, response) => {
    requests.push(request.url ?? "");
    response.writeHead(403).end(request.url?.includes("pki-resource") === true ? cert : "");
  }).listen(0, "127.0.0.1");
  proxy = createPlainServer((socket) => {
    proxied += 1;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await Promise.all([impostor, proxy].map((server) => new Promise((resolve) => server.once("listening", resolve))));
});
afterAll(async () => {
  impostor.closeAllConnections();
  impostor.close();
  proxy.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  requests = [];
  proxied = 0;
});

async function makeCertificate(name: string): Promise<void> {
  const [cert, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key];
  await run("openssl", ["req", "-x509", ...newKey, "-out", cert, ...names]);
}

const portOf = (server: Server | PlainServer): number => (server.address() as AddressInfo).port;

async function connect(
  client: (typeof CLIENTS)[number],
  { env = {}, ca }: { env?: NodeJS.ProcessEnv; ca?: string },
): Promise<string> {
  const args = [CHILD, client, String(portOf(impostor)), ...(ca === undefined ? [] : [join(directory, ca)])];
  const { PATH } = process.env;
  return (await run(process.execPath, args, { env: { PATH, ...env } })).stdout;
}

/** What connects with no CA of its own would take the public ones. */
const trusting = (client: (typeof CLIENTS)[number]) =>
  client === "init" || client === "s3" ? {} : { ca: "other.pem" };

describe.each(CLIENTS)("%s", { timeout: 240_000 }, (client) => {
  test("refuses an impostor though NODE_TLS_REJECT_UNAUTHORIZED is 0, and sends it nothing", async () => {
    const outcome = await connect(client, { env: { NODE_TLS_REJECT_UNAUTHORIZED: "0" }, ...trusting(client) });
    expect(outcome).toMatch(
      client === "init" ? /^failed: .* where it would hand out its CA/ : /^failed: .*certificate/,
    );
    expect(requests).toEqual([]);
  });
});

describe.each(CLIENTS.filter((client) => client !== "init"))(
  "%s with a CA of its own",
  { timeout: 240_000 },
  (client) => {
    test("takes no authority from the environment", async () => {
      const file = join(directory, "impostor.pem");
      const env = { NODE_EXTRA_CA_CERTS: file, SSL_CERT_FILE: file, NODE_OPTIONS: "--use-openssl-ca" };
      expect(await connect(client, { env, ca: "other.pem" })).toMatch(/^failed: .*certificate/);
      expect(requests).toEqual([]);
    });

    test("connects to what its CA vouches for, past the proxies of the environment", async () => {
      const to = `http://127.0.0.1:${portOf(proxy)}`;
      const env = { NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: to, https_proxy: to, HTTP_PROXY: to, ALL_PROXY: to };
      await connect(client, { env, ca: "impostor.pem" });
      expect(proxied).toBe(0);
      expect(client === "doctor" || requests.length > 0).toBe(true);
    });
  },
);

test("what hands out the engine's CA is proved by public authorities alone", async () => {
  const file = join(directory, "impostor.pem");
  expect(await connect("init", { env: { NODE_EXTRA_CA_CERTS: file } })).toMatch(/would hand out its CA/);
  expect(requests).toEqual([]);
});

test("a bucket without a CA of its own takes NODE_EXTRA_CA_CERTS, as the machine's administrator set it", async () => {
  await connect("s3", { env: { NODE_EXTRA_CA_CERTS: join(directory, "impostor.pem") } });
  expect(requests.length).toBeGreaterThan(0);
});
