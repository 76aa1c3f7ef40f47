import type { Socket } from "node:net";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";

import type { Client, FileEntryWithStats, SFTPWrapper } from "ssh2";

import { StoreError, StoreUnavailableError } from "@ovault/contract";

import { type RemoteFile, remoteFile } from "./remote-file.ts";
import { type RemoteFileSystem, remoteFileSystem } from "./remote-file-system.ts";
import { SftpStatusError, STATUS } from "./sftp-status.ts";

/** How long requests under way may still take when a connection ends. */
const FAREWELL_MS = 2000;
/** Message of ssh2's error for a request that the server has not announced. */
const NOT_OFFERED = "Server does not support this extended request";

export type Handle = Buffer;

export interface DirectoryEntry {
  readonly name: string;
  /** `undefined` when the listing lacks it; `stat` may have it. */
  readonly file: RemoteFile | undefined;
}

export interface ConnectionParts {
  readonly client: Client;
  readonly sftp: SFTPWrapper;
  readonly socket: Socket;
  /** `host:port`, for messages. */
  readonly server: string;
  /** How long the server may leave all requests unanswered. */
  readonly timeoutMs: number;
}

type Answer = (error: Error | null | undefined, value?: unknown) => void;

interface Request {
  readonly promise: Promise<unknown>;
  readonly reject: (reason: Error) => void;
}

/**
 * The requests of SFTP as promises, over one SSH connection. Many may be under way at once. They reject with
 * SftpStatusError for the server's status (`unsupported` for an extension that it does not offer),
 * StoreUnavailableError when the connection is lost, StoreError for an answer that makes no sense. The connection keeps
 * the process alive only while a request is under way.
 */
export class SftpConnection {
  readonly #parts: ConnectionParts;
  readonly #underWay = new Set<Request>();
  #watchdog: NodeJS.Timeout | undefined;
  #lost = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    const { client, sftp, socket } = parts;
    // The listeners stay: an 'error' without a listener would end the process.
    client.on("error", (error: unknown) => this.drop(error));
    sftp.on("error", (error: unknown) => this.drop(error));
    client.on("close", () => this.drop());
    sftp.on("close", () => this.drop());
    socket.unref();
  }

  get isLost(): boolean {
    return this.#lost;
  }

  /** `wx` makes a new file, readable by its owner alone. */
  async open(path: string, mode: "r" | "wx"): Promise<Handle> {
    return this.#handle(await this.#ask((sftp, answer) => sftp.open(path, mode, 0o600, answer)));
  }

  async openDirectory(path: string): Promise<Handle> {
    return this.#handle(await this.#ask((sftp, answer) => sftp.opendir(path, answer)));
  }

  async close(handle: Handle): Promise<void> {
    await this.#ask((sftp, answer) => sftp.close(handle, answer));
  }

  /** Reads at most the length of the buffer, maybe less; 0 at the end of the file. */
  async read(handle: Handle, buffer: Buffer, position: number): Promise<number> {
    const bytes = await this.#ask((sftp, answer) => sftp.read(handle, buffer, 0, buffer.length, position, answer));
    if (typeof bytes !== "number" || bytes > buffer.length) throw this.#nonsense("more than was asked for");
    return bytes;
  }

  async write(handle: Handle, bytes: Buffer, position: number): Promise<void> {
    await this.#ask((sftp, answer) => sftp.write(handle, bytes, 0, bytes.length, position, answer));
  }

  /** Makes a file durable, or a directory if the server can open one. */
  async sync(handle: Handle): Promise<void> {
    await this.#ask((sftp, answer) => sftp.ext_openssh_fsync(handle, answer));
  }

  async statHandle(handle: Handle): Promise<RemoteFile> {
    return this.#file(await this.#ask((sftp, answer) => sftp.fstat(handle, answer)));
  }

  /** Does not follow links. */
  async stat(path: string): Promise<RemoteFile> {
    return this.#file(await this.#ask((sftp, answer) => sftp.lstat(path, answer)));
  }

  /** The next entries, in any order, maybe none; `endOfFile` after the last. */
  async readDirectory(handle: Handle): Promise<readonly DirectoryEntry[]> {
    const entries = await this.#ask((sftp, answer) => sftp.readdir(handle, answer));
    if (!Array.isArray(entries)) throw this.#nonsense("an invalid listing");
    return entries.map(({ filename, attrs }: FileEntryWithStats) => ({ name: filename, file: remoteFile(attrs) }));
  }

  /** Accessible by its owner alone. */
  async makeDirectory(path: string): Promise<void> {
    await this.#ask((sftp, answer) => sftp.mkdir(path, { mode: 0o700 }, answer));
  }

  async remove(path: string): Promise<void> {
    await this.#ask((sftp, answer) => sftp.unlink(path, answer));
  }

  /** SFTP's rename: most servers refuse it where `to` exists. */
  async rename(from: string, to: string): Promise<void> {
    await this.#ask((sftp, answer) => sftp.rename(from, to, answer));
  }

  /** POSIX's rename: replaces `to` atomically. */
  async replace(from: string, to: string): Promise<void> {
    await this.#ask((sftp, answer) => sftp.ext_openssh_rename(from, to, answer));
  }

  /** Gives a file a second name; fails where the name is taken. */
  async link(from: string, to: string): Promise<void> {
    await this.#ask((sftp, answer) => sftp.ext_openssh_hardlink(from, to, answer));
  }

  /** The absolute path, free of links, of an existing file. */
  async resolve(path: string): Promise<string> {
    const resolved = await this.#ask((sftp, answer) => sftp.realpath(path, answer));
    if (typeof resolved !== "string" || !resolved.startsWith("/")) throw this.#nonsense("an invalid path");
    return resolved;
  }

  async fileSystem(path: string): Promise<RemoteFileSystem> {
    const found = remoteFileSystem(await this.#ask((sftp, answer) => sftp.ext_openssh_statvfs(path, answer)));
    if (found === undefined) throw this.#nonsense("invalid figures of a file system");
    return found;
  }

  /** Closes a handle and ignores the result. */
  closeInBackground(handle: Handle): void {
    this.close(handle).catch(() => undefined);
  }

  /** Ends the connection once no request is under way, or after two seconds. */
  async end(): Promise<void> {
    await Promise.race([this.#quiet(), delay(FAREWELL_MS, undefined, { ref: false })]);
    if (this.#underWay.size > 0) this.drop();
    if (this.#lost) return;
    this.#lost = true;
    this.#parts.client.end();
    this.#parts.socket.destroySoon();
  }

  /** Breaks the connection: requests under way and later ones fail. */
  drop(cause?: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#parts.socket.destroy();
    const requests = [...this.#underWay];
    this.#underWay.clear();
    this.#watch();
    for (const request of requests) request.reject(this.#loss(cause));
  }

  #ask(send: (sftp: SFTPWrapper, answer: Answer) => void): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#lost) {
      reject(this.#loss());
      return promise;
    }
    const request: Request = { promise, reject };
    const settle = (error: Error | null | undefined, value?: unknown): void => {
      if (!this.#underWay.delete(request)) return;
      this.#watch();
      if (error) reject(this.#failure(error));
      else resolve(value);
    };
    this.#underWay.add(request);
    this.#watch();
    try {
      send(this.#parts.sftp, settle);
    } catch (error) {
      settle(error instanceof Error ? error : new Error(String(error)));
    }
    return promise;
  }

  /** Restarts the time-out with every request and every answer. */
  #watch(): void {
    const { socket, timeoutMs } = this.#parts;
    clearTimeout(this.#watchdog);
    if (this.#underWay.size === 0) {
      socket.unref();
    } else {
      socket.ref();
      this.#watchdog = setTimeout(() => this.drop(new Error(`no answer for ${timeoutMs} ms`)), timeoutMs);
    }
  }

  async #quiet(): Promise<void> {
    while (this.#underWay.size > 0) {
      await Promise.allSettled([...this.#underWay].map((request) => request.promise));
      // Lets the waiting caller send its next request.
      await turn();
    }
  }

  #failure(error: Error): Error {
    if ("code" in error && typeof error.code === "number") return new SftpStatusError(error.code, error.message);
    if (error.message === NOT_OFFERED) return new SftpStatusError(STATUS.unsupported, error.message);
    // ssh2 fails all requests with this when the channel closes.
    return this.#loss(error);
  }

  #loss(cause?: unknown): StoreError {
    const { server } = this.#parts;
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    if (cause instanceof Error && "level" in cause && cause.level === "sftp-protocol") {
      return new StoreError(`${server} does not speak SFTP as it should${why}`, { cause, context: { server } });
    }
    return new StoreUnavailableError(`the connection to ${server} is lost${why}`, {
      cause,
      context: { server },
      retry: "transient",
      hint: "Does the network hold, and does the server run? Its log says whether it ended the connection.",
    });
  }

  #nonsense(what: string): StoreError {
    const { server } = this.#parts;
    return new StoreError(`${server} answered with ${what}`, { context: { server } });
  }

  #handle(value: unknown): Handle {
    if (!Buffer.isBuffer(value)) throw this.#nonsense("an invalid file handle");
    return value;
  }

  #file(value: unknown): RemoteFile {
    const file = typeof value === "object" && value !== null ? remoteFile(value) : undefined;
    if (file === undefined) throw this.#nonsense("attributes that no file has");
    return file;
  }
}
