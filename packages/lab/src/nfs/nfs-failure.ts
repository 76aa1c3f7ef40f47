import { HypervisorError } from "../hypervisor/errors.ts";

/** A call of the NFS client failed. */
export class NfsFailure extends HypervisorError {
  /** `ENOENT` and so on. */
  readonly systemCode: string;

  constructor(systemCode: string, message: string) {
    super(message, {
      context: { systemCode },
      hint: "Export domains of the lab need the Debian packages python3 and libnfs13.",
    });
    this.systemCode = systemCode;
  }
}
