import { UsageError } from "@ovault/contract";
import { connectLab, type GuestWrite } from "@ovault/lab";
import { formatBytes, parseSize } from "@ovault/operations";

import { examples, type Define } from "../../command.ts";
import { text } from "../../output/view.ts";
import { labDirectory, type LabOption } from "./lab-directory.ts";

interface WriteOptions extends LabOption {
  readonly offset: number;
  readonly length: number;
  readonly pattern?: string;
  readonly random?: string;
  readonly zero?: boolean;
  readonly discard?: boolean;
}

/** Default pattern: any byte but zero. */
const DEFAULT_PATTERN = "0xaa";

export const defineWrite: Define = (command, invoke) => {
  command
    .argument("<vm>", "name or id; it must be up")
    .argument("<disk>", "id, alias or index; 0 is the first")
    .requiredOption("--offset <size>", "where; K, M, G may follow the number", parseSize)
    .requiredOption("--length <size>", "how much", parseSize)
    .option("--pattern <byte>", `fill with this byte (default: ${DEFAULT_PATTERN})`)
    .option("--random <seed>", "fill with random bytes, the same for the same seed")
    .option("--zero", "write zeros")
    .option("--discard", "discard (TRIM)")
    .addHelpText("after", examples(["ovault lab write --dir lab web01 0 --offset 1G --length 64K --random 7", ""]))
    .action((vm: string, disk: string, options: WriteOptions) =>
      invoke(command, async (context) => {
        const write = guestWrite(options);
        await connectLab(await labDirectory(options, context)).write(vm, disk, write);
        const { kind, offset, length } = write;
        return {
          data: { vm, disk, ...write },
          view: [text(`${vm}, disk ${disk}: ${kind}, ${formatBytes(length)} at ${formatBytes(offset)}`)],
        };
      }),
    );
};

function guestWrite({ offset, length, pattern, random, zero, discard }: WriteOptions): GuestWrite {
  const kinds = [pattern, random, zero, discard].filter((kind) => kind !== undefined);
  if (kinds.length > 1) throw new UsageError("give one of --pattern, --random, --zero and --discard");
  const range = { offset, length };
  if (random !== undefined) return { ...range, kind: "random", seed: random };
  if (zero === true) return { ...range, kind: "zero" };
  if (discard === true) return { ...range, kind: "discard" };
  return { ...range, kind: "pattern", pattern: parseByte(pattern ?? DEFAULT_PATTERN) };
}

function parseByte(written: string): number {
  const byte = /^(0x[0-9a-f]+|\d+)$/i.test(written) ? Number(written) : Number.NaN;
  if (byte >= 0 && byte <= 255) return byte;
  throw new UsageError(`"${written}" is not a byte`, { hint: "Write 0 to 255, or 0x00 to 0xff." });
}
