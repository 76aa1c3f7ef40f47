import { finding } from "@ovault/contract";

import { HypervisorError } from "../errors.ts";
import type { HostCheck } from "./host-check.ts";

const VERSION = /^qemu-nbd\D* (\d+)\.(\d+)/;

/** What qemu-nbd before a version cannot do. Sources: QEMU's release notes, docs/interop/nbd.txt. */
const MISSING_BEFORE: readonly { readonly version: readonly [number, number]; readonly loss: string }[] = [
  { version: [2, 12], loss: "it does not tell what is allocated, so that every disk is read whole, every time" },
];

const DEADLINE_MS = 60_000;
const MOST_NAME_CHARS = 80;
/** Prints the name of the system, of os-release(5): `Oracle Linux Server 8.10`. */
const SYSTEM = `sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null | tr -d '"' | head -n 1`;

/** The host's system, qemu-img and qemu-nbd with their versions, and what old ones cannot do. */
export const checkTools: HostCheck = async ({ host, session, tools }, _site, signal) => {
  for (const [tool, version] of [
    ["qemu-img", tools.qemuImg],
    ["qemu-nbd", tools.qemuNbd],
  ]) {
    if (version !== undefined) continue;
    throw new HypervisorError(`host ${host.name} has no ${tool}`, {
      context: { host: host.id, hostName: host.name },
      hint: "Install the package qemu-img there (qemu-img-ev on EL7): oVirt hosts have it.",
    });
  }
  const { qemuImg = "", qemuNbd = "" } = tools;
  const { stdout } = await session.run(SYSTEM, [], { signal, deadlineMs: DEADLINE_MS });
  const found = `${stdout.trim().slice(0, MOST_NAME_CHARS) || "unknown system"}: ${qemuImg}; ${qemuNbd}`;
  const lost = lossesOf(qemuNbd);
  if (lost.length > 0)
    return finding.warn(`${found}: ${lost.join("; ")}`, "Update the host: a newer qemu-img comes with it.");
  return finding.ok(found);
};

/** What this version of qemu-nbd cannot do, for people. */
export function lossesOf(version: string): readonly string[] {
  const [, major, minor] = VERSION.exec(version) ?? [];
  if (major === undefined || minor === undefined) return [];
  return MISSING_BEFORE.filter(
    ({ version: [needed, andMinor] }) =>
      Number(major) < needed || (Number(major) === needed && Number(minor) < andMinor),
  ).map(({ loss }) => loss);
}
