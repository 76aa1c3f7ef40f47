import { Redactor, RepositorySecret } from "@ovault/core";
import { expect, test } from "vitest";

import { Terminal } from "@ovault/cli/internal/output/terminal";

import { judgePassphrase } from "../src/repository/judge-passphrase.ts";

/** What is said of a passphrase for a new repository; quiet, as with --json. */
function judged(passphrase: string): string {
  let said = "";
  const stream = { write: (text: string) => (said += text) };
  const terminal = new Terminal({ out: stream, err: stream }, new Redactor(), { quiet: true });
  judgePassphrase(RepositorySecret.passphrase(passphrase), terminal);
  return said;
}

test.each(["", "a", "hunter2", "aaaaaaaaaaaaaaaaaaaa", "abababababababababab", "🔑🔑🔑🔑"])(
  "%j is refused",
  (passphrase) => {
    expect(() => judged(passphrase)).toThrow(/too easy to guess/);
    expect(() => judged(passphrase)).not.toThrow(/hunter2/);
  },
);

test.each(["Password1!", "ashortone"])("%j is warned about, but not shown", (passphrase) => {
  expect(judged(passphrase)).toContain(`warning: the passphrase is one word of only ${passphrase.length} characters`);
  expect(judged(passphrase)).not.toContain(passphrase);
});

test.each(["a new one", "correct horse battery staple", "Grüße aus Brünn, 1909"])(
  "%j is taken without a word",
  (passphrase) => {
    expect(judged(passphrase)).toBe("");
  },
);

test("a key file is taken without a word", () => {
  const stream = { write: () => expect.unreachable() };
  const terminal = new Terminal({ out: stream, err: stream }, new Redactor(), { quiet: false });
  expect(judgePassphrase(RepositorySecret.keyFile(new Uint8Array(32)), terminal)).toBeUndefined();
});
