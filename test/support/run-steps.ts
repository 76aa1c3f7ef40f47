import { appendFileSync } from "node:fs";
import diagnostics from "node:diagnostics_channel";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

/**
 * Loaded with `node --import` into the process of a command under test: counts its steps, that is every request that
 * changes something on an engine or a host (before it is sent, and when the answer has arrived but is not processed
 * yet), and every change of a file system (before and after). It can signal its own process at one of them, so that a
 * kill comes at the same place every time.
 *
 * OVAULT_STEPS_FILE: the steps are written there, one a line. OVAULT_STEP: number (from 1) of the step to strike at.
 * OVAULT_STEP_SIGNAL: what to send.
 */
const { OVAULT_STEPS_FILE: file, OVAULT_STEP: strikeAt, OVAULT_STEP_SIGNAL: signal } = process.env;
let steps = 0;

function step(name: string): void {
  steps += 1;
  if (file !== undefined) appendFileSync(file, `${name}\n`);
  if (steps === Number(strikeAt)) process.kill(process.pid, signal);
}

function surrounded<A extends unknown[], R>(name: string, work: (...args: A) => Promise<R>): typeof work {
  return async function (this: unknown, ...args) {
    step(`before ${name}`);
    const result = await work.apply(this, args);
    step(`after ${name}`);
    return result;
  };
}

/** Undefined for what changes nothing. */
function requestOf(message: unknown): string | undefined {
  const { request } = message as { readonly request: { readonly method: string; readonly path: string } };
  const reads = ["GET", "OPTIONS"].includes(request.method) || request.path.includes("/sso/");
  return reads ? undefined : `${request.method} ${request.path.replaceAll(/[0-9a-f-]{36}/g, "ID")}`;
}

/** The same for what goes to imageio. */
function transferRequestOf(message: unknown): string | undefined {
  const { method, suffix = "" } = message as { readonly method: string; readonly suffix?: string };
  return ["GET", "OPTIONS"].includes(method) ? undefined : `${method} /images/ID${suffix}`;
}

for (const [channel, nameOf, when] of [
  ["undici:request:create", requestOf, "before"],
  ["undici:request:headers", requestOf, "answered"],
  ["ovault:imageio:sending", transferRequestOf, "before"],
  ["ovault:imageio:answered", transferRequestOf, "answered"],
] as const) {
  diagnostics.subscribe(channel, (message) => {
    const name = nameOf(message);
    if (name !== undefined) step(`${when} ${name}`);
  });
}

promises.copyFile = surrounded("copyFile", promises.copyFile);
promises.link = surrounded("link", promises.link);
promises.rename = surrounded("rename", promises.rename);
promises.unlink = surrounded("unlink", promises.unlink);
const any = await promises.open("/dev/null");
const handles: { datasync: () => Promise<void> } = Object.getPrototypeOf(any);
handles.datasync = surrounded("datasync", handles.datasync);
await any.close();
syncBuiltinESMExports();
