import type { Host } from "@ovault/ovirt";
import type { RunOptions, RunResult, SshSession, StartedCommand, StartOptions } from "@ovault/ssh";

import type { HostTools } from "./host-tools.ts";

/**
 * Files and volumes belong to VDSM (36:36, 0660), and storage may refuse root (root_squash): root works as VDSM. Another
 * user reads them as a member of the groups kvm and qemu. Neither needs sudo for that. EL7's setpriv takes the groups as
 * a list only.
 */
const AS_STORAGE_USER = `
user=$1 group=$2 groups=$3 script=$4
shift 4
exec setpriv --reuid="$user" --regid="$group" --groups="$groups" -- /bin/sh -c "$script" sh "$@"`;

/** A host that ovault is logged in at. */
export class Hypervisor {
  readonly host: Host;
  /** Commands as the user that logged in. */
  readonly session: SshSession;
  readonly tools: HostTools;
  /** What comes before a command that only root may run. */
  readonly asRoot: readonly string[];

  constructor(host: Host, session: SshSession, tools: HostTools) {
    this.host = host;
    this.session = session;
    this.tools = tools;
    this.asRoot = tools.userId === 0 ? [] : ["sudo", "-n"];
  }

  /** As `SshSession.run`, as a user that may read and write the storage. */
  run(script: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
    return this.session.run(...this.#asStorageUser(script, args), options);
  }

  /** As `SshSession.start`, as a user that may read and write the storage. */
  start(script: string, args: readonly string[], options: StartOptions): Promise<StartedCommand> {
    return this.session.start(...this.#asStorageUser(script, args), options);
  }

  #asStorageUser(script: string, args: readonly string[]): [script: string, args: readonly string[]] {
    const { storageUser } = this.tools;
    if (storageUser === undefined) return [script, args];
    return [AS_STORAGE_USER, [storageUser.id, storageUser.group, storageUser.groups, script, ...args]];
  }
}
