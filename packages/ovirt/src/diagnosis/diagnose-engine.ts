import { Checklist, finding, type ManagerDiagnosis } from "@ovault/contract";

import { certificateFacts, certificateName } from "../engine/ca.ts";
import { readCertificates } from "../engine/tls.ts";
import { checkTlsHandshake } from "./check-tls-handshake.ts";
import type { EngineAccess } from "../api/engine-access.ts";
import { NO_TRANSFERS } from "./prove-data-path.ts";

/** Where imageio listens on every host, and its proxy on the engine. */
const IMAGEIO_PORT = 54322;
const PROXY_PORT = 54323;
const HTTPS_PORT = 443;

/** Checks address, CA, login and data ports. Read-only. */
export async function diagnoseEngine(engine: EngineAccess, signal: AbortSignal): Promise<ManagerDiagnosis> {
  const list = new Checklist(signal);
  const usable = await checkLogin(engine, list, signal);
  if (usable) await checkDataPorts(engine, list, signal);
  return { checks: list.checks, usable };
}

/** Address, CA and login. False when further checks are useless. */
async function checkLogin(engine: EngineAccess, list: Checklist, signal: AbortSignal): Promise<boolean> {
  const { trust } = engine.client;
  if (trust.ca.length > 1) await nameTrusted(engine, list);
  const { hostname, port } = new URL(engine.client.address.origin);
  const address = { host: hostname, port: Number(port || HTTPS_PORT) };
  const reached = await list.run("connection and certificate", async () => {
    await checkTlsHandshake(address, trust, signal);
    return finding.ok(`${address.host}:${address.port}`);
  });
  if (!reached) return false;
  return await list.run("login", async () => {
    const { product } = await engine.capabilities(signal);
    return finding.ok(`${product.name} ${product.version.full}`);
  });
}

/** Each of several certificates may vouch for the engine and its hosts, so the report lists all. */
async function nameTrusted({ client }: EngineAccess, list: Checklist): Promise<void> {
  await list.run("trusted certificates", async () => {
    const certificates = client.trust.ca.flatMap((pem) => readCertificates(pem)).map(certificateFacts);
    return finding.ok(certificates.map(certificateName).join("; "));
  });
}

/**
 * The data ports. A machine that reaches only the proxy still works, more slowly, so no single failure is fatal: the
 * transfer that follows decides.
 */
async function checkDataPorts(engine: EngineAccess, list: Checklist, signal: AbortSignal): Promise<void> {
  const { trust, address } = engine.client;
  if (!(await engine.capabilities(signal)).imageTransfers) {
    await list.run("data ports", async () => finding.skip(NO_TRANSFERS));
    return;
  }
  const { hostname, port } = new URL(address.origin);
  if (port !== "") {
    // Behind a forwarded port, or in a lab, the data ports are not at their usual places either.
    await list.run("data ports", async () => finding.skip(`the engine is at port ${port}, not at 443`));
    return;
  }
  const hosts = await engine.api.infrastructure.hosts(signal);
  const places = hosts.flatMap(({ name, address: host, status }) =>
    host === undefined || status !== "up" ? [] : [{ name: `host ${name}`, host, port: IMAGEIO_PORT }],
  );
  for (const place of [...places, { name: "proxy", host: hostname, port: PROXY_PORT }]) {
    await list.run(`imageio on ${place.name}`, async () => {
      try {
        // The fingerprint pins the engine's CA, which signs the hosts too; its web certificate may have another one.
        await checkTlsHandshake(place, { ca: trust.ca }, signal);
        return finding.ok(`${place.host}:${place.port}`);
      } catch (error) {
        signal.throwIfAborted();
        return finding.warn(
          error instanceof Error ? error.message : String(error),
          "Data may go another way; see the transfer below.",
        );
      }
    });
  }
}
