import { randomBytes } from "node:crypto";

import type { EngineApi } from "../engine-api.ts";
import { conflict, incomplete, notFound } from "../engine-fault.ts";
import type { VmState } from "../engine-state.ts";
import { actionDone, created, ok, reference } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, put, remove, type Route } from "../http/router.ts";
import { setting } from "../vm-settings.ts";
import type { XmlObject } from "../xml/xml-value.ts";

const protocols = ["spice", "vnc"] as const;
const TICKET_SECONDS = 120;
/** The drive that every machine has. */
const DRIVE = "00000000-0000-0000-0000-0000000000cd";

/** `/vms/{vm}/graphicsconsoles` and `/cdroms`, without real consoles or drives behind them. */
export function consoleRoutes({ core }: EngineApi): readonly Route[] {
  const vmOf = (request: ApiRequest): VmState => core.vm(request.param("vm"));
  const consoleOf = (request: ApiRequest): string => {
    const found = consolesOf(vmOf(request)).find((protocol) => idOf(protocol) === request.param("console"));
    if (found === undefined) throw notFound();
    return found;
  };
  const driveOf = (request: ApiRequest): VmState => {
    if (request.param("cdrom") !== DRIVE) throw notFound();
    return vmOf(request);
  };
  return [
    get("/vms/:vm/graphicsconsoles", (request) => {
      const vm = vmOf(request);
      const all = consolesOf(vm).map((protocol) => consoleContent(vm, protocol, request));
      return ok("graphics_consoles", { graphics_console: all });
    }),
    post("/vms/:vm/graphicsconsoles", (request) => {
      const vm = vmOf(request);
      const protocol = request.body.choice(protocols, "protocol");
      if (protocol === undefined) throw incomplete("GraphicsConsole", "protocol");
      if (consolesOf(vm).includes(protocol)) throw conflict("Cannot add Graphics Device. The VM has one already.");
      vm.furtherConsoles = [...(vm.furtherConsoles ?? []), protocol];
      core.store.changed();
      return created("graphics_console", consoleContent(vm, protocol, request));
    }),
    get("/vms/:vm/graphicsconsoles/:console", (request) =>
      ok("graphics_console", consoleContent(vmOf(request), consoleOf(request), request)),
    ),
    remove("/vms/:vm/graphicsconsoles/:console", (request) => {
      const [vm, protocol] = [vmOf(request), consoleOf(request)];
      const further = vm.furtherConsoles ?? [];
      if (!further.includes(protocol)) throw conflict("Cannot remove Graphics Device. It is that of the display.");
      vm.furtherConsoles = further.filter((other) => other !== protocol);
      core.store.changed();
      return actionDone();
    }),
    post("/vms/:vm/graphicsconsoles/:console/ticket", (request) => {
      const [vm] = [vmOf(request), consoleOf(request)];
      if (vm.status !== "up") throw conflict("Cannot set VM ticket. VM is not running.");
      const ticket = { expiry: TICKET_SECONDS, value: randomBytes(9).toString("base64url") };
      return ok("action", { status: "complete", ticket });
    }),
    get("/vms/:vm/cdroms", (request) => ok("cdroms", { cdrom: [driveContent(vmOf(request))] })),
    get("/vms/:vm/cdroms/:cdrom", (request) => ok("cdrom", driveContent(driveOf(request)))),
    put("/vms/:vm/cdroms/:cdrom", (request) => {
      const vm = driveOf(request);
      const cdId = request.body.child("file")?.attribute("id");
      if (cdId === undefined) delete vm.cdId;
      else vm.cdId = core.disk(cdId).id;
      core.store.changed();
      return ok("cdrom", driveContent(vm));
    }),
  ];
}

function consolesOf(vm: VmState): readonly string[] {
  return [...new Set([setting(vm.settings, "display.type"), ...(vm.furtherConsoles ?? [])])];
}

/** The id that engines derive from the protocol's name. */
function idOf(protocol: string): string {
  return Buffer.from(protocol).toString("hex");
}

/** Shows the address only while the machine runs, and only on request. */
function consoleContent(vm: VmState, protocol: string, request: ApiRequest): XmlObject {
  const shown = vm.status === "up" && request.query.get("current") === "true";
  return {
    ...reference(`/vms/${vm.id}/graphicsconsoles`, idOf(protocol)),
    ...(shown && { address: "127.0.0.1", port: 5900, tls_port: 5901 }),
    protocol,
    vm: reference("/vms", vm.id),
  };
}

function driveContent(vm: VmState): XmlObject {
  return {
    ...reference(`/vms/${vm.id}/cdroms`, DRIVE),
    file: vm.cdId === undefined ? undefined : { "@id": vm.cdId },
    vm: reference("/vms", vm.id),
  };
}
