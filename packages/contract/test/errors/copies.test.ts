import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { expect, test } from "vitest";

import {
  hasCode,
  IntegrityError,
  isTransient,
  ObjectNotFoundError,
  OvaultError,
  StoreError,
  StoreUnavailableError,
} from "@ovault/contract";

type Errors = typeof import("../../src/errors/store-errors.ts");

/** Another copy of the error classes, as a plugin has them that is installed elsewhere. */
async function withCopy(use: (errors: Errors) => void): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-errors-"));
  try {
    await cp(new URL("../../src/errors", import.meta.url), directory, { recursive: true });
    const copy: Errors = await import(pathToFileURL(join(directory, "store-errors.ts")).href);
    use(copy);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("errors of another copy of this package are told by their classes", async () => {
  await withCopy((copy) => {
    const error = new copy.ObjectNotFoundError("no object a", { hint: "Look elsewhere." });
    expect(Object.getPrototypeOf(error)).not.toBe(ObjectNotFoundError.prototype);
    expect(error).toBeInstanceOf(ObjectNotFoundError);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toBeInstanceOf(OvaultError);
    expect(error).not.toBeInstanceOf(StoreUnavailableError);
    expect(error).not.toBeInstanceOf(IntegrityError);
    expect(hasCode(error, "E_OBJECT_NOT_FOUND")).toBe(true);
    expect(isTransient(new copy.StoreUnavailableError("not now", { retry: "transient" }))).toBe(true);
    expect(new StoreError("ours")).toBeInstanceOf(copy.StoreError);
  });
});

test("nothing else is one of our errors, and within one copy a name alone makes none", () => {
  class StoreReadOnlyError extends OvaultError {}
  const others: unknown[] = [new Error("x"), null, undefined, "E_STORE", {}, Object.create(null), () => undefined];
  for (const other of others) expect(other instanceof OvaultError).toBe(false);
  expect(new StoreReadOnlyError("x")).not.toBeInstanceOf(StoreError);
  expect(new StoreError("x")).not.toBeInstanceOf(StoreReadOnlyError);
});
