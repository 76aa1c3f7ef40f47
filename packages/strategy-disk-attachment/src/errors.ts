import { ManagerError, SourceError, type ErrorCode } from "@ovault/contract";

/** The virtual machine that ovault runs in is unknown, or disks cannot be attached to it. */
export class ProxyError extends ManagerError {
  static override readonly code: ErrorCode = "E_PROXY_VM";
}

/** A disk could not be attached to the proxy VM, or not be detached again. */
export class AttachmentError extends ManagerError {
  static override readonly code: ErrorCode = "E_ATTACHMENT";
}

/** The device of a disk did not appear, has the wrong size, or fails. */
export class DeviceError extends SourceError {
  static override readonly code: ErrorCode = "E_DEVICE";
}
