import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { Diagnosis } from "@ovault/contract";
import { freePort } from "@ovault/test-support/free-port";
import { LabSite, never, WEB_DISKS } from "@ovault/testkit-ovirt";

import { SshTransferStrategy } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";

let site: LabSite;

beforeAll(async () => {
  site = await LabSite.open({
    machines: [{ name: "web", disks: WEB_DISKS, down: true }],
    inventory: {
      hosts: [
        { name: "kvm2", ssh: { config: ["AllowStreamLocalForwarding no"] } },
        { name: "kvm3", ssh: { hiddenTools: ["qemu-nbd"] } },
        { name: "kvm4", ssh: { config: ["MaxSessions 1"], noise: "Authorized use only" } },
        { name: "kvm10" },
      ],
    },
  });
}, 120_000);
afterAll(() => site.close());

/** What the doctor says, by host and check. Options replace those of the lab. */
async function diagnose(
  options: object = {},
  otherManagers: readonly string[] = [],
): Promise<ReadonlyMap<string, Diagnosis>> {
  const parsed = optionsSchema.parse({ ...site.sshOptions, ...options });
  const strategy = new SshTransferStrategy(site.manager, parsed, {
    baseDirectory: site.directory,
    otherManagers,
    secret: async (reference) => ("file" in reference ? await readFile(reference.file, "utf8") : "secret"),
  });
  return new Map((await strategy.diagnose(never)).map((one) => [one.name, one]));
}

const ok = (detail: string): object => ({ status: "ok", detail: expect.stringContaining(detail), hint: null });
const failed = (detail: string, hint: string): object => ({
  status: "fail",
  detail: expect.stringContaining(detail),
  hint: expect.stringContaining(hint),
});

test("every host is proved by what a backup does there; what one cannot do does not hide the others", async () => {
  const found = await diagnose();
  const user = site.sshOptions.login.user;
  for (const name of ["lab-host", "kvm4", "kvm10"]) {
    expect(found.get(`host ${name}: log-in`)).toMatchObject(ok(`${user}@127.0.0.1:`));
    expect(found.get(`host ${name}: log-in`)?.detail).toMatch(/; its key is known from the engine$/);
    expect(found.get(`host ${name}: tools`)?.detail).toMatch(/^\w.*: qemu-img version \d+\.\d+.*; qemu-nbd \d+\.\d+/);
    expect(found.get(`host ${name}: rights`)).toMatchObject(ok(user));
    expect(found.get(`host ${name}: storage`)).toMatchObject(ok("1 storage domain: lab-storage"));
    expect(found.get(`host ${name}: data`)).toMatchObject(ok("qemu-nbd can be read, through OpenSSH"));
    expect(found.get(`host ${name}: netcat`)).toMatchObject({ status: "skip" });
  }
  expect(found.get("host kvm2: data")).toMatchObject({
    status: "warn",
    detail: expect.stringMatching(/through ssh2 and \S+ on the server: \S/),
    hint: expect.stringContaining("AllowStreamLocalForwarding"),
  });
  expect(found.get("host kvm3: tools")).toMatchObject(failed("host kvm3 has no qemu-nbd", "qemu-img"));
  expect(found.get("host kvm3: storage")).toMatchObject({ status: "ok" });
  expect(found.get("host kvm3: data")).toMatchObject({ status: "skip", detail: expect.stringContaining("see tools") });
  expect(found.has("names")).toBe(false);
  expect([...found.keys()].filter((name) => name.endsWith("log-in"))).toEqual(
    ["kvm2", "kvm3", "kvm4", "kvm10", "lab-host"].map((name) => `host ${name}: log-in`),
  );
  // The guards of scripts end some seconds after them.
  await expect.poll(async () => (await site.lab.leftovers()).hostProcesses, { timeout: 20_000 }).toEqual([]);
});

test("netcat is proved where it is configured", async () => {
  const first = await freePort();
  const netcat = { trustedNetwork: true, ports: `${first}-${first + 9}` };
  const found = await diagnose({ netcat });
  expect(found.get("host lab-host: netcat")?.detail).toMatch(/^127\.0\.0\.1:\d+ can be reached$/);
  const elsewhere = await diagnose({ netcat: { ...netcat, network: "198.51.100.0/24" } });
  expect(elsewhere.get("host lab-host: netcat")).toMatchObject(
    failed("host lab-host opens no port for netcat: ", "an address in `network`"),
  );
  expect(elsewhere.get("host lab-host: netcat")?.detail).toContain("no address in 198.51.100.0/24");
});

test("hosts without a login, and hosts that are not up, are skipped with what to configure", async () => {
  const { login } = site.sshOptions;
  const found = await diagnose({ login: undefined, hosts: { kvm10: login } });
  expect(found.get("host lab-host")).toEqual({
    name: "host lab-host",
    status: "skip",
    detail: "no credentials: it serves no disk",
    hint: 'Give it a login in ovault.yaml, under strategies: ssh-transfer: `login` for all hosts, or hosts: { "lab-host": { user: …, privateKey: … } } for it alone.',
  });
  expect(found.get("host kvm10: data")).toMatchObject({ status: "ok" });
  await site.lab.changeHost("kvm10", "maintenance");
  expect([...(await diagnose({ login: undefined, hosts: { kvm10: login } })).values()]).toContainEqual({
    name: "host kvm10",
    status: "skip",
    detail: "maintenance: only hosts that are up serve disks",
    hint: null,
  });
  await site.lab.changeHost("kvm10", "up");
  expect([...(await diagnose({ login: undefined })).values()]).toEqual([
    { name: "hosts", status: "skip", detail: "there are credentials for no host", hint: null },
  ]);
});

test("a name that the engine does not have is named, with the one that may be meant and those that there are", async () => {
  const hosts = { kvm11: { port: 22 }, "127.0.0.1": { port: 22 }, gone: { port: 22 } };
  const found = await diagnose({ hosts });
  expect(found.get("names")).toEqual({
    name: "names",
    status: "warn",
    detail: expect.stringMatching(
      /hosts\.kvm11: the engine has no host of this name, did you mean "kvm10?1?"\?; .*hosts\.127\.0\.0\.1: .*did you mean "\S+"\?; .*hosts\.gone: the engine has no host of this name$/,
    ),
    hint: expect.stringContaining("The engine has host kvm2, kvm3, kvm4, kvm10, lab-host, and cluster Default."),
  });
  expect(found.get("host kvm2: log-in")).toMatchObject({ status: "ok" });
  // They may be those of another manager.
  expect((await diagnose({ hosts }, ["second"])).get("names")).toMatchObject({
    status: "skip",
    hint: expect.stringContaining("one of manager second"),
  });
});

test("a changed key, a wrong login and a host that is gone fail with the host, the reason and a next step", async () => {
  await site.lab.changeHost("kvm4", "new-key");
  const port = await freePort();
  const found = await diagnose({
    hosts: { kvm10: { user: "ovault-nobody", password: { env: "X" } }, "lab-host": { port } },
  });
  expect(found.get("host kvm4: log-in")).toMatchObject(failed("cannot use host kvm4: ", "ssh-keygen"));
  expect(found.get("host kvm10: log-in")).toMatchObject(failed("cannot use host kvm10: ", ""));
  expect(found.get("host lab-host: log-in")).toMatchObject(failed("cannot use host lab-host: ", ""));
  for (const name of ["kvm4", "kvm10", "lab-host"]) expect(found.get(`host ${name}: data`)).toBeUndefined();
  expect(found.get("host kvm2: storage")).toMatchObject({ status: "ok" });
});

test("storage that the host does not see is named", async () => {
  const found = await diagnose({ dataCenterDirectory: join(site.directory, "nowhere") });
  expect(found.get("host lab-host: storage")).toMatchObject(
    failed("lab-storage: cannot see it", "groups kvm and qemu"),
  );
});

test("an old qemu-nbd is named with what it cannot do", async () => {
  const tools = site.lab.hosts.find(({ name }) => name === "kvm2")?.ssh?.tools ?? "";
  const fake = join(tools, "qemu-nbd");
  await writeFile(fake, '#!/bin/sh\n[ "$1" = --version ] && echo "qemu-nbd 2.10.0(qemu-kvm-ev-2.10.0-21.el7)"\n');
  await chmod(fake, 0o755);
  const found = await diagnose();
  expect(found.get("host kvm2: tools")).toMatchObject({
    status: "warn",
    detail: expect.stringContaining("it does not tell what is allocated"),
    hint: expect.stringContaining("Update the host"),
  });
});

test("one dead host costs its own deadline alone", async () => {
  await site.lab.changeHost("kvm10", "suspend");
  try {
    const found = await diagnose({ timeoutSeconds: 5 });
    expect(found.get("host kvm10: log-in")).toMatchObject({ status: "fail" });
    expect(found.get("host lab-host: data")).toMatchObject({ status: "ok" });
  } finally {
    await site.lab.changeHost("kvm10", "resume");
  }
});
