import type { Answer, EngineClient } from "./engine-client.ts";

export const BLANK = "00000000-0000-0000-0000-000000000000";

/** Makes a machine in the cluster `Default`, with further elements of `<vm>`. */
export function newVm(client: EngineClient, name: string, elements = ""): Promise<Answer> {
  const where = `<cluster><name>Default</name></cluster><template id="${BLANK}"/>`;
  return client.post("/vms", `<vm><name>${name}</name>${where}${elements}</vm>`);
}
