import { UsageError, type SecretReference } from "@ovault/contract";

/**
 * A secret reference as an option: `env:NAME`, `file:PATH` or `command:PROGRAM ARGUMENT…`. Anything else might be the
 * secret itself, so it is refused without being repeated. `what` names the secret in the error.
 */
export function parseSecretReference(written: string, what: "password" | "passphrase"): SecretReference {
  const [, kind, value = ""] = /^(env|file|command):(.+)$/s.exec(written) ?? [];
  switch (kind) {
    case "env":
      return { env: value };
    case "file":
      return { file: value };
    case "command":
      return { command: value.trim().split(/\s+/) };
    default:
      throw new UsageError(`a ${what} is never given itself, only where it is found`, {
        hint: "Write env:NAME, file:PATH or command:PROGRAM ARGUMENT…",
      });
  }
}
