import { resolve } from "node:path";

import { UsageError } from "@ovault/contract";
import type { EncryptionSettings } from "@ovault/core";

import type { Questions } from "./questions.ts";
import { parseSecretReference } from "./secret-option.ts";

/** The options that name the secret of an encrypted repository. */
export interface KeyOptions {
  readonly passphrase?: string;
  readonly keyFile?: string;
}

/** The secret they name; undefined when neither was given. */
export function keyFrom({ passphrase, keyFile }: KeyOptions): EncryptionSettings | undefined {
  if (passphrase !== undefined && keyFile !== undefined) {
    throw new UsageError("--passphrase and --key-file exclude each other", {
      hint: "Add the other one with ovault key add.",
    });
  }
  if (passphrase !== undefined) return { passphrase: parseSecretReference(passphrase, "passphrase") };
  return keyFile === undefined ? undefined : { keyFile: resolve(keyFile) };
}

/** With `--encrypt`, the secret that opens the repository; asks for the passphrase's reference if none is given. */
export async function encryptionFrom(
  { encrypt, ...options }: KeyOptions & { readonly encrypt?: boolean },
  questions: Questions,
): Promise<EncryptionSettings | undefined> {
  const key = keyFrom(options);
  if (encrypt === true) return key ?? keyFrom({ passphrase: await askForPassphrase(questions) });
  if (key === undefined) return undefined;
  throw new UsageError("--passphrase and --key-file are for --encrypt", { hint: "Give --encrypt too, or neither." });
}

function askForPassphrase(questions: Questions): Promise<string> {
  const option = "--passphrase or --key-file";
  return questions.ask("Where is the passphrase for the backups (env:NAME, file:PATH)", { option });
}
