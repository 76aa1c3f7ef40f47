import { STATUS_CODES } from "node:http";
import type { ServerResponse } from "node:http";

import { HttpRefusal } from "./errors.ts";

/** What the emulated daemon calls itself. */
export const VERSION = "2.5.3";

const INTERNAL_ERROR = "Server failed to perform the request, check logs";

export interface ReplyOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly close?: boolean;
}

/** Begins an answer the way imageio's Python server writes it: lower-case names, its order, no keep-alive talk. */
export function beginReply(
  response: ServerResponse,
  status: number,
  contentLength: number,
  { headers = {}, close = false }: ReplyOptions = {},
): void {
  response.sendDate = false;
  if (!close) response.removeHeader("connection");
  response.writeHead(status, STATUS_CODES[status] ?? "", {
    server: `imageio/${VERSION}`,
    date: new Date().toUTCString(),
    "content-length": contentLength,
    ...(close && { connection: "close" }),
    ...headers,
  });
}

/** A whole answer. */
export function reply(response: ServerResponse, status: number, body: string | Buffer, options?: ReplyOptions): void {
  const bytes = Buffer.from(body);
  beginReply(response, status, bytes.length, options);
  response.end(bytes);
}

/** JSON ends with a newline. */
export function replyJson(
  response: ServerResponse,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  reply(response, 200, `${body}\n`, { headers: { ...headers, "content-type": "application/json" } });
}

/** Errors are plain text with a newline; what is not a refusal is 500 and never says why. */
export function replyError(
  response: ServerResponse,
  error: unknown,
  extra: Readonly<Record<string, string>> = {},
): void {
  const refusal = error instanceof HttpRefusal ? error : new HttpRefusal(500, INTERNAL_ERROR);
  const { status, message, close, headers } = refusal;
  const contentType = { "content-type": "text/plain; charset=UTF-8" };
  reply(response, status, `${message}\n`, { close, headers: { ...contentType, ...extra, ...headers } });
  // against HTTP, imageio sends a body to HEAD too; a client that keeps the connection then trips over it
  if (response.req.method === "HEAD") response.req.socket.write(`${message}\n`);
}
