import { isIP } from "node:net";

import { UsageError } from "@ovault/contract";
import type { NbdAddress } from "@ovault/nbd";

/** Parses `PORT`, `127.0.0.1:PORT`, `[::1]:PORT` and `localhost:PORT`. @throws UsageError */
export function parseListenAddress(written: string): NbdAddress {
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(written) ?? [];
  const host = bracketed ?? plain ?? "127.0.0.1";
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new UsageError(`${written} is not an address to listen on`, {
      context: { listen: written },
      hint: "Write PORT, 127.0.0.1:PORT or [::1]:PORT.",
    });
  }
  if (host === "localhost") return { host: "127.0.0.1", port };
  if (isLoopback(host)) return { host, port };
  throw new UsageError(
    `${host} is no address of the loopback: NBD knows no passwords, and anyone could read the disk`,
    {
      context: { listen: written },
      hint: "Listen on 127.0.0.1, and let others in through a tunnel: ssh -L PORT:127.0.0.1:PORT THIS-MACHINE.",
    },
  );
}

function isLoopback(host: string): boolean {
  return host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
