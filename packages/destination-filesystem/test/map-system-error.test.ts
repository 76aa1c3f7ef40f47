import { expect, test } from "vitest";

import { OvaultError } from "@ovault/contract";

import { mapSystemError } from "../src/map-system-error.ts";

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code, syscall: "write", errno: -1 });
}

test.each([
  ["ENOSPC", "E_STORE_FULL", "never"],
  ["EDQUOT", "E_STORE_FULL", "never"],
  ["EROFS", "E_STORE_READ_ONLY", "never"],
  ["EACCES", "E_STORE_PERMISSION", "never"],
  ["EPERM", "E_STORE_PERMISSION", "never"],
  ["ESTALE", "E_STORE_UNAVAILABLE", "transient"],
  ["EIO", "E_STORE_MEDIUM", "transient"],
  ["ETIMEDOUT", "E_STORE_UNAVAILABLE", "transient"],
  ["ENOTCONN", "E_STORE_UNAVAILABLE", "transient"],
  ["EFBIG", "E_STORE", "never"],
])("%s is %s and may be repeated: %s", async (errno, code, retry) => {
  const cause = systemError(errno);
  const mapped = await mapSystemError(cause, { root: "/", what: "write a" });
  expect(mapped).toMatchObject({ code, retry, cause, context: { directory: "/", errno } });
});

test("an error that is not the operating system's stays what it is", async () => {
  for (const error of [new OvaultError("ours"), new Error("a bug"), new DOMException("stop", "AbortError")]) {
    expect(await mapSystemError(error, { root: "/", what: "write a" })).toBe(error);
  }
});
