import { afterAll, beforeAll, expect, test } from "vitest";

import type { Diagnosis } from "@ovault/contract";
import type { VmSummary } from "@ovault/operations";
import { freePort } from "@ovault/test-support/free-port";

import { PracticeSite } from "../support/practice-site.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;
const OVER_SSH = ["--strategy", "ssh-transfer"];

let site: PracticeSite;
let witness: Witness;

beforeAll(async () => {
  site = await PracticeSite.start({
    vms: {
      web01: [
        { format: "qcow2", bytes: 8 * MIB },
        { format: "raw", bytes: 2 * MIB + 4096 },
      ],
    },
  });
  witness = new Witness(site);
}, 120_000);
afterAll(() => site.stop());

/** Sets further options of the strategy. */
async function withOptions(options: object): Promise<void> {
  await site.configure(({ strategies, ...rest }) => ({
    ...rest,
    strategies: { ...strategies, "ssh-transfer": { ...strategies["ssh-transfer"], ...options } },
  }));
}

async function write(seed: string): Promise<void> {
  await site.lab.write("web01", "0", { kind: "random", seed, offset: 700_928, length: 300_032 });
  await site.lab.write("web01", "1", { kind: "random", seed, offset: MIB, length: 4096 });
}

/** The guards of scripts on a host end some seconds after them. */
async function expectNothingLeft(): Promise<void> {
  await expect.poll(() => site.remains(["restored-2", "restored-4"]), { timeout: 20_000 }).toEqual([]);
}

test("the lab's configuration is ready: vms says which host serves each disk, and doctor proves that host", async () => {
  const [web]: readonly VmSummary[] = JSON.parse(await site.succeed("vms", "--json"));
  const shown =
    web?.strategy === "ssh-transfer" ? web : web?.rejected.find(({ strategy }) => strategy === "ssh-transfer");
  const host = web?.host ?? "";
  expect(host).not.toBe("");
  expect(shown?.disks.map(({ servedBy }) => servedBy)).toEqual([
    { host, reason: "the only one that is up" },
    { host, reason: "the only one that is up" },
  ]);
  const checks: readonly Diagnosis[] = JSON.parse(await site.succeed("doctor", "--json"));
  const ofHost = checks.filter(({ name }) => name.startsWith("lab: ssh-transfer: "));
  expect(ofHost.map(({ name, status }) => `${name.replace("lab: ssh-transfer: ", "")}: ${status}`)).toEqual([
    `host ${host}: log-in: ok`,
    `host ${host}: tools: ok`,
    `host ${host}: rights: ok`,
    `host ${host}: storage: ok`,
    `host ${host}: data: ok`,
    `host ${host}: netcat: skip`,
  ]);
});

test(
  "full and increment, through SSH and through netcat, give back every byte, as files and as a new machine",
  { timeout: 240_000 },
  async () => {
    const modes: (readonly string[])[] = [];
    const ports = await freePort();
    for (const options of [{}, { netcat: { trustedNetwork: true, ports: `${ports}-${ports + 9}` } }]) {
      await withOptions(options);
      for (const kind of ["--full", "--keep-base"]) {
        await write(`${kind} ${modes.length}`);
        const view = await witness.look("web01");
        const point = await site.backUp("web01", ...OVER_SSH, kind, "--keep-base");
        await witness.attribute(view);
        modes.push(point.disks.map(({ mode }) => mode));
        expect(point.warnings).toEqual([]);
        if (kind === "--full") continue;
        const name = `restored-${modes.length}`;
        await site.succeed("restore", point.id, "--as", name, ...OVER_SSH);
        expect(await witness.vmDiffering(point.id, name)).toEqual([]);
      }
    }
    expect(modes).toEqual([
      ["full", "full"],
      ["incremental", "incremental"],
      ["full", "full"],
      ["incremental", "incremental"],
    ]);
    expect(await witness.allDiffering()).toEqual([]);
    await site.succeed("verify", "--all");
    await expectNothingLeft();
  },
);

test("a host that nothing can log in to fails the run with a next step, and doctor names it", async () => {
  await withOptions({ login: { user: "nobody-of-this-name", password: { env: "PATH" } } });
  const failure = await site.fail("backup", "web01", ...OVER_SSH);
  expect(failure).toMatchObject({ exitCode: 3, code: "E_HYPERVISOR", hint: expect.stringMatching(/\w/) });
  const doctor = await site.ovault("doctor");
  expect(doctor.exitCode).toBe(8);
  expect(doctor.stdout).toMatch(/fail +lab: ssh-transfer: host \S+: log-in/);
  await expectNothingLeft();
  await withOptions({});
});

test("where no host has a login the next step is to give one, and a mistyped name is shown", async () => {
  await withOptions({ login: undefined, hosts: { "lab-hots": { user: "root", privateKey: site.lab.loginKey } } });
  expect(await site.fail("backup", "web01", ...OVER_SSH)).toMatchObject({
    exitCode: 2,
    hint: expect.stringMatching(/^Give hosts a login in ovault\.yaml: .*hosts\.lab-hots: .*did you mean "lab-host"\?$/),
  });
  await withOptions({});
});

test("a key file that is missing ends a command before the engine is asked, and doctor names it beside the rest", async () => {
  await withOptions({ login: { user: "root", privateKey: "no-such-key" } });
  const doctor = await site.ovault("doctor");
  expect(doctor.exitCode).toBe(8);
  expect(doctor.stdout).toMatch(/fail +lab: strategies.*no-such-key: no such file or directory/s);
  expect(doctor.stdout).toMatch(/ok +\S+: repository/);
  // Nothing listens there.
  await site.configure(({ managers, strategies, ...rest }) => ({
    ...rest,
    managers: { lab: { ...managers["lab"], url: "https://127.0.0.1:9/ovirt-engine/api" } },
    strategies: { ...strategies, "ssh-transfer": { login: { user: "root", privateKey: "no-such-key" } } },
  }));
  for (const command of [["vms"], ["backup", "web01", ...OVER_SSH], ["backup", "web01"]]) {
    expect(await site.fail(...command)).toMatchObject({
      exitCode: 2,
      code: "E_CONFIGURATION",
      message: expect.stringMatching(
        /^strategies\.ssh-transfer\.login\.privateKey: cannot read the secret file \S+no-such-key: no such file or directory$/,
      ),
      hint: expect.stringContaining("path"),
    });
  }
});
