import { ByteBudget } from "./byte-budget.ts";
import { errnoOf, NbdConnectionError, NbdProtocolError, NbdRequestError } from "./errors.ts";
import type { NbdExport } from "./export.ts";
import type { BlockStatus } from "./pending-reply.ts";
import { COMMAND, COMMAND_FLAG, DEFAULT_MAX_BLOCK_BYTES, MAGIC, REQUEST_BYTES } from "./protocol.ts";
import { ReplyWriter } from "./reply-writer.ts";
import type { AcceptedClient } from "./server-handshake.ts";
import { readUint64 } from "./uint64.ts";

/** Minimum cost of a request, so that a flood of small ones is bounded as well. */
const MIN_REQUEST_COST_BYTES = 64 * 1024;
/** QEMU's limit: a client that wants more asks again. */
const MAX_STATUS_RUNS = 128 * 1024;

interface Request {
  readonly command: number;
  readonly flags: number;
  readonly cookie: Buffer;
  readonly offset: number;
  readonly length: number;
}

/**
 * Serves one client's requests until it disconnects, several at a time and at most `budgetBytes` of them under way:
 * reading stops while the budget is used up. When this settles, no request is under way any more.
 */
export async function serveRequests(client: AcceptedClient, budgetBytes: number): Promise<void> {
  const gone = new AbortController();
  client.socket.once("close", () => gone.abort(new NbdConnectionError("the NBD client is gone")));
  const requests = new RequestServer(client, new ByteBudget(budgetBytes), gone.signal);
  try {
    await requests.receiveAll();
  } finally {
    await requests.idle();
  }
}

class RequestServer {
  readonly #client: AcceptedClient;
  readonly #export: NbdExport;
  readonly #budget: ByteBudget;
  readonly #signal: AbortSignal;
  readonly #replies: ReplyWriter;
  readonly #underWay = new Set<Promise<void>>();

  constructor(client: AcceptedClient, budget: ByteBudget, signal: AbortSignal) {
    this.#client = client;
    this.#export = client.exported;
    this.#budget = budget;
    this.#signal = signal;
    this.#replies = new ReplyWriter(client.socket, client.structuredReplies);
  }

  async receiveAll(): Promise<void> {
    const { reader, socket } = this.#client;
    const header = Buffer.alloc(REQUEST_BYTES);
    for (;;) {
      await reader.fill(header);
      if (header.readUInt32BE(0) !== MAGIC.request) throw new NbdProtocolError("bad magic in a request");
      const request: Request = {
        flags: header.readUInt16BE(4),
        command: header.readUInt16BE(6),
        cookie: Buffer.from(header.subarray(8, 16)),
        offset: readUint64(header, 16),
        length: header.readUInt32BE(24),
      };
      if (request.command === COMMAND.disconnect) return;
      const carriesData = request.command === COMMAND.read || request.command === COMMAND.write;
      if (carriesData && request.length > DEFAULT_MAX_BLOCK_BYTES) {
        throw new NbdProtocolError(`a client asked to move ${request.length} bytes at once`);
      }
      const cost = Math.max(carriesData ? request.length : 0, MIN_REQUEST_COST_BYTES);
      await this.#budget.take(cost);
      // Requests that came before are not worth their reads when no client waits for replies.
      if (socket.destroyed) throw socket.errored ?? new NbdConnectionError("the NBD client is gone");
      const loan = carriesData ? this.#budget.lend(request.length) : undefined;
      const data = loan?.subarray(0, request.length) ?? Buffer.alloc(0);
      if (request.command === COMMAND.write) await reader.fill(data);
      const answered = this.#answer(request, data).finally(() => {
        if (loan !== undefined) this.#budget.giveBack(loan);
        this.#budget.give(cost);
        this.#underWay.delete(answered);
      });
      this.#underWay.add(answered);
    }
  }

  async idle(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Never rejects: an error becomes the reply, and a reply that cannot be sent means a dead connection. */
  async #answer(request: Request, data: Buffer): Promise<void> {
    try {
      this.#check(request);
      switch (request.command) {
        case COMMAND.read:
          await this.#export.readInto(request.offset, data, this.#signal);
          return await this.#replies.data(request.cookie, request.offset, data);
        case COMMAND.blockStatus:
          return await this.#replies.blockStatus(request.cookie, await this.#blockStatus(request));
        default:
          await this.#change(request, data);
          return await this.#replies.done(request.cookie);
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      await this.#replies.error(request.cookie, errnoOf(error), message);
    }
  }

  #check({ command, flags, offset, length }: Request): void {
    const known = COMMAND_FLAG.fua | COMMAND_FLAG.noHole | COMMAND_FLAG.dontFragment | COMMAND_FLAG.reqOne;
    if ((flags & ~known) !== 0) throw new NbdRequestError("EINVAL", `unknown request flags ${flags}`);
    const changes = command === COMMAND.write || command === COMMAND.writeZeroes || command === COMMAND.trim;
    if (changes && this.#export.readOnly) throw new NbdRequestError("EPERM", "this export is read-only");
    if (offset + length > this.#export.logicalBytes) {
      throw new NbdRequestError(changes ? "ENOSPC" : "EINVAL", "past the end of the export");
    }
    if (length === 0 && command !== COMMAND.flush) throw new NbdRequestError("EINVAL", "a request for no bytes");
  }

  async #change({ command, flags, offset, length }: Request, data: Buffer): Promise<void> {
    switch (command) {
      case COMMAND.write:
        await offered(this.#export.write?.(offset, data, this.#signal));
        break;
      case COMMAND.writeZeroes: {
        const mayTrim = (flags & COMMAND_FLAG.noHole) === 0;
        await offered(this.#export.zero?.(offset, length, { mayTrim }, this.#signal));
        break;
      }
      case COMMAND.trim:
        await offered(this.#export.trim?.(offset, length, this.#signal));
        break;
      case COMMAND.flush:
        return offered(this.#export.flush?.(this.#signal));
      default:
        throw new NbdRequestError("EINVAL", `unknown command ${command}`);
    }
    if ((flags & COMMAND_FLAG.fua) !== 0) await offered(this.#export.flush?.(this.#signal));
  }

  async #blockStatus({ flags, offset, length }: Request): Promise<Map<number, readonly BlockStatus[]>> {
    const answers = new Map<number, readonly BlockStatus[]>();
    for (const [context, id] of this.#client.contexts) {
      const runs = await offered(this.#export.blockStatus?.(context, offset, length, this.#signal));
      answers.set(id, withinRequest(runs, length, (flags & COMMAND_FLAG.reqOne) !== 0 ? 1 : MAX_STATUS_RUNS));
    }
    if (answers.size === 0) throw new NbdRequestError("EINVAL", "no metadata context was negotiated");
    return answers;
  }
}

async function offered<T>(result: Promise<T> | undefined): Promise<T> {
  if (result === undefined) throw new NbdRequestError("ENOTSUP", "this export does not offer that");
  return result;
}

/** Cuts runs at the end of the request, which the protocol always allows. @throws NbdRequestError for an empty run */
function withinRequest(runs: readonly BlockStatus[], length: number, maxRuns: number): readonly BlockStatus[] {
  const kept: BlockStatus[] = [];
  let left = length;
  for (const run of runs) {
    if (left === 0 || kept.length === maxRuns) break;
    if (run.length < 1) throw new NbdRequestError("EIO", "the export answered with an empty extent");
    kept.push({ length: Math.min(run.length, left), flags: run.flags });
    left -= Math.min(run.length, left);
  }
  if (kept.length === 0) throw new NbdRequestError("EIO", "the export does not know its extents");
  return kept;
}
