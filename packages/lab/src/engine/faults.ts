import { NotFoundError } from "@ovault/contract";

/** All faults that can be injected, with their effects. */
export const faultTable = {
  "lost-checkpoint":
    "When a backup starts, the bitmaps of all its checkpoints are gone: the engine cannot redefine the chain, fails an incremental backup with event 10791 and deletes all checkpoints.",
  "inconsistent-bitmap":
    "When a backup starts, the bitmaps of its checkpoints are inconsistent, as after a crash of the host. The engine acts as for a lost checkpoint.",
  "engine-restart":
    "The API answers 503 and all tokens are forgotten; the database stays. `once`: for twenty steps; `on`: until `off`.",
  "engine-503": "Requests are answered 503. `once`: the next one only.",
  "token-expiry": "`once`: all tokens are forgotten now. `on`: every token is good for five requests.",
  "conflict-storm":
    "`once`: the next change is refused with 409. `on`: every change is refused with 409 twice before it is accepted.",
  "transfer-cut": "imageio cuts the connection in the middle of a data answer.",
  "imageio-restart": "imageio is gone, with all its connections and tickets. `once`: for a second; `on`: until `off`.",
  "slow-extents": "imageio takes five seconds longer to answer a request for extents, until `off`.",
  "idle-close": "imageio closes a kept-alive connection after its answer, without a word.",
  "finalize-hang":
    "Finalizing a transfer or a backup stays in its finalizing phase. `once`: one of them, for a hundred steps; `on`: until `off`.",
  "vm-poweroff-during-backup": "When a transfer of a backup starts, the machine powers off: the backup fails.",
  "freeze-failure":
    "A guest's file systems cannot be frozen, whether it is asked for or a backup or snapshot does it by itself.",
  "freeze-hang":
    "A guest's file systems take their time to freeze: no answer before, and it takes hold at the end. `once`: for a hundred steps; `on`: until `off`.",
  "thaw-failure": "A guest's file systems cannot be thawed when it is asked for.",
  "snapshot-failure": "A snapshot cannot be made: it vanishes while it is waited for.",
  "snapshot-hang":
    "A snapshot that is being made stays locked, and the machine with it. `once`: for a hundred steps; `on`: until `off`.",
  "snapshot-removal-failure": "The merge of a snapshot fails: it is there again, untouched, with event 357.",
  "clone-failure": "A clone of a snapshot fails after its first disk: machine and disks vanish, with event 60.",
  "clone-hang":
    "A clone of a snapshot that is being made stays locked. `once`: for a hundred steps; `on`: until `off`.",
  "clone-no-space": "The storage domain is full after the first disk of a clone: it fails as with clone-failure.",
  "export-hang": "A machine that is being exported stays locked. `once`: for a hundred steps; `on`: until `off`.",
  "export-failure":
    "An export of a machine fails after its first disk, which stays: no OVF is written, with event 1151.",
  "export-without-ovf": "An export of a machine ends well, but without its OVF: event 1189.",
  "staging-full":
    "The exports that the lab itself serves are full: writes of 64 KiB or more fail with ENOSPC, until `off`.",
  "staging-read-only": "The exports that the lab itself serves are read-only: changes fail with EROFS, until `off`.",
  "import-refused": "An import from an export domain is refused with 409.",
  "import-hang": "A machine that is being imported stays locked. `once`: for a hundred steps; `on`: until `off`.",
  "import-failure": "An import of a machine fails after its first disk: machine and disks vanish, with event 1153.",
  "move-hang":
    "A disk that is moved stays locked after its data was copied, and its machine with it. `once`: for a hundred steps; `on`: until `off`.",
  "move-failure":
    "A move of a disk fails after its data was copied: the disk stays on its storage domain, its machine runs on, event 2011. A live move leaves its snapshot.",
  "move-no-space": "The target of a move is full: it fails as with move-failure, before any data is copied.",
  "move-snapshot-stays":
    "After a live move its snapshot cannot be merged: the disk is on the target, and the snapshot stays, with event 357.",
  "illegal-disk": "The merge of a snapshot fails half way: it is there again, and its disks are illegal, until `off`.",
  "snapshot-removal-hang":
    "A snapshot that is being removed stays locked, and the machine with it. `once`: for a hundred steps; `on`: until `off`.",
  "device-missing": "The device of a disk that is plugged never appears, though the attachment is active.",
  "device-size": "The device of a disk that is plugged appears with another size, and without the disk's data.",
  "attach-failure":
    "A disk cannot be plugged: attaching it is refused with 409; one that is made by attaching it vanishes while it is waited for.",
  "unplug-hang": "A disk that is being unplugged stays active. `once`: for a hundred steps; `on`: until `off`.",
  "detach-failure": "Detaching a disk is refused with 409.",
  "low-space":
    "The storage domain has hardly more space than the engine needs to make anything new, and none for a clone, until `off`.",
  "proxy-only": "No server listens at the hosts that transfers name, until `off`; the proxy serves them.",
  "ticket-expiry": "imageio refuses the ticket of a transfer, as after its end. `once`: for one request.",
  "upload-failure": "Finalizing an upload fails: the transfer ends in finished_failure and the disk is removed.",
  "transfer-paused-system": "An upload is paused by the system as soon as it could transfer.",
  "expired-certificate": "The API shows a certificate that expired yesterday, until `off`.",
  "wrong-ca": "The API shows a certificate of an unknown authority, until `off`.",
} as const;

export type FaultName = keyof typeof faultTable;
export const faultModes = ["on", "off", "once"] as const;
export type FaultMode = (typeof faultModes)[number];

export interface FaultStatus {
  readonly name: FaultName;
  readonly mode: FaultMode;
  readonly description: string;
}

/** @throws NotFoundError for a name that is not in the table. */
export function parseFaultName(name: string): FaultName {
  const found = faultNames().find((known) => known === name);
  if (found === undefined) {
    throw new NotFoundError(`there is no fault ${name}`, { hint: `Known faults: ${faultNames().join(", ")}.` });
  }
  return found;
}

function faultNames(): readonly FaultName[] {
  const isName = (name: string): name is FaultName => name in faultTable;
  return Object.keys(faultTable).filter(isName);
}

/** The switches of all faults. A component asks `strikes`, or listens if it must act at once. */
export class FaultSwitches {
  readonly #modes = new Map<FaultName, FaultMode>();
  readonly #listeners: ((name: FaultName, mode: FaultMode) => void | Promise<void>)[] = [];

  async set(name: FaultName, mode: FaultMode): Promise<void> {
    this.#modes.set(name, mode);
    for (const listener of this.#listeners) await listener(name, mode);
  }

  mode(name: FaultName): FaultMode {
    return this.#modes.get(name) ?? "off";
  }

  /** Whether the fault strikes now; a `once` fault is off afterwards. */
  strikes(name: FaultName): boolean {
    const mode = this.mode(name);
    if (mode === "once") this.#modes.set(name, "off");
    return mode !== "off";
  }

  onSet(listener: (name: FaultName, mode: FaultMode) => void | Promise<void>): void {
    this.#listeners.push(listener);
  }

  list(): readonly FaultStatus[] {
    return faultNames().map((name) => ({ name, mode: this.mode(name), description: faultTable[name] }));
  }
}
