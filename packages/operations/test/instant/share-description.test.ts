import { randomUUID } from "node:crypto";

import { expect, test } from "vitest";

import { shareDescriptionSchema } from "../../src/instant/share-description.ts";
import { ShareDirectory } from "../../src/instant/share-directory.ts";

test.each([
  ["a path that leads out", { path: "../volume", format: "raw" }],
  ["a path from the root", { path: "/volume", format: "raw" }],
  ["a format of another kind", { path: "volume", format: "vmdk" }],
])("a description with %s is refused", (_, disk) => {
  const description = { version: 1, fileSystemId: "7", port: 2049, allow: ["10.0.0.0/8"], points: [] };
  const points = [{ point: "p", hold: randomUUID(), disks: [{ disk: "d", ...disk }] }];
  expect(shareDescriptionSchema.safeParse(description).success).toBe(true);
  expect(shareDescriptionSchema.safeParse({ ...description, points }).success).toBe(false);
});

test.each(["", ".", "..", "a/b", "-a", "a".repeat(65)])("%j is no name of a share", (name) => {
  expect(() => new ShareDirectory("/state", name)).toThrow(expect.objectContaining({ code: "E_USAGE" }));
});
