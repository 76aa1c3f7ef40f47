import { aboutOption, type PluginHost } from "@ovault/contract";
import { readKeyFile, RepositorySecret, type DestinationEntry } from "@ovault/core";

/** @throws ConfigurationError when the secret that ovault.yaml refers to is missing, or other users may read it */
export async function repositorySecret(
  { name, settings: { encryption } }: DestinationEntry,
  host: PluginHost,
): Promise<RepositorySecret | undefined> {
  if (encryption === undefined) return undefined;
  const place = `destinations.${name}.encryption`;
  if ("keyFile" in encryption) return await aboutOption(`${place}.keyFile`, () => readKeyFile(encryption.keyFile));
  return RepositorySecret.passphrase(
    await aboutOption(`${place}.passphrase`, () => host.secret(encryption.passphrase)),
  );
}
