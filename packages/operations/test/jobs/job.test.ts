import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { messageOf, UsageError } from "@ovault/contract";
import { errorSummary, jobSchema, parseJob } from "@ovault/operations";

const name = fc.string({ minLength: 1, maxLength: 9 });
const some = fc.array(name, { minLength: 1, maxLength: 3 });
const count = fc.integer({ min: 1, max: 99 });
const share = fc.double({ min: 0.01, max: 1, noNaN: true });
const flag = fc.boolean();
const network = name.filter((one) => one !== "__proto__");

/** Some or none of these fields beside those that the job needs. */
const fields = <T, U>(needed: { [K in keyof T]: fc.Arbitrary<T[K]> }, may: { [K in keyof U]: fc.Arbitrary<U[K]> }) =>
  fc.tuple(fc.record(needed), fc.record(may, { requiredKeys: [] })).map(([a, b]): object => ({ ...a, ...b }));

const backup = {
  to: name,
  strategy: name,
  excludeDisks: some,
  quiesce: fc.constantFrom("require", "try", "never"),
  keepBase: flag,
  full: flag,
  wait: flag,
};
const copy = { from: name, manager: name, newer: flag, wait: flag };
const rules = { keepLast: count, keepDaily: count, keepWeekly: count, keepMonthly: count, keepYearly: count };
const forget = { vms: some, manager: name, timeZone: name, from: name };
const kind = <K extends string>(of: K) => fc.constant(of);

/** Every kind of job, as a client may write it. */
const ARBITRARIES: Readonly<Record<string, fc.Arbitrary<object>>> = {
  backup: fc.oneof(
    fields({ kind: kind("backup"), vms: some }, { ...backup, manager: name }),
    fields({ kind: kind("backup"), policy: name }, backup),
  ),
  restore: fields(
    { kind: kind("restore"), point: name, as: name },
    {
      manager: name,
      strategy: name,
      cluster: name,
      storageDomain: name,
      networks: fc.dictionary(network, name),
      mac: fc.constantFrom("keep", "new"),
      start: flag,
      salvage: flag,
      from: name,
    },
  ),
  "restore-disk": fields(
    { kind: kind("restore-disk"), point: name, disk: name, toFile: name },
    { format: fc.constantFrom("raw", "qcow2"), manager: name, salvage: flag, from: name },
  ),
  copy: fc.oneof(
    fields({ kind: kind("copy"), to: name, vms: some }, copy),
    fields({ kind: kind("copy"), to: name, all: fc.constant(true) }, copy),
    fields({ kind: kind("copy"), to: name, points: some }, { from: name, manager: name, wait: flag }),
  ),
  forget: fc.oneof(
    fields({ kind: kind("forget"), points: some }, { manager: name, from: name }),
    fields({ kind: kind("forget"), keepLast: count }, { ...rules, ...forget }),
    fields({ kind: kind("forget"), retention: fc.constant(true) }, forget),
    fields({ kind: kind("forget"), policy: name }, forget),
  ),
  prune: fields(
    { kind: kind("prune") },
    {
      graceMs: fc.nat(),
      repack: fc.oneof(share, fc.constant("none")),
      repackBudgetBytes: fc.maxSafeNat(),
      giveUpLost: flag,
      wait: flag,
      from: name,
    },
  ),
  verify: fc.oneof(
    fields({ kind: kind("verify"), point: name }, { manager: name, from: name }),
    fields({ kind: kind("verify") }, { from: name }),
    fields({ kind: kind("verify"), sample: share }, { from: name }),
    fields({ kind: kind("verify"), all: fc.constant(true) }, { from: name }),
  ),
  repair: fields(
    { kind: kind("repair") },
    { readData: flag, removeDamagedManifests: flag, freeDamagedLeases: flag, wait: flag, from: name },
  ),
};

test("there is an arbitrary of every kind of job", () => {
  const kinds = jobSchema.options.map((option) => option.shape.kind.value);
  expect(Object.keys(ARBITRARIES).toSorted()).toEqual(kinds.toSorted());
});

describe.each(Object.entries(ARBITRARIES))("a %s job", (kindOfJob, arbitrary) => {
  test("is the same after it was written as JSON, with its defaults", () => {
    fc.assert(
      fc.property(arbitrary, (written) => {
        const job = parseJob(written);
        expect(job).toMatchObject(written);
        expect(parseJob(JSON.parse(JSON.stringify(job)))).toStrictEqual(job);
      }),
    );
  });

  test("has no field that no option is", () => {
    const [written] = fc.sample(arbitrary, 1);
    expect(() => parseJob({ ...written, dryRun: true })).toThrow(/dryRun: unknown key/);
    expect(() => parseJob({ ...written, kind: `${kindOfJob}s` })).toThrow(UsageError);
  });
});

test.each([
  [{ kind: "copy", to: "offsite" }, /say which points to copy/],
  [{ kind: "copy", to: "offsite", points: ["p"], newer: true }, /`newer` is for `vms` and `all`/],
  [{ kind: "forget" }, /nothing says which points to forget/],
  [{ kind: "forget", points: ["p"], keepLast: 1 }, /choose one/],
  [{ kind: "forget", points: ["p"], vms: ["web01"] }, /are for rules/],
  [{ kind: "verify", point: "p", all: true }, /one of them/],
  [{ kind: "verify", manager: "prod" }, /`manager` is for a point/],
  [{ kind: "prune", graceMs: -1, repack: 0 }, /graceMs: .*; repack: /],
  [{ kind: "prune", repack: "half" }, /repack: must be a share above 0 and up to 1, or none/],
  [null, /the job is not valid/],
  [{ kind: "backups" }, /kind: must be one of backup, restore, /],
])("%j is refused before anything runs", (written, problem) => {
  expect(() => parseJob(written)).toThrow(problem);
  expect(() => parseJob(written)).toThrow(UsageError);
});

test.each([
  [{ kind: "backup", vms: ["web01"], polcy: "p" }, 'polcy: unknown key, did you mean "policy"?'],
  [{ kind: "backup", vms: [""] }, "vms.0: must not be empty"],
  [{ kind: "backup", vms: "web01" }, "vms: expected array"],
  [{ kind: "backup", vms: ["web01"], quiesce: "perhaps" }, "quiesce: must be one of require, try, never"],
  [{ kind: "restore", point: "p" }, "as: is missing (expected string)"],
  [{ kind: "prune", graceMs: -1 }, "graceMs: must be at least 0"],
  [
    JSON.parse('{"kind":"restore","point":"p","as":"q","networks":{"__proto__":"x"}}'),
    "networks.__proto__: is not a name",
  ],
  [JSON.parse('{"kind":"prune","__proto__":{}}'), "__proto__: unknown key"],
])("%j is refused in words of ours", (written, problem) => {
  expect(() => parseJob(written)).toThrow(`the job is not valid: ${problem}`);
});

test("keys from outside reach no terminal as they are, and many are counted", () => {
  const keys = ["\u001b[31mred", "a\nb", "\u202eright", "\u2028"];
  const refused = messageOf(
    thrownBy(() => parseJob({ kind: "prune", ...Object.fromEntries(keys.map((key) => [key, 1])) })),
  );
  expect(refused).toContain("\\u{1b}[31mred: unknown key");
  expect(refused).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`key${index}`, 1]));
  expect(messageOf(thrownBy(() => parseJob({ kind: "prune", ...many })))).toMatch(/; and 4900 more$/);
});

test("an error of a job speaks of its fields, and has its hint beside the message", () => {
  const error = thrownBy(() => parseJob({ kind: "backup" }));
  expect(error).toMatchObject({
    message: "the job is not valid: nothing says what to back up",
    hint: "Name virtual machines, or a policy with `policy`.",
  });
  for (const written of [{ kind: "copy", to: "offsite" }, { kind: "forget" }]) {
    const { message, hint } = errorSummary(thrownBy(() => parseJob(written)));
    expect(`${message} ${hint}`).not.toMatch(/--|null/);
  }
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return expect.fail("nothing was thrown");
}
