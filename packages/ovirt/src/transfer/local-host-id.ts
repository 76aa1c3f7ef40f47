import type { EngineApi } from "../api/engine-api.ts";
import { localHardwareId } from "../imageio/local-host.ts";

/** The engine's id of the host this process runs on; undefined when it is no oVirt host. */
export async function localHostId(api: EngineApi, signal: AbortSignal): Promise<string | undefined> {
  const hardwareId = await localHardwareId();
  if (hardwareId === undefined) return undefined;
  return (await api.infrastructure.hostByHardwareId(hardwareId, signal))?.id;
}
