import { CancelledError, DeadlineError } from "@ovault/contract";
import { expect, test } from "vitest";

import { jobFailure } from "../src/text/job-failure.ts";

const cancelled = "the job was cancelled";

test.each([
  [undefined, cancelled],
  [null, cancelled],
  [{ a: 1 }, cancelled],
  [() => 1, cancelled],
  ["", cancelled],
  [new Error(""), cancelled],
  ["night is over", "night is over"],
  [7, "7"],
  [new Error("night is over"), "night is over"],
])("an abort for %s reads %j", (reason, message) => {
  const cause = new Error("torn connection");
  const failure = jobFailure(cause, AbortSignal.abort(reason));
  expect(failure).toBeInstanceOf(CancelledError);
  expect(failure).toMatchObject({ message, cause });
});

test("a deadline stays one", () => {
  const reason = new DeadlineError("too late");
  expect(jobFailure(new Error("torn"), AbortSignal.abort(reason))).toBe(reason);
});
