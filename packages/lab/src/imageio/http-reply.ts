import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";

import { HttpRefusal } from "./errors.ts";

/** Version that the emulated daemon reports. */
export const VERSION = "2.5.3";

/** Python uses the reason phrase of 416 from before 2014. */
const REASONS: Readonly<Record<number, string | undefined>> = {
  ...STATUS_CODES,
  416: "Requested Range Not Satisfiable",
};
const INTERNAL_ERROR = "Server failed to perform the request, check logs";

export interface ReplyOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly close?: boolean;
}

/** Begins an answer as imageio's Python server does: lower-case names, its order, no keep-alive headers. */
export function beginReply(
  response: ServerResponse,
  status: number,
  contentLength: number,
  { headers = {}, close = false }: ReplyOptions = {},
): void {
  response.sendDate = false;
  if (!close) response.removeHeader("connection");
  response.writeHead(status, REASONS[status] ?? "", {
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

/**
 * Errors are plain text with a newline; an error other than a refusal is 500 without a reason. A body that was refused
 * unread ends the connection.
 */
export function replyError(response: ServerResponse, error: unknown): void {
  const refusal = error instanceof HttpRefusal ? error : new HttpRefusal(500, INTERNAL_ERROR);
  const { status, message } = refusal;
  const close = refusal.close || hasUnreadBody(response.req);
  const headers = { "content-type": "text/plain; charset=UTF-8", ...refusal.headers };
  reply(response, status, `${message}\n`, { close, headers });
  // against HTTP, imageio sends a body to HEAD too; a client that keeps the connection then trips over it
  if (response.req.method === "HEAD") response.req.socket.write(`${message}\n`);
}

function hasUnreadBody(request: IncomingMessage): boolean {
  return Number(request.headers["content-length"] ?? 0) > 0 && !request.readableDidRead;
}
