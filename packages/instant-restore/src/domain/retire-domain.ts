import { observe, type RunContext } from "@ovault/contract";
import type { EngineApi } from "@ovault/ovirt";

import { STORAGE_DOMAIN } from "./make-domain.ts";
import { removeDomain, type DomainRemoval } from "./remove-domain.ts";

/** Removes a domain that has served its purpose. A killed run is finished by the leftovers of its ledger. */
export async function retireDomain(
  api: EngineApi,
  domain: DomainRemoval,
  { ledger, hooks }: Pick<RunContext, "ledger" | "hooks">,
): Promise<void> {
  const { id: domainId, name, address, path, dataCenterId, expendable = [] } = domain;
  const detail = { domainId, name, address, path, dataCenterId, diskIds: [...expendable] };
  const handle = await ledger.open({ kind: STORAGE_DOMAIN, title: `storage domain ${name}`, detail });
  observe(hooks.phase, { phase: "domain", detail: `removing ${name}` });
  await removeDomain(api, domain);
  await handle.close();
}
