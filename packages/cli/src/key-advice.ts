import type { CreatedRepository } from "@ovault/operations";

import { text, type Block } from "./output/view.ts";

/** The notice about the key of a new repository. */
export function keyAdvice({ created, encryption, madeKeyFile }: CreatedRepository): readonly Block[] {
  if (!created || encryption === undefined) return [];
  const what = "keyFile" in encryption ? `THE KEY FILE ${encryption.keyFile}` : "THE PASSPHRASE";
  return [
    text(
      `KEEP A COPY OF ${what} WHERE THIS MACHINE CANNOT TAKE IT ALONG.`,
      "The backups are encrypted: without it they cannot be read, and it is not among them.",
      ...(madeKeyFile === null ? [] : [`It was made just now, and there is no other copy.`]),
    ),
  ];
}
