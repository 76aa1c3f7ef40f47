import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

import { UsageError, systemErrorCode } from "@ovault/contract";

import { createAuthority, currentValidity, issueServerCertificate, type KeyPair } from "../certificates.ts";

/** Longest path of a socket on Linux. */
const MAX_SOCKET_PATH = 107;

/** Layout of a lab's directory. Only the owner can read keys and passwords. */
export class LabDirectory {
  readonly path: string;
  readonly stateFile: string;
  readonly infoFile: string;
  readonly caFile: string;
  readonly passwordFile: string;
  readonly configurationFile: string;
  readonly storage: string;
  /** A directory for each host. */
  readonly hosts: string;
  /** Private key that logs in to the hosts. */
  readonly loginKey: string;
  /** What hosts have at /rhev/data-center. */
  readonly dataCenters: string;
  /** A folder for each data centre, which is its export domain. */
  readonly staging: string;
  readonly #pki: string;

  constructor(path: string) {
    this.path = resolve(path);
    this.stateFile = join(this.path, "engine.json");
    this.infoFile = join(this.path, "lab.json");
    this.caFile = join(this.path, "ca.pem");
    this.passwordFile = join(this.path, "lab-password");
    this.configurationFile = join(this.path, "ovault.yaml");
    this.storage = join(this.path, "storage");
    this.hosts = join(this.path, "hosts");
    this.loginKey = join(this.hosts, "login-key");
    this.dataCenters = join(this.path, "rhev", "data-center");
    this.staging = join(this.path, "staging");
    this.#pki = join(this.path, "pki");
  }

  async create(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    await mkdir(this.#pki, { recursive: true, mode: 0o700 });
  }

  /** @throws UsageError when the directory's path is too long for a socket. */
  get socket(): string {
    const absolute = join(this.path, "lab.sock");
    const shortest = [absolute, relative(process.cwd(), absolute)].find(
      (path) => Buffer.byteLength(path) <= MAX_SOCKET_PATH,
    );
    if (shortest === undefined) {
      throw new UsageError(`the path of ${this.path} is too long for a socket`, {
        hint: "Choose a shorter directory.",
      });
    }
    return shortest;
  }

  /** The password of the lab's user, made on first use. */
  async password(): Promise<string> {
    const text = await keep(this.passwordFile, () => randomBytes(12).toString("base64url"));
    return text.trim();
  }

  /** The lab's own CA, made on first use. Its certificate lies in the lab's directory for users. */
  async authority(): Promise<KeyPair> {
    const made = await this.#keyPair("ca", () => createAuthority("ovault lab"));
    await writeFile(this.caFile, made.certificatePem);
    return made;
  }

  /** Certificate of the API and of imageio, made on first use. */
  async serverCertificate(authority: KeyPair): Promise<KeyPair> {
    return this.#keyPair("server", () => issueServerCertificate(authority, currentValidity()));
  }

  async #keyPair(name: string, make: () => Promise<KeyPair>): Promise<KeyPair> {
    const text = await keep(join(this.#pki, `${name}.pem`), async () => {
      const { certificatePem, privateKeyPem } = await make();
      return `${certificatePem}${privateKeyPem}\n`;
    });
    const key = text.indexOf("-----BEGIN PRIVATE KEY-----");
    return { certificatePem: text.slice(0, key), privateKeyPem: text.slice(key) };
  }
}

/** Reads a secret file, or creates it. */
async function keep(file: string, make: () => string | Promise<string>): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
  const text = await make();
  await writeFile(file, text, { mode: 0o600 });
  await chmod(file, 0o600);
  return text;
}
