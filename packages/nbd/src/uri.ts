import { UsageError } from "@ovault/contract";

import type { NbdAddress } from "./address.ts";

export const NBD_DEFAULT_PORT = 10809;

export interface NbdUri {
  readonly address: NbdAddress;
  readonly exportName: string;
  readonly tls: boolean;
}

/**
 * Parses `nbd://host[:port]/export`, `nbd+unix:///export?socket=PATH`, and the same with `nbds` for TLS.
 * Percent-decodes the export name; without one it is the empty name, the server's default export. @throws UsageError.
 * Source: doc/uri.md of the NetworkBlockDevice/nbd project.
 */
export function parseNbdUri(uri: string): NbdUri {
  const url = URL.parse(uri);
  const scheme = url === null ? null : /^(nbds?)(\+unix)?:$/.exec(url.protocol);
  if (url === null || scheme === null) throw invalid(uri, "it starts with none of nbd:, nbds:, nbd+unix:, nbds+unix:");
  const exportName = decode(uri, url.pathname.replace(/^\//, ""));
  const tls = scheme[1] === "nbds";
  if (scheme[2] === undefined) {
    if (url.hostname === "") throw invalid(uri, "it names no host");
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    return { address: { host, port: url.port === "" ? NBD_DEFAULT_PORT : Number(url.port) }, exportName, tls };
  }
  const path = url.searchParams.get("socket");
  if (path === null || path === "") throw invalid(uri, "it has no ?socket=PATH");
  return { address: { path }, exportName, tls };
}

/** The URI of an export; `parseNbdUri` gives the same back. */
export function formatNbdUri({ address, exportName, tls }: NbdUri): string {
  const scheme = tls ? "nbds" : "nbd";
  const name = encodeURIComponent(exportName);
  if ("path" in address) return `${scheme}+unix:///${name}?socket=${encodeURIComponent(address.path)}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${scheme}://${host}:${address.port}/${name}`;
}

function decode(uri: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw invalid(uri, "its export name is not percent-encoded UTF-8", error);
  }
}

function invalid(uri: string, why: string, cause?: unknown): UsageError {
  return new UsageError(`${uri} is not an NBD URI: ${why}`, {
    cause,
    hint: "Write nbd://HOST:PORT/EXPORT or nbd+unix:///EXPORT?socket=PATH.",
  });
}
