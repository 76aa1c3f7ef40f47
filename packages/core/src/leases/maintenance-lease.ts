/** The lease for changing a repository as a whole: one prune or repair at a time. */
export const MAINTENANCE_LEASE = { resource: "maintenance", title: "the maintenance of the repository" } as const;
