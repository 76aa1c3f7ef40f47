import { UsageError } from "@ovault/contract";
import {
  createKeyFile,
  readKeyFile,
  RepositorySecret,
  resolveSecret,
  type EncryptionSettings,
  type KeyInfo,
} from "@ovault/core";
import { judgePassphrase } from "@ovault/operations";

import { examples, type CommandContext, type Define } from "../../command.ts";
import { keyFrom, type KeyOptions } from "../../encryption-options.ts";
import { text } from "../../output/view.ts";
import { withKeyRing, type KeyCommandOptions } from "./with-key-ring.ts";

interface AddOptions extends KeyCommandOptions, KeyOptions {
  readonly label?: string;
}

export interface AddedKey {
  readonly added: KeyInfo;
  /** Path of the newly created key file, if any. */
  readonly madeKeyFile: string | null;
}

export const defineAdd: Define = (command, invoke) => {
  command
    .option("--passphrase <reference>", "where the new one is found: env:NAME, file:PATH or command:PROGRAM ARGUMENT…")
    .option("--key-file <path>", "the new key file; made if it does not exist")
    .option("--label <text>", "names the key; readable by all who can read the destination")
    .addHelpText(
      "after",
      examples(
        ["ovault key add --passphrase env:NEW_PASSPHRASE", ""],
        ["ovault key add --key-file /root/safe.key --label safe", "a second key, to be kept elsewhere"],
      ),
    )
    .action((options: AddOptions) =>
      invoke(command, async (context) => {
        const { added, madeKeyFile } = await addKey(context, options);
        const made = madeKeyFile === null ? [] : [`MADE ${madeKeyFile}: KEEP A COPY OF IT ELSEWHERE.`];
        return { data: { added, madeKeyFile }, view: [text(`added ${added.id} (${added.kind})`, ...made)] };
      }),
    );
};

/** The repository must open with the secret in ovault.yaml before anything is made. */
export async function addKey(context: CommandContext, options: AddOptions): Promise<AddedKey> {
  const wanted = keyFrom(options);
  if (wanted === undefined) throw new UsageError("--passphrase or --key-file is missing");
  return await withKeyRing(context, options, async (ring) => {
    const madeKeyFile = "keyFile" in wanted && (await createKeyFile(wanted.keyFile)) ? wanted.keyFile : null;
    const secret = await secretOf(wanted, context);
    const label = options.label ?? "";
    return { added: await ring.add(secret, { label, signal: context.signal }), madeKeyFile };
  });
}

/** Relative paths start at the current directory. */
async function secretOf(
  wanted: EncryptionSettings,
  { redactor, signal, terminal }: CommandContext,
): Promise<RepositorySecret> {
  if ("keyFile" in wanted) return await readKeyFile(wanted.keyFile);
  const passphrase = await resolveSecret(wanted.passphrase, { baseDirectory: process.cwd(), signal });
  redactor.add(passphrase);
  const secret = RepositorySecret.passphrase(passphrase);
  judgePassphrase(secret, terminal);
  return secret;
}
