/** A host of the lab, besides the one that each cluster has. */
export interface LabHostRequest {
  /** Settings of a host that is there already apply as well. */
  readonly name: string;
  /** Default: the first. */
  readonly cluster?: string | undefined;
  readonly ssh?: HostSshSettings | undefined;
  /** A host that is there already, e.g. a guest, in place of one that the lab starts. */
  readonly outside?: OutsideHost | undefined;
}

export interface OutsideHost {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** `ssh-ed25519 AAAA…` */
  readonly publicKey: string;
}

/** How a host's sshd is set up, until the lab stops. */
export interface HostSshSettings {
  /** Lines of sshd_config that win over the lab's own, e.g. `MaxSessions 1`. */
  readonly config?: readonly string[] | undefined;
  /** What a start file of the shell prints at each log-in. Needs bash as the login shell of the lab's user. */
  readonly noise?: string | undefined;
  /** Names of programs that the host's PATH does not have. */
  readonly hiddenTools?: readonly string[] | undefined;
  /** Further environment of what runs on the host. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/**
 * The algorithms of OpenSSH 7.4, of EL7, for `config`: what it offers by default, as far as later releases still know
 * it (https://www.openssh.com/txt/release-7.4).
 */
export const openSsh74: readonly string[] = [
  "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha256,diffie-hellman-group14-sha1",
  "Ciphers chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-cbc,aes192-cbc,aes256-cbc",
  "MACs umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1",
  "HostKeyAlgorithms ssh-ed25519,rsa-sha2-512,rsa-sha2-256,ssh-rsa",
];
