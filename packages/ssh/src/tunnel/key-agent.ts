import { sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

import type { ParsedKey } from "ssh2";

/** Messages of an SSH agent (draft-miller-ssh-agent). */
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const FAILURE = 5;

const RSA_SHA2_256 = 1 << 1;
const RSA_SHA2_512 = 1 << 2;

/** Longest request to answer; sshd signs some hundred bytes. */
const MOST_BYTES = 256 * 1024;

/**
 * An SSH agent with one key, so that the ssh command logs in with a key that is in no file, and never sees it. ssh2's
 * AgentProtocol loses its place at a request it does not know, as OpenSSH 8.9 and newer send one first.
 */
export async function serveKey(key: ParsedKey, path: string): Promise<{ close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    let held: Buffer = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
        const end = 4 + held.readUInt32BE(0);
        socket.write(string(answer(held.subarray(4, end), key)));
        held = held.subarray(end);
      }
      if (held.length > MOST_BYTES) socket.destroy();
    });
  });
  server.listen(path);
  await once(server, "listening");
  return {
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function answer(request: Buffer, key: ParsedKey): Buffer {
  try {
    if (request[0] === REQUEST_IDENTITIES) {
      return Buffer.concat([Buffer.of(IDENTITIES_ANSWER), uint32(1), string(key.getPublicSSH()), string("ovault")]);
    }
    if (request[0] !== SIGN_REQUEST) return Buffer.of(FAILURE);
    const [blob, afterBlob] = readString(request, 1);
    const [data, afterData] = readString(request, afterBlob);
    if (!blob.equals(key.getPublicSSH())) return Buffer.of(FAILURE);
    const signature = signatureOf(key, data, request.readUInt32BE(afterData));
    return Buffer.concat([Buffer.of(SIGN_RESPONSE), string(signature)]);
  } catch {
    return Buffer.of(FAILURE);
  }
}

/** The name of the algorithm, and the signature in its form (RFC 4253, 5656, 8332, 8709). */
function signatureOf(key: ParsedKey, data: Buffer, flags: number): Buffer {
  const privateKey = key.getPrivatePEM();
  switch (key.type) {
    case "ssh-ed25519":
      return named(key.type, sign(null, data, privateKey));
    case "ssh-rsa":
      if ((flags & RSA_SHA2_512) !== 0) return named("rsa-sha2-512", sign("sha512", data, privateKey));
      if ((flags & RSA_SHA2_256) !== 0) return named("rsa-sha2-256", sign("sha256", data, privateKey));
      throw new Error("SHA-1 proves nothing");
    case "ecdsa-sha2-nistp256":
    case "ecdsa-sha2-nistp384":
    case "ecdsa-sha2-nistp521": {
      const digest = key.type.endsWith("521") ? "sha512" : `sha${key.type.slice(-3)}`;
      return named(key.type, pairOfIntegers(sign(digest, data, { key: privateKey, dsaEncoding: "ieee-p1363" })));
    }
    default:
      throw new Error(`no signatures with a key of type ${key.type}`);
  }
}

function named(algorithm: string, signature: Buffer): Buffer {
  return Buffer.concat([string(algorithm), string(signature)]);
}

/** `r` and `s` of the same length, as two `mpint`. */
function pairOfIntegers(signature: Buffer): Buffer {
  const half = signature.length / 2;
  return Buffer.concat([mpint(signature.subarray(0, half)), mpint(signature.subarray(half))]);
}

/** Without leading zeros, but for one that keeps the sign. */
function mpint(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.alloc(0) : bytes.subarray(first);
  return string((digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits);
}

function string(content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function readString(bytes: Buffer, at: number): [content: Buffer, end: number] {
  const start = at + 4;
  const end = start + bytes.readUInt32BE(at);
  if (end > bytes.length) throw new RangeError("a string ends after its message");
  return [bytes.subarray(start, end), end];
}
