import { randomUUID } from "node:crypto";

import type { EngineApi } from "../engine-api.ts";
import { conflict, incomplete, notFound } from "../engine-fault.ts";
import { numaTuneModes, type NumaNodeState, type VmState } from "../engine-state.ts";
import { actionDone, created, ok, reference } from "../http/api-reply.ts";
import type { ApiRequest } from "../http/api-request.ts";
import { get, post, put, remove, type Route } from "../http/router.ts";
import type { XmlNode } from "../xml/read-xml.ts";
import { requireKept } from "../xml/require-kept.ts";
import type { XmlObject } from "../xml/xml-value.ts";

/** `/vms/{vm}/numanodes`. Without pins: the lab's hosts have one node. */
export function numaNodeRoutes({ core }: EngineApi): readonly Route[] {
  const vmOf = (request: ApiRequest): VmState => core.vm(request.param("vm"));
  const nodeOf = (request: ApiRequest): NumaNodeState => {
    const found = vmOf(request).numaNodes?.find(({ id }) => id === request.param("node"));
    if (found === undefined) throw notFound();
    return found;
  };
  /** Replaces a node by others; adds them if `before` is `undefined`. */
  const replace = (vm: VmState, before: NumaNodeState | undefined, after: readonly NumaNodeState[]): void => {
    const others = (vm.numaNodes ?? []).filter((node) => node !== before);
    if (after.some(({ index }) => others.some((other) => other.index === index))) {
      throw conflict("Cannot edit VM. The index of a NUMA node is already in use.");
    }
    vm.numaNodes = [...others, ...after];
    core.store.changed();
  };
  return [
    get("/vms/:vm/numanodes", (request) => {
      const vm = vmOf(request);
      return ok("vm_numa_nodes", { vm_numa_node: (vm.numaNodes ?? []).map((node) => nodeContent(vm, node)) });
    }),
    post("/vms/:vm/numanodes", (request) => {
      const vm = vmOf(request);
      const { index, memoryMib, cores, tuneMode = "interleave" } = readNode(request.body);
      if (index === undefined || memoryMib === undefined || cores === undefined) {
        throw incomplete("VirtualNumaNode", "index", "memory", "cpu");
      }
      const node = { id: randomUUID(), index, memoryMib, cores, tuneMode };
      replace(vm, undefined, [node]);
      return created("vm_numa_node", nodeContent(vm, node));
    }),
    get("/vms/:vm/numanodes/:node", (request) => ok("vm_numa_node", nodeContent(vmOf(request), nodeOf(request)))),
    put("/vms/:vm/numanodes/:node", (request) => {
      const [vm, before] = [vmOf(request), nodeOf(request)];
      const after = { ...before, ...readNode(request.body) };
      replace(vm, before, [after]);
      return ok("vm_numa_node", nodeContent(vm, after));
    }),
    remove("/vms/:vm/numanodes/:node", (request) => {
      replace(vmOf(request), nodeOf(request), []);
      return actionDone();
    }),
  ];
}

function readNode(body: XmlNode): Partial<Omit<NumaNodeState, "id">> {
  requireKept(body, ["cpu.cores.core", "index", "memory", "numa_tune_mode", "vm"], "a NUMA node");
  const [index, memoryMib] = [body.integer("index"), body.integer("memory")];
  const tuneMode = body.choice(numaTuneModes, "numa_tune_mode");
  const cores = body.children("cpu", "cores", "core").flatMap((core) => core.integer("index") ?? []);
  return {
    ...(index !== undefined && { index }),
    ...(memoryMib !== undefined && { memoryMib }),
    ...(tuneMode !== undefined && { tuneMode }),
    ...(body.child("cpu") !== undefined && { cores }),
  };
}

function nodeContent(vm: VmState, { id, index, memoryMib, cores, tuneMode }: NumaNodeState): XmlObject {
  return {
    ...reference(`/vms/${vm.id}/numanodes`, id),
    cpu: { cores: { core: cores.map((core) => ({ index: core })) } },
    index,
    memory: memoryMib,
    numa_tune_mode: tuneMode,
    vm: reference("/vms", vm.id),
  };
}
