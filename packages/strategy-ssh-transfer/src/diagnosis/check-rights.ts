import { finding } from "@ovault/contract";
import { isBlockStorage } from "@ovault/ovirt";

import { HypervisorError } from "../errors.ts";
import { LVM_COMMANDS, sudoersLines } from "../volumes/lvm-commands.ts";
import { domainsOf } from "./check-storage.ts";
import type { HostCheck } from "./host-check.ts";

const DEADLINE_MS = 60_000;
/** What a volume is named like: ids are UUIDs. */
const SOME_VOLUME = "00000000-0000-4000-8000-000000000000/00000000-0000-4000-8000-000000000000";

/** Whether sudo lets the user run a command without a password; runs nothing. */
const ALLOWED = 'command -v sudo >/dev/null || exit 2; sudo -n -l -- "$@" >/dev/null 2>&1 || exit 1';

/** As whom disks are read, and which commands of LVM sudo allows. */
export const checkRights: HostCheck = async (hypervisor, site, signal) => {
  const { host, session, tools } = hypervisor;
  const { user } = session.server;
  if (tools.userId === 0) {
    return finding.ok(tools.storageUser === undefined ? "root" : "root, which reads disks as vdsm");
  }
  if (!domainsOf(hypervisor, site).some(isBlockStorage)) return finding.ok(`${user}; file storage needs no sudo`);
  const refused: string[] = [];
  for (const [name, words] of Object.entries(LVM_COMMANDS)) {
    const options = { signal, deadlineMs: DEADLINE_MS, accept: [0, 1, 2] };
    const { exitCode } = await session.run(ALLOWED, [...words, SOME_VOLUME], options);
    if (exitCode !== 0) refused.push(name);
  }
  if (refused.length === 0) return finding.ok(`${user}; sudo allows the commands of LVM`);
  throw new HypervisorError(`sudo does not let ${user} ${refused.join(", ")} volumes, which block storage needs`, {
    context: { host: host.id, hostName: host.name, user },
    hint: `Write to /etc/sudoers.d/ovault there:\n${sudoersLines(user).join("\n")}`,
  });
};
