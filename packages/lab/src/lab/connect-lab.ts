import { request } from "node:http";
import { text } from "node:stream/consumers";

import { type ErrorCode, NotFoundError, OvaultError, UsageError, systemErrorCode } from "@ovault/contract";
import { z } from "zod";

import type { FaultStatus } from "../engine/faults.ts";
import type { LabControl, LabDisk, LabGuest, Leftovers, LabStatus } from "./lab-control.ts";
import { LabDirectory } from "./lab-directory.ts";

const failure = z.object({
  error: z.object({ code: z.templateLiteral(["E_", z.string()]), message: z.string(), hint: z.string().optional() }),
});

/** An error of the lab in the other process. */
class RemoteLabError extends OvaultError {
  override readonly code: ErrorCode;

  constructor({ code, message, hint }: z.infer<typeof failure>["error"]) {
    super(message, hint === undefined ? {} : { hint });
    this.code = code;
  }
}

/** Controls the lab that runs on a directory, in any process. Its calls throw UsageError when none runs there. */
export function connectLab(directory: string): LabControl {
  const { socket, path } = new LabDirectory(directory);
  const call = <T>(verb: string, ...args: readonly unknown[]): Promise<T> => ask<T>({ socket, path }, verb, args);
  return {
    status: () => call<LabStatus>("status"),
    write: (...args) => call<void>("write", ...args),
    view: (...args) => call<void>("view", ...args),
    fault: (...args) => call<void>("fault", ...args),
    faults: () => call<readonly FaultStatus[]>("faults"),
    powerOff: (...args) => call<void>("powerOff", ...args),
    powerOn: (...args) => call<void>("powerOn", ...args),
    migrate: (...args) => call<void>("migrate", ...args),
    changeHost: (...args) => call<void>("changeHost", ...args),
    guest: (...args) => call<LabGuest>("guest", ...args),
    addDisk: (...args) => call<LabDisk>("addDisk", ...args),
    removeDisk: (...args) => call<void>("removeDisk", ...args),
    resizeDisk: (...args) => call<LabDisk>("resizeDisk", ...args),
    leftovers: () => call<Leftovers>("leftovers"),
    stop: () => call<void>("stop"),
  };
}

async function ask<T>(
  { socket, path }: { readonly socket: string; readonly path: string },
  verb: string,
  args: readonly unknown[],
): Promise<T> {
  const { status, body } = await post(socket, `/${verb}`, JSON.stringify(args)).catch((error: unknown) => {
    const code = systemErrorCode(error);
    if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error;
    throw new UsageError(`no lab runs in ${path}`, { cause: error, hint: "Start one with `ovault lab start`." });
  });
  if (status === 404) throw new NotFoundError(`the lab in ${path} does not know ${verb}`);
  const answer: { readonly result: T } = JSON.parse(body);
  const failed = failure.safeParse(answer);
  if (failed.success) throw new RemoteLabError(failed.data.error);
  return answer.result;
}

function post(
  socketPath: string,
  path: string,
  body: string,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, method: "POST" }, (response) => {
      text(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), reject);
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}
