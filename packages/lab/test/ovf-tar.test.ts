import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";

import { readTar, writeTar } from "../src/engine/data/ovf-tar.ts";
import { makeTemporaryDirectory } from "./support/temporary-directory.ts";

const run = promisify(execFile);

test("an archive of OVFs is what tar reads, and is read back, whatever follows it", async () => {
  const path = join(await makeTemporaryDirectory(onTestFinished), "ovfs.tar");
  const texts = new Map([
    ["a.ovf", "<Envelope>ä</Envelope>"],
    ["b.ovf", "x".repeat(512)],
    ["c.ovf", ""],
  ]);
  const archive = writeTar(texts);
  await writeFile(path, archive);
  expect((await run("tar", ["-tf", path])).stdout).toBe("a.ovf\nb.ovf\nc.ovf\n");
  expect((await run("tar", ["-xOf", path, "a.ovf"])).stdout).toBe(texts.get("a.ovf"));
  expect(readTar(Buffer.concat([archive, Buffer.alloc(4096)]))).toEqual(texts);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" }), { maxLength: 4 }), (contents) => {
      const written = new Map(contents.map((text, index) => [`${index}.ovf`, text.toWellFormed()]));
      expect(readTar(writeTar(written))).toEqual(written);
    }),
  );
});
