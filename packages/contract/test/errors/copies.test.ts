import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { expect, test } from "vitest";

import {
  type ErrorCode,
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

test("errors of another copy of this package are recognised by their classes", async () => {
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

test("a minifier may give classes any names", async () => {
  await withCopy((copy) => {
    for (const kind of Object.values(copy)) Object.defineProperty(kind, "name", { value: "t" });
    const error = new copy.StoreMediumError("a bad sector");
    expect(error.name).toBe("t");
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).not.toBeInstanceOf(ObjectNotFoundError);
    expect(new StoreUnavailableError("ours")).toBeInstanceOf(copy.StoreUnavailableError);
    expect(new StoreUnavailableError("ours")).not.toBeInstanceOf(copy.StoreMediumError);
  });
});

/** A plugin's classes, as one copy of it has them. */
function pluginErrors() {
  class BucketError extends StoreError {
    static override readonly code: ErrorCode = "E_BUCKET";
  }
  class SlowStoreError extends StoreUnavailableError {
    static override readonly brand = "bucket.SlowStoreError";
  }
  class PlainError extends StoreError {}
  return { BucketError, SlowStoreError, PlainError };
}

test("two copies of a plugin's own class have its code in common, or its brand where it keeps the code of its parent", () => {
  const [ours, theirs] = [pluginErrors(), pluginErrors()];
  expect(new theirs.BucketError("x")).toBeInstanceOf(ours.BucketError);
  expect(new theirs.BucketError("x").code).toBe("E_BUCKET");
  expect(new theirs.SlowStoreError("x")).toBeInstanceOf(ours.SlowStoreError);
  expect(new theirs.SlowStoreError("x").code).toBe("E_STORE_UNAVAILABLE");
  expect(new StoreUnavailableError("x")).not.toBeInstanceOf(ours.SlowStoreError);
  expect(new theirs.PlainError("x")).toBeInstanceOf(StoreError);
  expect(new theirs.PlainError("x")).not.toBeInstanceOf(ours.PlainError);
  expect(new StoreError("x")).not.toBeInstanceOf(ours.PlainError);
});

test("a code that is only on the object is as good for `hasCode`", () => {
  class BucketError extends StoreError {
    override readonly code = "E_BUCKET";
  }
  const error = new BucketError("x");
  expect(hasCode(error, "E_BUCKET")).toBe(true);
  expect(hasCode(error, "E_STORE")).toBe(false);
  expect(error).toBeInstanceOf(StoreError);
  expect(new StoreError("x")).not.toBeInstanceOf(BucketError);
});

test("nothing else is one of our errors, and within one copy a name alone makes none", () => {
  class StoreReadOnlyError extends OvaultError {}
  const others: unknown[] = [new Error("x"), null, undefined, "E_STORE", {}, Object.create(null), () => undefined];
  for (const other of others) expect(other instanceof OvaultError).toBe(false);
  expect(new StoreReadOnlyError("x")).not.toBeInstanceOf(StoreError);
  expect(new StoreError("x")).not.toBeInstanceOf(StoreReadOnlyError);
});
