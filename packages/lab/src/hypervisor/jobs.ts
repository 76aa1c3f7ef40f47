import { QmpError } from "./errors.ts";
import type { QmpArguments, QmpClient } from "./qmp-client.ts";

/** Starts a block job and waits for its end; completes one that needs it. @throws QmpError if it fails */
export async function runJob(qmp: QmpClient, command: string, args: QmpArguments, jobId: string): Promise<void> {
  const completed = qmp.nextEvent(({ event, data }) => event === "BLOCK_JOB_COMPLETED" && data["device"] === jobId);
  const ready = qmp.nextEvent(({ event, data }) => event === "BLOCK_JOB_READY" && data["device"] === jobId);
  const gone = jobGone(qmp, jobId);
  await qmp.execute(command, { ...args, "job-id": jobId });
  const first = await Promise.race([ready, completed]);
  if (first.event === "BLOCK_JOB_READY") await qmp.execute("block-job-complete", { device: jobId });
  const { data } = await completed;
  await gone;
  if (data["error"] !== undefined) {
    throw new QmpError(`${command} failed: ${String(data["error"])}`, { context: { command, jobId } });
  }
}

/**
 * Copies what the top volume of a node holds into another node, follows the writes, and lets the target take the node's
 * place when both are the same and `beforeChange` has resolved. @throws QmpError, or what `beforeChange` throws; then
 * the node is as it was
 */
export async function mirror(
  qmp: QmpClient,
  source: string,
  target: string,
  beforeChange: () => Promise<void>,
): Promise<void> {
  const jobId = `mirror-${target}`;
  const ended = qmp.nextEvent(
    ({ event, data }) =>
      (event === "BLOCK_JOB_COMPLETED" || event === "BLOCK_JOB_CANCELLED") && data["device"] === jobId,
  );
  const ready = qmp.nextEvent(({ event, data }) => event === "BLOCK_JOB_READY" && data["device"] === jobId);
  const gone = jobGone(qmp, jobId);
  await qmp.execute("blockdev-mirror", { "job-id": jobId, device: source, target, sync: "top" });
  const failed = ended.then(({ data }) => {
    if (data["error"] === undefined) return;
    throw new QmpError(`blockdev-mirror failed: ${String(data["error"])}`, { context: { jobId } });
  });
  try {
    await Promise.race([ready, failed]);
    await Promise.race([beforeChange(), failed]);
    await qmp.execute("block-job-complete", { device: jobId });
    await failed;
  } catch (error) {
    failed.catch(() => {});
    await qmp.execute("block-job-cancel", { device: jobId, force: true }).catch(() => {}); // it may have ended
    await gone;
    throw error;
  }
  await gone;
}

/** Ends an endless job, such as a backup with sync=none. */
export async function cancelJob(qmp: QmpClient, jobId: string): Promise<void> {
  const gone = jobGone(qmp, jobId);
  await qmp.execute("block-job-cancel", { device: jobId });
  await gone;
}

function jobGone(qmp: QmpClient, jobId: string): Promise<unknown> {
  return qmp.nextEvent(
    ({ event, data }) => event === "JOB_STATUS_CHANGE" && data["id"] === jobId && data["status"] === "null",
  );
}
