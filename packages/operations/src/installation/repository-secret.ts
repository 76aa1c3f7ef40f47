import type { PluginHost } from "@ovault/contract";
import { readKeyFile, RepositorySecret, type EncryptionSettings } from "@ovault/core";

/** @throws ConfigurationError when the secret that ovault.yaml refers to is missing, or other users may read it */
export async function repositorySecret(encryption: EncryptionSettings, host: PluginHost): Promise<RepositorySecret> {
  if ("keyFile" in encryption) return await readKeyFile(encryption.keyFile);
  return RepositorySecret.passphrase(await host.secret(encryption.passphrase));
}
