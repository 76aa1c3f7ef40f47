import { type RepairReport, repairRepository } from "@ovault/core";
import type { RepairOptions } from "../../../src/repair/repair-report.ts";

import type { ModelRepository } from "../../support/model-repository.ts";
import { never } from "../../support/take-point.ts";

/** Repairs as another process would, whatever the leases say. */
export async function repair(model: ModelRepository, options: Partial<RepairOptions> = {}): Promise<RepairReport> {
  return await repairRepository(await model.open(), { freeDamagedLeases: true, signal: never, ...options });
}
