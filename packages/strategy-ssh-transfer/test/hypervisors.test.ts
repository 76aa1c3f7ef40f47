import { subscribe, unsubscribe } from "node:diagnostics_channel";

import { afterAll, beforeAll, expect, test } from "vitest";

import { messageOf } from "@ovault/contract";
import type { Host } from "@ovault/ovirt";

import { Credentials } from "../src/hosts/credentials.ts";
import { Hypervisors } from "../src/hosts/hypervisors.ts";
import { readLandscape, type Landscape } from "../src/hosts/landscape.ts";
import { optionsSchema } from "../src/options.ts";
import { Bench, never, secretsOf } from "./support/bench.ts";

let bench: Bench;
let landscape: Landscape;
let host: Host;

beforeAll(async () => {
  bench = await Bench.open({ down: true });
  landscape = await readLandscape(bench.manager.api, never);
  [host = host] = landscape.hosts;
});
afterAll(() => bench.close());

function hypervisorsWith(change: Partial<Host>): Hypervisors {
  const credentials = new Credentials(optionsSchema.parse(bench.site.sshOptions), secretsOf(bench.site));
  return new Hypervisors({ ...landscape, hosts: [{ ...host, ...change }] }, credentials);
}

test("all users of a host share one log-in; a failed one is tried again", async () => {
  let connections = 0;
  const count = (): void => void (connections += 1);
  const hypervisors = hypervisorsWith({});
  subscribe("net.client.socket", count);
  try {
    await expect(hypervisors.open(host.id, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
    const opened = await Promise.all([1, 2, 3].map(() => hypervisors.open(host.id, never)));
    expect(new Set(opened).size).toBe(1);
    expect(opened[0]?.tools).toMatchObject({ qemuNbd: expect.stringContaining("qemu-nbd") });
    expect(connections).toBe(1);
  } finally {
    unsubscribe("net.client.socket", count);
    await hypervisors.close();
  }
});

test.each<[string, Partial<Host>, RegExp]>([
  ["its key alone", { sshFingerprint: undefined }, /^lab-host$/],
  ["its fingerprint alone", { sshPublicKey: undefined }, /^lab-host$/],
  [
    "another key",
    { sshPublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
    /not SHA256|the engine's record/,
  ],
  ["nothing", { sshPublicKey: undefined, sshFingerprint: undefined }, /no SSH key on record for host lab-host/],
])("a host of which the engine has %s on record", async (_, record, expected) => {
  const hypervisors = hypervisorsWith(record);
  const outcome = await hypervisors.open(host.id, never).then((opened) => opened.host.name, messageOf);
  expect(outcome).toMatch(expected);
  await hypervisors.close();
});

test("a host that the engine has no more is an error", async () => {
  await expect(hypervisorsWith({}).open("gone", never)).rejects.toMatchObject({ code: "E_HYPERVISOR" });
});
