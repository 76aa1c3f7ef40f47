import { createHash, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import ssh2, { type AuthContext, type Connection } from "ssh2";

import type { SftpSettings } from "@ovault/destination-sftp";

import { serveSftp, type SessionOptions } from "./plain-session.ts";

export interface PlainServerOptions extends SessionOptions {
  /** Whether to let a user in; all by default. */
  readonly authenticate?: (context: AuthContext) => void;
  /** What comes in place of SFTP: a refusal, or these bytes. */
  readonly subsystem?: "refused" | Buffer;
}

export interface PlainSftpServer {
  /** An empty directory of its own. */
  readonly directory: string;
  readonly settings: SftpSettings;
  stop(): Promise<void>;
}

/** A server without any of OpenSSH's extensions, by ssh2, that misbehaves on request. */
export async function startPlainServer(options: PlainServerOptions = {}): Promise<PlainSftpServer> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-plain-"));
  const hostKey = newHostKey();
  const clients = new Set<Connection>();
  const ssh = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    clients.add(client);
    client.on("error", () => undefined);
    client.on("authentication", options.authenticate ?? ((context) => context.accept()));
    client.on("session", (accept) => {
      const session = accept();
      const { subsystem } = options;
      if (subsystem === undefined) session.on("sftp", (start) => serveSftp(start(), options));
      else if (subsystem !== "refused") session.on("subsystem", (start) => start().write(subsystem));
    });
  });
  const server = createServer({ noDelay: true }, (socket) => ssh.injectSocket(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    directory,
    settings: {
      host: "127.0.0.1",
      port: portOf(server),
      user: "anybody",
      directory,
      authentication: { by: "password", password: "anything" },
      trust: { fingerprint: fingerprintOf(hostKey) },
      connections: 2,
      timeoutMs: 60_000,
      readOnly: false,
    },
    async stop() {
      for (const client of clients) client.end();
      server.close();
      await once(server, "close");
      await rm(directory, { recursive: true });
    },
  };
}

/** Not by ssh2: of the keys that it makes, one in some hundred is malformed. */
function newHostKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return privateKey.export({ type: "sec1", format: "pem" }).toString();
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

function fingerprintOf(privateKey: string): string {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return `SHA256:${createHash("sha256").update(key.getPublicSSH()).digest("base64").replace(/=+$/, "")}`;
}
