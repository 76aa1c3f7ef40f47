import { OvaultError, type ErrorCode } from "@ovault/contract";

/** An imageio daemon, ours or a real one, refused or failed a request. */
export class ImageioError extends OvaultError {
  static override readonly code: ErrorCode = "E_LAB_IMAGEIO";
}

/** The ticket is cancelled, but its requests did not end in time: close the clients' connections and try again. */
export class TicketBusyError extends ImageioError {
  static override readonly code: ErrorCode = "E_LAB_TICKET_BUSY";
}

export interface RefusalOptions {
  /** The server closes the connection after its answer. */
  readonly close?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An HTTP answer other than success; `text` goes to the client. */
export class HttpRefusal extends ImageioError {
  static override readonly code: ErrorCode = "E_LAB_HTTP";
  readonly status: number;
  readonly close: boolean;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, text: string, { close = false, headers = {} }: RefusalOptions = {}) {
    super(text, { context: { status } });
    this.status = status;
    this.close = close;
    this.headers = headers;
  }
}

/** 403, imageio's answer to every problem with a ticket; it closes the connection. */
export function forbidden(reason: string): HttpRefusal {
  return new HttpRefusal(403, `You are not allowed to access this resource: ${reason}`, { close: true });
}
