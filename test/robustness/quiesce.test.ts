import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { PracticeSite } from "../support/practice-site.ts";

const MIB = 1024 * 1024;

describe("a guest that is to be at rest", () => {
  let site: PracticeSite;
  beforeAll(async () => {
    site = await PracticeSite.start({ vms: { web01: [{ format: "qcow2", bytes: 2 * MIB }] } });
  });
  afterAll(() => site.stop());
  beforeEach(() => site.lab.fault("freeze-failure", "off"));

  async function lastPoint(): Promise<unknown> {
    return (await site.points()).at(-1);
  }

  test("is frozen by default, and its point says so", async () => {
    await site.backUp("web01");
    expect(await lastPoint()).toMatchObject({ consistency: "filesystem", warnings: [] });
  });

  test("is taken without where it cannot be frozen, with a warning in its point", async () => {
    await site.lab.fault("freeze-failure", "on");
    await site.backUp("web01", "--quiesce", "try");
    expect(await lastPoint()).toMatchObject({
      consistency: "crash",
      warnings: [expect.stringContaining("were not frozen")],
      disks: [{ mode: "incremental" }],
    });
    expect(await site.remains()).toEqual([]);
  });

  test("is not taken at all where that is required: an error of the manager's kind, and nothing is left", async () => {
    await site.lab.fault("freeze-failure", "on");
    const points = await site.points();
    const failure = await site.fail("backup", "web01", "--quiesce", "require");
    expect(failure).toMatchObject({ exitCode: 3, code: "E_QUIESCE", hint: expect.stringContaining("--quiesce try") });
    expect(await site.points()).toEqual(points);
    expect(await site.remains()).toEqual([]);
  });

  test("is not asked where that is not wished for, and another wish is refused", async () => {
    await site.backUp("web01", "--quiesce", "never");
    expect(await lastPoint()).toMatchObject({ consistency: "crash", warnings: [] });
    const failure = await site.fail("backup", "web01", "--quiesce", "maybe");
    expect(failure).toMatchObject({ exitCode: 2, message: expect.stringContaining("require, try, never") });
  });
});
