import type { EngineApi } from "@ovault/ovirt";

/** Audit log codes of a backup's end: incremental impossible, failed, finalizing failed. */
const FAILURES: ReadonlySet<number> = new Set([10_791, 10_792, 10_795]);

/** The engine's events about a failed backup, newest first, in the engine's words. Never throws. */
export async function whyFailed(api: EngineApi, backupId: string, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const events = await api.events.list({ search: backupId, max: 20 }, signal);
    return events
      .filter(({ code }) => code !== undefined && FAILURES.has(code))
      .map(({ description, code }) => description ?? `event ${code}`);
  } catch {
    // The reason only helps a person; the failure is certain without it.
    return [];
  }
}
