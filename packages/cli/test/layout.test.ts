import { expect, test } from "vitest";

import { layOut } from "../src/output/layout.ts";
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
