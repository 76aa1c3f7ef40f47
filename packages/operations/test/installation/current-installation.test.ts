import { readFile, writeFile } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";

import { ConfigurationError, messageOf } from "@ovault/contract";
import { backupJobSchema, CurrentInstallation, runBackup, type InstallationInUse } from "@ovault/operations";

import { ModelSite } from "../support/model-site.ts";

/** Counts how often it was closed. */
class FakeInstallation implements AsyncDisposable {
  readonly number: number;
  readonly isBad: boolean;
  closed = 0;

  constructor(number: number, isBad = false) {
    this.number = number;
    this.isBad = isBad;
  }

  async check(): Promise<void> {
    if (this.isBad) throw new ConfigurationError("a missing file");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed += 1;
    if (this.number % 3 === 0) throw new Error("it does not close cleanly");
  }
}

function closesCleanly(error: unknown): never {
  expect.fail(String(error));
}

type Step =
  | { kind: "use" | "reload" | "reload in vain" | "reload a bad one" | "wait" }
  | { kind: "release"; user: number; twice: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("use", "reload", "reload in vain", "reload a bad one", "wait") }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("release"), user: fc.nat(9), twice: fc.boolean() }) },
);

/** Uses, releases and reloads in any order, while the scheduler decides when an opening is done. */
class Interleaving {
  readonly opened: FakeInstallation[] = [];
  readonly closeFailures: unknown[] = [];
  /** Installations that were closed when a user got them or still had them, or that came after a newer one. */
  readonly faults: FakeInstallation[] = [];
  readonly #scheduler: fc.Scheduler;
  readonly #reloadsAs: ("reload" | "reload in vain" | "reload a bad one")[] = [];
  readonly #users: InstallationInUse<FakeInstallation>[] = [];
  readonly #reloads: Promise<unknown>[] = [];
  #begun = 0;
  #newest = 0;

  constructor(scheduler: fc.Scheduler) {
    this.#scheduler = scheduler;
  }

  async run(steps: readonly Step[]): Promise<void> {
    const onCloseFailure = (error: unknown): void => void this.closeFailures.push(error);
    const current = await this.#scheduler.waitFor(CurrentInstallation.open(this.#open, onCloseFailure));
    for (const one of steps) {
      await this.#take(one, current);
      this.faults.push(...this.#users.map(({ installation }) => installation).filter(({ closed }) => closed > 0));
    }
    await this.#scheduler.waitFor(Promise.all(this.#reloads));
    const last = current.use();
    if (last.installation.number < this.#newestOpened) this.faults.push(last.installation);
    const ending = current[Symbol.asyncDispose]();
    this.faults.push(...this.#users.map(({ installation }) => installation).filter(({ closed }) => closed > 0));
    for (const user of [last, ...this.#users]) user[Symbol.dispose]();
    await ending;
  }

  get #newestOpened(): number {
    return Math.max(...this.opened.filter(({ isBad }) => !isBad).map(({ number }) => number));
  }

  readonly #open = async (): Promise<FakeInstallation> => {
    const as = this.#reloadsAs.shift();
    const number = (this.#begun += 1);
    await this.#scheduler.schedule(Promise.resolve(), "open");
    if (as === "reload in vain") throw new ConfigurationError("a typing error");
    const installation = new FakeInstallation(number, as === "reload a bad one");
    this.opened.push(installation);
    return installation;
  };

  async #take(one: Step, current: CurrentInstallation<FakeInstallation>): Promise<void> {
    switch (one.kind) {
      case "use": {
        const user = current.use();
        const { installation } = user;
        if (installation.isBad || installation.closed > 0 || installation.number < this.#newest)
          this.faults.push(installation);
        this.#newest = installation.number;
        this.#users.push(user);
        break;
      }
      case "release": {
        const [user] = this.#users.splice(one.user % Math.max(1, this.#users.length), 1);
        user?.[Symbol.dispose]();
        if (one.twice) user?.[Symbol.dispose]();
        break;
      }
      case "reload":
      case "reload in vain":
      case "reload a bad one":
        this.#reloadsAs.push(one.kind);
        this.#reloads.push(current.reload().catch(() => undefined));
        break;
      case "wait":
        await (this.#scheduler.count() > 0 ? this.#scheduler.waitOne() : Promise.resolve());
        break;
    }
  }
}

test("no user sees a closed installation, and each that was opened is closed once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 40 }), async (scheduler, steps) => {
      const interleaving = new Interleaving(scheduler);
      await interleaving.run(steps);
      const { opened, faults, closeFailures } = interleaving;
      expect(faults).toEqual([]);
      expect(opened.map(({ closed }) => closed)).toEqual(opened.map(() => 1));
      expect(closeFailures).toHaveLength(opened.filter(({ number }) => number % 3 === 0).length);
    }),
  );
});

/** With a reload under way, which opens when `opening` resolves. */
async function reloading() {
  const opened: FakeInstallation[] = [];
  const opening = Promise.withResolvers<void>();
  const open = async (): Promise<FakeInstallation> => {
    if (opened.length > 0) await opening.promise;
    const installation = new FakeInstallation(1);
    opened.push(installation);
    return installation;
  };
  const current = await CurrentInstallation.open(open, closesCleanly);
  const user = current.use();
  const reload = current.reload().catch(messageOf);
  await turn();
  const order: string[] = [];
  const ending = current[Symbol.asyncDispose]().then(() => order.push("ended"));
  return { current, opened, opening, user, reload, order, ending };
}

describe("the end", () => {
  test.each(["opened", "released"])(
    "waits for users and for a reload, whichever comes last (first: %s)",
    async (first) => {
      const { opened, opening, user, reload, order, ending } = await reloading();
      const done = { opened: () => opening.resolve(), released: () => user[Symbol.dispose]() };
      for (const what of ["opened", "released"] as const) if (what === first) done[what]();
      await turn();
      order.push("last");
      for (const what of ["opened", "released"] as const) if (what !== first) done[what]();
      await ending;
      expect(await reload).toBe("the installation is closed");
      expect(order).toEqual(["last", "ended"]);
      expect(opened.map(({ closed }) => closed)).toEqual([1, 1]);
    },
  );

  test("leaves nothing to use or to reload", async () => {
    const { current, opening, user, ending } = await reloading();
    expect(() => current.use()).toThrow("is closed");
    opening.resolve();
    user[Symbol.dispose]();
    await ending;
    await expect(current.reload()).rejects.toMatchObject({ code: "E_USAGE", message: "the installation is closed" });
  });
});

test("one that was replaced is closed at once without users, and with users when the last is gone", async () => {
  let number = 0;
  const current = await CurrentInstallation.open(async () => new FakeInstallation((number += 1)), closesCleanly);
  const [first, second] = [current.use(), current.use()];
  await current.reload();
  expect(current.use().installation.number).toBe(2);
  first[Symbol.dispose]();
  expect(first.installation.closed).toBe(0);
  second[Symbol.dispose]();
  expect(first.installation.closed).toBe(1);
});

const NO_SECRET = { env: "OVAULT_TEST_NO_SECRET" };
const OVIRT = {
  type: "ovirt",
  url: "https://engine.example.com/ovirt-engine/api",
  user: "admin@internal",
  password: { command: ["echo", "secret"] },
  ca: { file: "missing.pem" },
};
const S3 = {
  type: "s3",
  bucket: "backups",
  endpoint: "https://s3.example.com",
  credentials: { accessKeyId: NO_SECRET, secretAccessKey: NO_SECRET },
};
const HOSTS = { user: "root", privateKey: "missing" };
const FILES = { type: "filesystem", directory: "nas" };
const SFTP = { type: "sftp", host: "nas.example.com", user: "backup", directory: "/backup", privateKey: "missing" };

describe("an ovault.yaml that is read again", () => {
  const job = backupJobSchema.parse({ kind: "backup", vms: ["web01"] });

  test("is for jobs that begin afterwards: one under way ends with what it began with", async () => {
    await using site = await ModelSite.open();
    await using current = await CurrentInstallation.open(() => site.installation(), closesCleanly);
    const used = current.use();
    const running = runBackup(used.installation, job, site.context);
    await site.configure({ defaults: { destination: "offsite" } });
    await current.reload();
    await running;
    expect(site.closed).toBe(0);
    used[Symbol.dispose]();
    {
      using next = current.use();
      await runBackup(next.installation, job, site.context);
      for (const name of ["nas", "offsite"]) {
        const { points } = await (await next.installation.repository(name)).points.list(site.context.signal);
        expect([name, points.length]).toEqual([name, 1]);
      }
    }
    expect(site.closed).toBe(1);
  });

  test.each([
    ["a key that ovault does not have", { destination: {} }],
    ["an option that a plugin does not have", { destinations: { nas: { type: "filesystem", directori: "nas" } } }],
    ["no destination", { destinations: {} }],
    ["a policy whose strategy is missing", { policies: { p: { vms: { include: ["*"] }, strategy: "modl" } } }],
    ["options of a strategy that is missing", { strategies: { modal: {} } }],
    ["a plugin that is missing", { hooks: { mail: {} } }],
    ["a type of manager that is missing", { managers: { site: { type: "modell" } } }],
    ["a CA file that is missing", { managers: { site: OVIRT } }],
    ["a secret that is missing", { managers: { site: { ...OVIRT, password: NO_SECRET } } }],
    ["a key file that is missing", { destinations: { nas: SFTP } }],
    ["credentials that are missing", { destinations: { nas: S3 } }],
    ["a hosts' key file that is missing", { strategies: { "ssh-transfer": { login: HOSTS } } }],
    ["a passphrase that is missing", { destinations: { nas: { ...FILES, encryption: { passphrase: NO_SECRET } } } }],
    [
      "options for consistency that do not fit",
      { policies: { p: { vms: { include: ["*"] }, consistency: { x: 1 } } } },
    ],
  ])("with %s leaves the old one in force, and says so", async (_, more) => {
    await using site = await ModelSite.open();
    await using current = await CurrentInstallation.open(() => site.installation(), closesCleanly);
    using before = current.use();
    await site.configure(more);
    await expect(current.reload()).rejects.toThrow(
      /E_|is not valid|there is no|describes no destination|cannot read the (CA|secret) file|is not set/,
    );
    using after = current.use();
    expect(after.installation).toBe(before.installation);
    await site.configure({});
    await current.reload();
    using repaired = current.use();
    expect(repaired.installation).not.toBe(before.installation);
  });

  test.each([
    ["empty", () => ""],
    ["a comment", () => "# to be written\n"],
    ["cut before the destinations", (text: string) => text.slice(0, text.indexOf("destinations:"))],
  ])("while it is %s leaves the old one in force", async (_, cut) => {
    await using site = await ModelSite.open();
    await using current = await CurrentInstallation.open(() => site.installation(), closesCleanly);
    using before = current.use();
    const file = site.context.configFile;
    const { managers, ...rest } = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, cut(stringify({ managers, ...rest })));
    await expect(current.reload()).rejects.toMatchObject({
      code: "E_CONFIGURATION",
      message: `${file} describes no destination`,
      hint: expect.stringContaining("rename it over"),
    });
    using after = current.use();
    expect(after.installation).toBe(before.installation);
  });
});

test.each([
  ["destinations.nas.privateKey", { destinations: { nas: SFTP } }],
  ["destinations.nas.credentials.accessKeyId", { destinations: { nas: S3 } }],
  [
    "destinations.nas.encryption.passphrase",
    { destinations: { nas: { ...FILES, encryption: { passphrase: NO_SECRET } } } },
  ],
  ["destinations.nas.encryption.keyFile", { destinations: { nas: { ...FILES, encryption: { keyFile: "missing" } } } }],
  ["managers.site.ca", { managers: { site: OVIRT } }],
  ["managers.site.ca", { managers: { site: { ...OVIRT, ca: { pem: "none" } } } }],
  ["managers.site.password", { managers: { site: { ...OVIRT, password: NO_SECRET } } }],
  ["strategies.ssh-transfer.login.privateKey", { strategies: { "ssh-transfer": { login: HOSTS } } }],
] as const)("what %s refers to is an error with that place and a hint", async (place, more) => {
  await using site = await ModelSite.open();
  await site.configure(more);
  await using installation = await site.installation();
  const refused: unknown = await installation.check().catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "E_CONFIGURATION", context: { option: place } });
  expect(refused).toHaveProperty("message", expect.stringMatching(new RegExp(`^${place}: (?!.*${place})`)));
  expect(refused).toHaveProperty("hint", expect.stringMatching(/./));
});

/** A policy for each. */
function policiesWith(...strategies: readonly string[]) {
  return Object.fromEntries(strategies.map((strategy) => [`p-${strategy}`, { vms: { include: ["*"] }, strategy }]));
}

test("the strategy of a policy exists, built in or of a plugin, before anything runs", async () => {
  await using site = await ModelSite.open();
  await site.configure({ policies: policiesWith("auto", "model", "export-domain") });
  await using installation = await site.installation();
  expect(installation.configuration.policies.size).toBe(3);
  await site.configure({ policies: policiesWith("model", "image-transfr") });
  await expect(site.installation()).rejects.toThrow(
    /line 1: policies\.p-image-transfr\.strategy: there is no strategy "image-transfr", did you mean "image-transfer"/,
  );
  await site.configure({ policies: policiesWith("zzzzzzzzzzzz") });
  await expect(site.installation()).rejects.toThrow(/no strategy "zzzzzzzzzzzz"; known: auto, .*, model/);
});
