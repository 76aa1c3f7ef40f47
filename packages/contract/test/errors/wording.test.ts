import { expect, test } from "vitest";

import { type FieldName, jobField, UsageError } from "@ovault/contract";

const asOption: FieldName = (field, value) => ["--", field, value === undefined ? "" : ` ${String(value)}`].join("");

test("an error names fields of jobs as jobs are written, and in a client's words when it asks", () => {
  const error = new UsageError((field) => `${field("newer")} is not for points`, {
    hint: (field) => `Leave it out, or give ${field("keepDaily", 7)}.`,
  });
  expect(error).toMatchObject({ message: "`newer` is not for points", hint: "Leave it out, or give `keepDaily: 7`." });
  const said = { message: "--newer is not for points", hint: "Leave it out, or give --keepDaily 7." };
  expect(error.inWordsOf(asOption)).toEqual(said);
  expect(new UsageError("plain").inWordsOf(asOption)).toEqual({ message: "plain", hint: undefined });
});

test("a pair is an entry of a record", () => {
  expect(jobField("networks", ["prod", "test"])).toBe('`networks: { "prod": "test" }`');
});
