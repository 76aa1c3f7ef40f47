export { startLab, type LabOptions } from "./lab/start-lab.ts";
export type { InDataCenter, LabInventoryRequest, StorageDomainRequest } from "./engine/inventory.ts";
export type { StorageType } from "./engine/engine-state.ts";
export type { BlockDomain, BlockStorage, BlockVolume } from "./hypervisor/block-storage.ts";
export type { LabVmRequest } from "./lab/lab-vm-request.ts";
export type { RunningLab as Lab } from "./lab/running-lab.ts";
export { connectLab } from "./lab/connect-lab.ts";
export { labOfConfiguration } from "./lab/lab-of-configuration.ts";
export type {
  LabControl,
  LabDataDomain,
  LabDisk,
  LabGuest,
  LabHostSsh,
  LabHostStatus,
  LabStatus,
  LabVm,
  Leftovers,
  NewDisk,
} from "./lab/lab-control.ts";
export { hostChanges, hostChangeNames, type HostChange } from "./lab/host-changes.ts";
export { openSsh74, type HostSshSettings, type LabHostRequest, type OutsideHost } from "./hosts/host-request.ts";
export {
  labConfiguration,
  writeLabConfiguration,
  type ConfigurableLab,
  type LabConfiguration,
} from "./lab/lab-configuration.ts";
export { faultModes, faultTable, type FaultMode, type FaultName, type FaultStatus } from "./engine/faults.ts";
export { engineVersions, products, type EngineVersion, type Product } from "./engine/versions.ts";
export type { AlterAnswer } from "./engine/http/https-server.ts";
export type { Renewals } from "./data-domain/lockspace-member.ts";
export type { GuestEvent } from "./engine/operations/guest-operations.ts";
export type { GuestWrite } from "./hypervisor/hypervisor.ts";
