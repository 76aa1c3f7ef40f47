/** `rasd:ResourceType` of the items in the hardware section. */
export const resourceTypes = {
  other: 0,
  cpu: 3,
  memory: 4,
  network: 10,
  disk: 17,
  monitor: 20,
  usb: 23,
  graphics: 26,
} as const;

/** `rasd:ResourceSubType` of network cards. */
export const nicTypes = [
  ["rtl8139_virtio", 0],
  ["rtl8139", 1],
  ["e1000", 2],
  ["virtio", 3],
  ["pci_passthrough", 5],
] as const;

/** Settings of a machine that an OVF expresses by the presence of a device. */
export const deviceSettings = {
  "console.enabled": { type: "console", device: "console" },
  soundcard_enabled: { type: "sound", device: "ich6" },
  tpm_enabled: { type: "tpm", device: "tpm" },
  "virtio_scsi.enabled": { type: "controller", device: "virtio-scsi" },
} as const;
