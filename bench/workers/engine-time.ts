/**
 * Counts the requests of a run to the engine, and the time in which it moves no byte, in the process of a command:
 *
 *     node --import ./bench/workers/engine-time.ts …
 *
 * Prints both as the last line. With OVAULT_BENCH_CALLS, the name of a file, it writes the requests there, one a line.
 */
import { subscribe } from "node:diagnostics_channel";
import { appendFileSync, writeSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

/** undici's request, the same object from beginning to end. */
interface Request {
  readonly method: string;
  readonly path: string;
}

/** A request of our imageio client, the same object from beginning to end. */
interface TransferRequest {
  readonly method: string;
  readonly suffix: string | undefined;
}

/** Of a request or of a disk: from when to when its bytes move, in ms since the start. */
interface Span {
  readonly from: number;
  readonly to: number;
}

const ATTACHMENTS = /\/diskattachments$/;
const ATTACHMENT = /\/diskattachments\//;

class EngineTime {
  readonly #list: string | undefined;
  readonly #begun = new Map<unknown, number>();
  readonly #moving: Span[] = [];
  #calls = 0;
  #first: number | undefined;
  #last = 0;
  /** Start of the current attachment of a disk here. */
  #plugged = 0;

  constructor(list: string | undefined) {
    this.#list = list;
  }

  begin(request: Request): void {
    const now = performance.now();
    const { method, path } = request;
    this.#calls += 1;
    this.#first ??= now;
    if (method === "PUT" && ATTACHMENT.test(path)) this.#moving.push({ from: this.#plugged, to: now });
    if (this.#list !== undefined) appendFileSync(this.#list, `${(now / 1000).toFixed(2)} ${method} ${path}\n`);
  }

  end(request: Request): void {
    const now = performance.now();
    const { method, path } = request;
    this.#last = now;
    if (method === "POST" && ATTACHMENTS.test(path)) this.#plugged = now;
  }

  beginTransfer(request: TransferRequest): void {
    this.#begun.set(request, performance.now());
  }

  /** Ignores lists of extents and other requests without bytes of a disk. */
  endTransfer(request: TransferRequest): void {
    const now = performance.now();
    const from = this.#begun.get(request) ?? now;
    this.#begun.delete(request);
    const { method, suffix } = request;
    if (method !== "OPTIONS" && suffix?.startsWith("/") !== true) this.#moving.push({ from, to: now });
  }

  figures(): Readonly<Record<string, number>> {
    const seconds = (this.#last - (this.#first ?? this.#last) - covered(this.#moving)) / 1000;
    return { "engine calls": this.#calls, "s without a byte moving": Math.round(seconds * 100) / 100 };
  }
}

/** How long at least one of the spans lasts, in ms. */
function covered(spans: readonly Span[]): number {
  let sum = 0;
  let end = 0;
  for (const { from, to } of spans.toSorted((a, b) => a.from - b.from)) {
    sum += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return sum;
}

function requestOf(message: unknown): Request {
  return (message as { readonly request: Request }).request;
}

if (isMainThread) {
  const time = new EngineTime(process.env["OVAULT_BENCH_CALLS"]);
  subscribe("undici:request:create", (message) => time.begin(requestOf(message)));
  subscribe("undici:request:trailers", (message) => time.end(requestOf(message)));
  subscribe("undici:request:error", (message) => time.end(requestOf(message)));
  subscribe("ovault:imageio:sending", (message) => time.beginTransfer(message as TransferRequest));
  subscribe("ovault:imageio:answered", (message) => time.endTransfer(message as TransferRequest));
  process.once("exit", () => writeSync(1, `${JSON.stringify({ figures: time.figures() })}\n`));
}
