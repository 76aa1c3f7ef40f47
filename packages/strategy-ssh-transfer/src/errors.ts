import { ManagerError, SourceError, type ErrorCode } from "@ovault/contract";

/** A hypervisor cannot be used over SSH: it does not answer, refuses the login, or lacks something. */
export class HypervisorError extends ManagerError {
  static override readonly code: ErrorCode = "E_HYPERVISOR";
}

/** The key of a hypervisor is not the one that is known for it: another machine may be in between. */
export class HypervisorKeyError extends HypervisorError {
  static override readonly code: ErrorCode = "E_HYPERVISOR_KEY";
}

/** A hypervisor does not serve the data of a disk, or stopped. */
export class ServingError extends SourceError {
  static override readonly code: ErrorCode = "E_SERVING";
}

/** A hypervisor opens no port for netcat, or the port cannot be reached. */
export class NetcatError extends HypervisorError {
  static override readonly code: ErrorCode = "E_NETCAT";
}

/** A host does not see a volume on block storage, or cannot activate it. */
export class VolumeError extends ManagerError {
  static override readonly code: ErrorCode = "E_VOLUME";
}

/** A new volume has no room for what a restore writes into it. */
export class VolumeFullError extends ServingError {
  static override readonly code: ErrorCode = "E_VOLUME_FULL";
}

/** A new volume is not what was ordered, or is damaged after it was filled. */
export class NewVolumeError extends ManagerError {
  static override readonly code: ErrorCode = "E_NEW_VOLUME";
}
