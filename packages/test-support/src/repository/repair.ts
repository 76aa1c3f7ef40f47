import { type RepairReport, repairRepository } from "@ovault/core";
import type { RepairOptions } from "@ovault/core/internal/repair/repair-report";

import type { ModelRepository } from "./model-repository.ts";
import { never } from "./take-point.ts";

/** Repairs as another process would, whatever the leases say. */
export async function repair(model: ModelRepository, options: Partial<RepairOptions> = {}): Promise<RepairReport> {
  return await repairRepository(await model.open(), { freeDamagedLeases: true, signal: never, ...options });
}
