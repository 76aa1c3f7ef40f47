export interface SshdSettings {
  /** On 127.0.0.1. */
  readonly port: number;
  /** The only one who may log in. */
  readonly user: string;
  /** Files of private keys. */
  readonly hostKeys: readonly string[];
  /** File of public keys. */
  readonly authorizedKeys: string;
  /** Lines that win over all others. */
  readonly config: readonly string[];
  /** Of everything that runs in a session. */
  readonly environment: Readonly<Record<string, string>>;
  /** The command that serves SFTP. Default: sshd itself. */
  readonly sftp?: string | undefined;
}

/** The text of an sshd_config that touches no account of the machine. sshd takes the first value of each keyword. */
export function sshdConfiguration(settings: SshdSettings): string {
  const { port, user, hostKeys, authorizedKeys, config, environment, sftp = "internal-sftp" } = settings;
  const variables = Object.entries(environment).map(([name, value]) => quoted(`${name}=${value}`));
  return [
    ...config,
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    ...hostKeys.map((file) => `HostKey ${quoted(file)}`),
    `AuthorizedKeysFile ${quoted(authorizedKeys)}`,
    `AllowUsers ${user}`,
    "PermitRootLogin yes",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "StrictModes no", // the files may lie below directories that others can write to
    "UsePAM no",
    "PidFile none",
    "MaxStartups 100",
    `Subsystem sftp ${sftp}`,
    ...(variables.length === 0 ? [] : [`SetEnv ${variables.join(" ")}`]),
    "",
  ].join("\n");
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
