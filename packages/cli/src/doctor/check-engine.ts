import { plural } from "@ovault/contract";
import { certificateFacts, readCertificates, type OvirtManager } from "@ovault/ovirt";

import { ok, skip, warn, type Checklist } from "./checklist.ts";
import { certificateName } from "../trusted-ca.ts";
import { checkTlsHandshake } from "./tls-handshake.ts";

/** Where imageio listens on every host, and its proxy on the engine. */
const IMAGEIO_PORT = 54322;
const PROXY_PORT = 54323;
const HTTPS_PORT = 443;

/** Address, CA and login. False when there is no use in going on. */
export async function checkEngine(manager: OvirtManager, list: Checklist, signal: AbortSignal): Promise<boolean> {
  const { trust } = manager.client;
  if (trust.ca.length > 1) await nameTrusted(manager, list);
  const { hostname, port } = new URL(manager.client.address.origin);
  const address = { host: hostname, port: Number(port || HTTPS_PORT) };
  const reached = await list.run(`${manager.name}: connection and certificate`, async () => {
    await checkTlsHandshake(address, trust, signal);
    return ok(`${address.host}:${address.port}`);
  });
  if (!reached) return false;
  return await list.run(`${manager.name}: login`, async () => {
    const { product, backups } = await manager.capabilities(signal);
    const title = `${product.name} ${product.version.full}`;
    return backups ? ok(title) : warn(title, "Incremental backups need engine 4.4 or later.");
  });
}

/** Each of several certificates may vouch for the engine and for its hosts, so that a person should know them all. */
async function nameTrusted({ name, client }: OvirtManager, list: Checklist): Promise<void> {
  await list.run(`${name}: trusted certificates`, async () => {
    const certificates = client.trust.ca.flatMap(readCertificates).map(certificateFacts);
    return ok(certificates.map(certificateName).join("; "));
  });
}

/**
 * The data ports. A machine that reaches only the proxy still works, more slowly, so that none of them alone is fatal:
 * the transfer that follows decides.
 */
export async function checkDataPorts(manager: OvirtManager, list: Checklist, signal: AbortSignal): Promise<void> {
  const { trust, address } = manager.client;
  const { hostname, port } = new URL(address.origin);
  if (port !== "") {
    // Behind a forwarded port, or in a lab, the data ports are not at their usual places either.
    await list.run(`${manager.name}: data ports`, async () => skip(`the engine is at port ${port}, not at 443`));
    return;
  }
  const hosts = await manager.api.infrastructure.hosts(signal);
  const places = hosts.flatMap(({ name, address: host, status }) =>
    host === undefined || status !== "up" ? [] : [{ name: `host ${name}`, host, port: IMAGEIO_PORT }],
  );
  for (const place of [...places, { name: "proxy", host: hostname, port: PROXY_PORT }]) {
    await list.run(`${manager.name}: imageio on ${place.name}`, async () => {
      try {
        // The fingerprint pins the engine's CA, which signs the hosts too; its web certificate may have another one.
        await checkTlsHandshake(place, { ca: trust.ca }, signal);
        return ok(`${place.host}:${place.port}`);
      } catch (error) {
        signal.throwIfAborted();
        return warn(
          error instanceof Error ? error.message : String(error),
          "Data may go another way; see the transfer below.",
        );
      }
    });
  }
}

/** Disks that can only be read in full, because the engine does not track their changes. */
export async function checkIncremental(manager: OvirtManager, list: Checklist, signal: AbortSignal): Promise<void> {
  await list.run(`${manager.name}: change tracking`, async () => {
    const inventory = await manager.inventory(signal);
    const disks = inventory.flatMap((vm) => vm.disks.map((disk) => ({ disk, title: `${vm.name}/${disk.alias}` })));
    const without = disks.filter(({ disk }) => disk.attributes["backup"] !== "incremental");
    if (without.length === 0)
      return ok(`${plural(inventory.length, "virtual machine")}, ${plural(disks.length, "disk")}, all tracked`);
    return warn(
      `${without.length} of ${disks.length} disks: ${without.map(({ title }) => title).join(", ")}`,
      "They are read in full every time. Switch 'Enable Incremental Backup' on in each disk's settings (QCOW2 only).",
    );
  });
}
