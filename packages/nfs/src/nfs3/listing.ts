import type { FileId } from "../nfs-file-system.ts";
import { XdrWriter } from "../xdr/xdr-writer.ts";
import type { NumberedEntry } from "./listings.ts";
import { writeKnown, writePresent, type Nfs3Context } from "./nfs3-context.ts";
import type { Nfs3Procedure } from "./procedure.ts";
import { MOST_TRANSFER_BYTES } from "./reading.ts";
import { NfsStatusError } from "./status.ts";

const VERIFIER_BYTES = 8;
/** What follows the entries, beside the attributes of the directory: the end of the list, and whether it is the last. */
const END_BYTES = 8;
const ATTRIBUTES_BYTES = 88;

interface ListCall {
  readonly id: FileId;
  /** Where the last page ended; 0: from the start. */
  readonly cookie: bigint;
  readonly mostBytes: number;
}

/** One procedure lists names, the other handles and attributes as well. */
function listing(withAttributes: boolean): Nfs3Procedure<ListCall> {
  return {
    read(args, { handles }) {
      const id = handles.read(args);
      const cookie = args.uint64();
      args.fixed(VERIFIER_BYTES);
      // The size of the names alone, which the whole size bounds as well.
      if (withAttributes) args.uint32();
      return { id, cookie, mostBytes: Math.min(args.uint32(), MOST_TRANSFER_BYTES) };
    },
    async carryOut({ id, cookie, mostBytes }, results, context) {
      const directory = await context.files.attributes(id);
      if (directory.type !== "directory") throw new NfsStatusError("notDirectory");
      const entries = await context.listings.after(directory, cookie);
      writeKnown(context, results, directory);
      results.fixed(Buffer.alloc(VERIFIER_BYTES));
      let isLast = true;
      for (const [index, entry] of entries.entries()) {
        const one = await written(entry, withAttributes, context);
        if (results.length + one.length + END_BYTES > mostBytes) {
          if (index === 0) throw new NfsStatusError("tooSmall");
          isLast = false;
          break;
        }
        results.append(one);
      }
      results.bool(false).bool(isLast);
    },
    failed: (call, results, context) => writePresent(context, results, call?.id),
  };
}

export const list = listing(false);
export const listWithAttributes = listing(true);

async function written(entry: NumberedEntry, withAttributes: boolean, context: Nfs3Context): Promise<XdrWriter> {
  const one = new XdrWriter(ATTRIBUTES_BYTES + entry.name.length * 4 + 96);
  one.bool(true).uint64(entry.id.number).text(entry.name).uint64(entry.cookie);
  if (!withAttributes) return one;
  await writePresent(context, one, entry.id);
  one.bool(true);
  return context.handles.write(one, entry.id);
}
