/** `rasd:ResourceType` of the items in the hardware section. */
export const resourceTypes = { cpu: 3, memory: 4, network: 10, disk: 17 } as const;
