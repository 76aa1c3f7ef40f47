import { z } from "zod";

import { lz4 } from "../blocks/codecs/lz4.ts";
import { plain } from "../blocks/codecs/plain.ts";
import { zstandard } from "../blocks/codecs/zstandard.ts";
import { didYouMean, type Codec } from "@ovault/contract";
import type { DestinationEntry } from "./configuration.ts";
import { originBelow } from "./origin.ts";
import { validate } from "./validate.ts";

/**
 * The codec that a destination's `compression` names; undefined if it names none.
 * @param additional codecs of plugins
 * @throws ConfigurationError for an unknown name, with file, line and path
 */
export function chooseCodec(
  { settings: { compression }, origin }: DestinationEntry,
  additional: readonly Codec[],
): Codec | undefined {
  if (compression === undefined) return undefined;
  const codecs = new Map([plain, lz4, zstandard(compression.level), ...additional].map((codec) => [codec.name, codec]));
  const known = z.string().transform((name, context): Codec => {
    const codec = codecs.get(name);
    if (codec !== undefined) return codec;
    const proposal = didYouMean(name, codecs.keys()) || `; known: ${[...codecs.keys()].join(", ")}`;
    context.addIssue(`there is no codec "${name}"${proposal}`);
    return z.NEVER;
  });
  return validate(known, compression.codec, originBelow(origin, "compression"));
}
