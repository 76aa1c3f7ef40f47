import { parentPort } from "node:worker_threads";

import { OvaultError, messageOf } from "@ovault/contract";
import { release } from "../../util/release.ts";
import { reportWarningsTo } from "../../util/warn-once.ts";
import type { BlockJob, BlockResults } from "./block-job.ts";
import { doBlockJob } from "./do-block-job.ts";
import type { WorkerReply, WorkerRequest, WorkerWarning } from "./worker-message.ts";

reportWarningsTo((warning) => answer({ warning }, []));

/** The program of each worker thread: runs one job after the other. */
parentPort?.on("message", ({ number, job }: WorkerRequest<BlockJob>) => {
  try {
    const result = doBlockJob(job);
    // Otherwise the job's memory would stay until this thread, which makes little garbage, collects it.
    release(bytesOf(job));
    answer({ number, result }, memoryOf(result));
  } catch (error) {
    const { code, hint } = error instanceof OvaultError ? error : {};
    answer({ number, failure: { message: messageOf(error), code, hint } }, []);
  }
});

function bytesOf(job: BlockJob): Uint8Array {
  if ("plain" in job) return job.plain;
  return "stored" in job ? job.stored : job.sealed;
}

function answer(reply: WorkerReply | WorkerWarning, moved: readonly ArrayBuffer[]): void {
  parentPort?.postMessage(reply, moved);
}

/** Memory that is moved to the other thread instead of being copied. */
function memoryOf(result: BlockResults[BlockJob["task"]]): ArrayBuffer[] {
  if (result === undefined) return [];
  if (result instanceof Uint8Array) return [result.buffer];
  return result.flatMap((chunk) =>
    chunk.outcome === "plain" && chunk.plain !== undefined ? [chunk.plain.buffer] : [],
  );
}
