import { randomUUID } from "node:crypto";

import { finding } from "@ovault/contract";

import { proveNetcat } from "../netcat/prove-netcat.ts";
import type { HostCheck } from "./host-check.ts";

/** Opens a port as a backup would, and goes through it. */
export const checkNetcat: HostCheck = async (hypervisor, { options }, signal) => {
  if (options.netcat === undefined) return finding.skip("not configured: data goes through SSH");
  const name = `ovault-${randomUUID()}`;
  return finding.ok(`${await proveNetcat(hypervisor, { name, options: options.netcat }, signal)} can be reached`);
};
