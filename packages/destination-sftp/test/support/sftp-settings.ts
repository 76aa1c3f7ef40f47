import type { SftpSettings } from "@ovault/destination-sftp";
import type { OpenSshServer } from "@ovault/test-support/open-ssh-server";

/** A directory of the server as a destination. */
export async function sftpSettings(
  server: OpenSshServer,
  directory: string,
  changes: Partial<SftpSettings> = {},
): Promise<SftpSettings> {
  const settings = await server.settings();
  return { ...settings, directory, connections: 2, timeoutMs: 60_000, readOnly: false, ...changes };
}
