import { expect, test } from "vitest";

import { layOut } from "../src/output/layout.ts";
import { policiesView } from "../src/commands/policies-view.ts";
import { facts, table, text } from "../src/output/view.ts";

test("columns line up, numbers on the right, and no line ends in blanks", () => {
  const rows = [
    ["web01", "1.5 GiB", "ok"],
    ["database", "20 GiB", ""],
  ];
  expect(layOut([table(["vm", ">size", "state"], rows, "none")])).toBe(
    ["VM           SIZE  STATE", "web01     1.5 GiB  ok", "database   20 GiB", ""].join("\n"),
  );
});

test("a table without rows says so in words", () => {
  expect(layOut([table(["vm"], [], "no virtual machines")])).toBe("no virtual machines\n");
});

test("the warnings of all policies follow each other without empty lines", () => {
  const policy = {
    manager: null,
    destination: null,
    include: ["*"],
    exclude: [],
    strategy: "auto",
    nextRuns: [],
    machines: null,
    withoutPoint: null,
    leastRecentPointAt: null,
    gone: null,
    unselected: null,
  };
  const view = policiesView([
    { ...policy, name: "daily", warnings: ["one", "two"] },
    { ...policy, name: "weekly", warnings: ["three"] },
  ]);
  expect(layOut(view)).toMatch(/\n\nwarning: one\nwarning: two\nwarning: three\n$/);
  expect(layOut(policiesView([{ ...policy, name: "daily", warnings: [] }]))).not.toMatch(/\n\n/);
});

test("facts without a value are left out, and blocks are parted by an empty line", () => {
  const view = [
    facts([
      ["point", "p1"],
      ["base", undefined],
      ["strategy", "s"],
    ]),
    text("done"),
  ];
  expect(layOut(view)).toBe("point     p1\nstrategy  s\n\ndone\n");
});
