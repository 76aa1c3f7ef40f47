import { expect, test } from "vitest";

import * as contract from "@ovault/contract";

import { ImageFileError } from "@ovault/disk-image";
import { NbdProtocolError } from "@ovault/nbd";
import { errorSummary } from "@ovault/operations";
import { SnapshotFailedError } from "@ovault/ovirt";
import { ImageCorruptError } from "@ovault/qcow2";
import { HostKeyError, SshLoginError } from "@ovault/ssh";

import { exitCodeOf, exitCodeOfAll } from "../src/exit-code-of.ts";

class DigestMismatchError extends contract.IntegrityError {
  override readonly code = "E_DIGEST_MISMATCH";
}

test.each([
  [new Error("a fault of ours"), 1],
  [new contract.UsageError("x"), 2],
  [new contract.ConfigurationError("x"), 2],
  [new contract.NotFoundError("x"), 2],
  [new contract.PluginError("x"), 2],
  [new contract.LedgerError("x"), 2],
  [new contract.ManagerError("x"), 3],
  [new contract.AuthenticationError("x"), 3],
  [new contract.CertificateError("x"), 3],
  [new contract.DeadlineError("x"), 3],
  [new contract.StoreFullError("x"), 4],
  [new contract.DestinationMissingError("x"), 4],
  [new contract.NotARepositoryError("x"), 4],
  [new contract.RepositoryVersionError("x"), 4],
  [new contract.WrongKeyError("x"), 4],
  [new contract.IntegrityError("x"), 5],
  [new DigestMismatchError("a kind this table does not know"), 5],
  [new contract.LeaseHeldError("x"), 6],
  [new contract.CancelledError("x"), 130],
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
  const [gone, refused, full, fault] = [
    errorSummary(new contract.ManagerUnavailableError("x")),
    errorSummary(new contract.AuthenticationError("x")),
    errorSummary(new contract.StoreFullError("x")),
    errorSummary(new Error("a fault of ours")),
  ];
  expect([
    exitCodeOfAll([]),
    exitCodeOfAll([null, null]),
    exitCodeOfAll([gone, gone]),
    exitCodeOfAll([gone, refused]),
    exitCodeOfAll([full]),
    exitCodeOfAll([gone, full]),
    exitCodeOfAll([null, gone]),
    exitCodeOfAll([fault, fault]),
  ]).toEqual([0, 0, 3, 3, 4, 7, 7, 1]);
});
