import { expect, test } from "vitest";

import * as core from "@ovault/core";

import { ImageFileError } from "@ovault/disk-image";
import { NbdProtocolError } from "@ovault/nbd";
import { SnapshotFailedError } from "@ovault/ovirt";
import { ImageCorruptError } from "@ovault/qcow2";
import { HostKeyError, SshLoginError } from "@ovault/ssh";

import { exitCodeOf, exitCodeOfAll } from "../src/exit-code-of.ts";

class DigestMismatchError extends core.IntegrityError {
  override readonly code = "E_DIGEST_MISMATCH";
}

test.each([
  [new Error("a fault of ours"), 1],
  [new core.UsageError("x"), 2],
  [new core.ConfigurationError("x"), 2],
  [new core.NotFoundError("x"), 2],
  [new core.PluginError("x"), 2],
  [new core.LedgerError("x"), 2],
  [new core.ManagerError("x"), 3],
  [new core.AuthenticationError("x"), 3],
  [new core.CertificateError("x"), 3],
  [new core.DeadlineError("x"), 3],
  [new core.StoreFullError("x"), 4],
  [new core.DestinationMissingError("x"), 4],
  [new core.NotARepositoryError("x"), 4],
  [new core.RepositoryVersionError("x"), 4],
  [new core.WrongKeyError("x"), 4],
  [new core.IntegrityError("x"), 5],
  [new DigestMismatchError("a kind this table does not know"), 5],
  [new core.LeaseHeldError("x"), 6],
  [new core.CancelledError("x"), 130],
  [new ImageFileError("a kind from a package above core"), 4],
  [new SshLoginError("a code below the one that the table has"), 3],
  [new HostKeyError("x"), 4],
  [new ImageCorruptError("x"), 3],
  [new SnapshotFailedError("x"), 3],
  [new NbdProtocolError("x"), 3],
])("%s ends the process with %i", (error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});

test("several things end with the code of their failures when all failed alike, and with 7 when not", () => {
  const [gone, refused, full] = [
    new core.ManagerUnavailableError("x"),
    new core.AuthenticationError("x"),
    new core.StoreFullError("x"),
  ];
  expect([
    exitCodeOfAll([]),
    exitCodeOfAll([undefined, undefined]),
    exitCodeOfAll([gone, gone]),
    exitCodeOfAll([gone, refused]),
    exitCodeOfAll([full]),
    exitCodeOfAll([gone, full]),
    exitCodeOfAll([undefined, gone]),
    exitCodeOfAll([new Error("a fault of ours"), new Error("another")]),
  ]).toEqual([0, 0, 3, 3, 4, 7, 7, 1]);
});
