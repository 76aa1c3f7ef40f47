import { Command } from "commander";
import { expect, test } from "vitest";

import { assertCopySound, jobSchema } from "@ovault/operations";

import type { Define } from "../src/command.ts";
import { errorJson, errorText } from "../src/output/error-text.ts";
import { optionOf } from "../src/output/option-of.ts";

/** Fields that are arguments of the command, by the kind of job. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  backup: "vms",
  restore: "point",
  "restore-disk": "point",
  copy: "points",
  forget: "points",
  verify: "point",
};

async function optionsOf(kind: string): Promise<readonly (string | undefined)[]> {
  const name = kind === "restore-disk" ? "restore" : kind;
  const { define }: { define: Define } = await import(`../src/commands/${name}.ts`);
  const command = new Command();
  define(command, async () => {});
  return command.options.map(({ long }) => long);
}

test.each(jobSchema.options.map(({ shape }) => [shape.kind.value, Object.keys(shape)] as const))(
  "every field of a %s job is an argument or the option that errors name",
  async (kind, fields) => {
    const options = await optionsOf(kind);
    const named = fields.filter((field) => field !== "kind" && field !== ARGUMENTS[kind]);
    expect(named.map((field) => optionOf(field)).filter((option) => !options.includes(option))).toEqual([]);
    expect(optionOf("keepDaily", 7)).toBe("--keep-daily 7");
    expect(optionOf("networks", ["prod", "test"])).toBe("--network prod=test");
    expect(optionOf("configFile")).toBe("--config or OVAULT_CONFIG");
  },
);

test("what is wrong with a job is said in options, as text and as JSON", () => {
  const nothing = { points: [], vms: [], all: false, newer: false };
  const errors = [nothing, { ...nothing, points: ["p"], newer: true }].map((job) =>
    thrownBy(() => assertCopySound(job)),
  );
  expect(errors.map((error) => errorText(error, false))).toEqual([
    "ovault: say which points to copy\n  hint: Name points, or give --vm, or --all: one of them.",
    "ovault: --newer is for --vm and --all, not for points that are named",
  ]);
  expect(errors.map((error) => errorJson(error)).join(" ")).not.toContain("`");
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return expect.fail("nothing was thrown");
}
