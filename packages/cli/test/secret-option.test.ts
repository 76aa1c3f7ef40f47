import { expect, test } from "vitest";

import { UsageError } from "@ovault/contract";

import { parseSecretReference } from "../src/secret-option.ts";

test.each([
  ["env:PASSWORD", { env: "PASSWORD" }],
  ["file:/etc/ovault/password", { file: "/etc/ovault/password" }],
  ["command:pass show engine", { command: ["pass", "show", "engine"] }],
])("%s is a reference to a secret", (written, reference) => {
  expect(parseSecretReference(written, "password")).toEqual(reference);
});

test.each(["hunter2-hunter2", "env:", "vault:secret"])("%s is refused, and not repeated", (written) => {
  expect(() => parseSecretReference(written, "passphrase")).toThrow(UsageError);
  expect(() => parseSecretReference(written, "passphrase")).not.toThrow(written);
});
