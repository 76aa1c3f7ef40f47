import { parentPort, threadId } from "node:worker_threads";

import type { WorkerReply, WorkerRequest } from "../../../src/blocks/workers/worker-message.ts";

export type PoolJob =
  | { readonly kind: "echo"; readonly value: number }
  | { readonly kind: "sum"; readonly bytes: Uint8Array }
  | { readonly kind: "fail"; readonly code: string | undefined; readonly hint: string | undefined }
  | { readonly kind: "thread" | "exit" | "crash" };

/** A worker thread that fails on request. */
parentPort?.on("message", ({ number, job }: WorkerRequest<PoolJob>) => {
  switch (job.kind) {
    case "echo":
      return answer({ number, result: job.value });
    case "sum":
      return answer({ number, result: job.bytes.reduce((sum, byte) => sum + byte, 0) });
    case "fail":
      return answer({ number, failure: { message: "on purpose", code: job.code, hint: job.hint } });
    case "thread":
      return answer({ number, result: threadId });
    case "exit":
      return process.exit(3);
    case "crash":
      throw new Error("a crash on purpose");
  }
});

function answer(reply: WorkerReply): void {
  parentPort?.postMessage(reply, []);
}
