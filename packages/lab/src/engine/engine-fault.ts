import { OvaultError, type ErrorCode } from "@ovault/contract";

/** An error answer: HTTP status, and the reason and detail of `<fault>`. */
export class EngineFault extends OvaultError {
  static override readonly code: ErrorCode = "E_LAB_ENGINE_FAULT";
  readonly status: number;
  readonly reason: string;
  readonly detail: string | undefined;

  constructor(status: number, reason: string, detail?: string) {
    super(detail === undefined ? reason : `${reason}: ${detail}`, { context: { status } });
    this.status = status;
    this.reason = reason;
    this.detail = detail;
  }
}

/** The engine's usual refusal: validation of a command failed. */
export function refused(status: 400 | 403 | 409, detail: string): EngineFault {
  return new EngineFault(status, "Operation Failed", `[${detail}]`);
}

/** The current state prevents the call; the same call may succeed later. */
export function conflict(detail: string): EngineFault {
  return refused(409, detail);
}

/** The request can never succeed as it stands. */
export function badRequest(detail: string): EngineFault {
  return refused(400, detail);
}

/** A mandatory element is missing, in the engine's words. */
export function incomplete(root: string, ...elements: readonly string[]): EngineFault {
  return new EngineFault(400, "Incomplete parameters", `${root} [${elements.join(", ")}] required for add`);
}

/** A request names an entity that does not exist, in the engine's words. */
export function unknownEntity(identifier: string): EngineFault {
  return new EngineFault(404, "Operation Failed", `Entity not found: ${identifier}`);
}

/** No such entity: the engine answers 404 with an empty body. */
export function notFound(): EngineFault {
  return new EngineFault(404, "Not Found");
}
