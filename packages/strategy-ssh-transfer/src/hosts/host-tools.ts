import { z } from "zod";

import type { SshSession } from "@ovault/ssh";

/** Ids of a user. */
export interface StorageUser {
  readonly id: string;
  readonly group: string;
  /** All of its groups, between commas. */
  readonly groups: string;
}

/** What a host has, and as whom its storage is read. */
export interface HostTools {
  /** Id of the user that logged in; 0 is root. */
  readonly userId: number;
  /** VDSM's user, which owns the storage: root works as this one. Undefined: none, or the login is not root. */
  readonly storageUser: StorageUser | undefined;
  /** First line of `--version`; undefined: not installed. */
  readonly qemuImg: string | undefined;
  readonly qemuNbd: string | undefined;
}

const DEADLINE_MS = 60_000;

/** One line `NAME VALUE` for each fact. */
const SCRIPT = `
echo "user $(id -u)"
[ "$(id -u)" = 0 ] && id vdsm >/dev/null 2>&1 && command -v setpriv >/dev/null && echo "storage $(id -u vdsm):$(id -g vdsm):$(id -G vdsm | tr ' ' ,)"
for tool in qemu-img qemu-nbd; do
  command -v "$tool" >/dev/null && echo "$tool $("$tool" --version | head -n 1)"
done
exit 0`;

const id = z.string().regex(/^\d+$/);
const ids = z.string().regex(/^\d+(,\d+)*$/);

/** @throws SshError when the host runs no commands */
export async function probeTools(session: SshSession, signal: AbortSignal): Promise<HostTools> {
  const { stdout } = await session.run(SCRIPT, [], { signal, deadlineMs: DEADLINE_MS });
  const facts = new Map(stdout.split("\n").map((line) => [line.split(" ", 1)[0] ?? "", line.replace(/^\S+ ?/, "")]));
  const [user, group, groups] = facts.get("storage")?.split(":") ?? [];
  return {
    userId: Number(id.parse(facts.get("user"))),
    storageUser:
      user === undefined ? undefined : { id: id.parse(user), group: id.parse(group), groups: ids.parse(groups) },
    qemuImg: facts.get("qemu-img"),
    qemuNbd: facts.get("qemu-nbd"),
  };
}
