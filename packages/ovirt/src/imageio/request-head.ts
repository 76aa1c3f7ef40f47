import { validateHeaderValue } from "node:http";

import { ImageioError } from "./errors.ts";

import type { Endpoint } from "./endpoint.ts";

export interface RequestHead {
  readonly method: "OPTIONS" | "GET" | "PUT" | "PATCH";
  /** Appended to the transfer's path, e.g. `/extents?context=zero`. */
  readonly suffix?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The head of a request. `length`: of the body in bytes, undefined without a body; the daemon does not support chunked
 * bodies.
 *
 * @throws ImageioError when a value would become more than one field: a signed ticket comes from outside
 */
export function formatRequestHead(endpoint: Endpoint, request: RequestHead, length: number | undefined): string {
  const fields = {
    host: new URL(endpoint.origin).host,
    ...request.headers,
    ...(endpoint.authorization === undefined ? {} : { authorization: endpoint.authorization }),
    ...(length === undefined ? {} : { "content-length": String(length) }),
  };
  const lines = Object.entries(fields).map(([name, value]) => formatField(name, value));
  return `${request.method} ${endpoint.path}${request.suffix ?? ""} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

function formatField(name: string, value: string): string {
  try {
    validateHeaderValue(name, value);
  } catch {
    throw new ImageioError(`the value for imageio's header field ${name} holds what no header field can`);
  }
  return `${name}: ${value}\r\n`;
}
