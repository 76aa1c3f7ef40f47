import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { LabSite, never, WEB_DISKS } from "@ovault/testkit-ovirt";

import { checkRights } from "../../src/diagnosis/check-rights.ts";
import type { DiagnosisSite } from "../../src/diagnosis/host-check.ts";
import { BusyHosts } from "../../src/hosts/busy-hosts.ts";
import { Credentials } from "../../src/hosts/credentials.ts";
import { Hypervisor } from "../../src/hosts/hypervisor.ts";
import { Hypervisors } from "../../src/hosts/hypervisors.ts";
import { readLandscape } from "../../src/hosts/landscape.ts";
import { optionsSchema } from "../../src/options.ts";
import { LVM_COMMANDS, sudoersLines } from "../../src/volumes/lvm-commands.ts";

/** Block storage, and a host with a sudo that says yes to what its file names and runs nothing. */
let lab: LabSite;
let site: DiagnosisSite;
let hypervisors: Hypervisors;
let onHost: Hypervisor;

beforeAll(async () => {
  lab = await LabSite.open({
    machines: [{ name: "web", disks: WEB_DISKS, down: true }],
    inventory: { storageDomains: [{ name: "san", storageType: "iscsi" }] },
  });
  const options = optionsSchema.parse(lab.sshOptions);
  const credentials = new Credentials(options, {
    baseDirectory: lab.directory,
    secret: async (reference) => ("file" in reference ? await readFile(reference.file, "utf8") : ""),
  });
  const landscape = await readLandscape(lab.manager.api, never);
  site = { options, credentials, busy: new BusyHosts(), landscape };
  hypervisors = new Hypervisors(landscape, credentials);
  onHost = await hypervisors.open(landscape.hosts[0]?.id ?? "", never);
}, 120_000);
afterAll(async () => {
  await hypervisors.close();
  await lab.close();
});

/** The host as a user with this id sees it. */
function as(userId: number): Hypervisor {
  return new Hypervisor(onHost.host, onHost.session, { ...onHost.tools, userId });
}

async function allow(...commands: readonly (readonly string[])[]): Promise<void> {
  const sudo = join(lab.lab.hosts[0]?.ssh?.tools ?? "", "sudo");
  const allowed = `${sudo}.allowed`;
  await writeFile(allowed, `${commands.map((words) => words.join(" ")).join("\n")}\n`);
  const script = `#!/bin/sh
[ "$1 $2 $3" = "-n -l --" ] || exit 1
shift 3
for volume; do :; done
command="$*"
grep -qxF -- "\${command% "$volume"}" '${allowed}'
`;
  await writeFile(sudo, script);
  await chmod(sudo, 0o755);
}

test("root needs no sudo", async () => {
  await allow();
  expect(await checkRights(as(0), site, never)).toMatchObject({ status: "ok", detail: expect.stringMatching(/^root/) });
});

test("sudo has to allow every command of LVM, word for word", async () => {
  await allow(...Object.values(LVM_COMMANDS));
  expect(await checkRights(as(1000), site, never)).toMatchObject({ status: "ok" });
  const { list, refresh } = LVM_COMMANDS;
  await allow(list, refresh);
  const { user } = onHost.session.server;
  await expect(checkRights(as(1000), site, never)).rejects.toMatchObject({
    code: "E_HYPERVISOR",
    message: `sudo does not let ${user} activate, deactivate volumes, which block storage needs`,
    hint: expect.stringContaining(sudoersLines(user).join("\n")),
  });
});

test("file storage needs no sudo", async () => {
  await allow();
  const domains = new Map([...site.landscape.domains].filter(([, { storageType }]) => storageType !== "iscsi"));
  const files = { ...site, landscape: { ...site.landscape, domains } };
  expect(await checkRights(as(1000), files, never)).toMatchObject({
    status: "ok",
    detail: expect.stringContaining("file storage needs no sudo"),
  });
});
