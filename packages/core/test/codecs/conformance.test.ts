import { lz4 } from "../../src/blocks/codecs/lz4.ts";
import { plain } from "../../src/blocks/codecs/plain.ts";
import { zstandard } from "../../src/blocks/codecs/zstandard.ts";
import { describeCodec } from "@ovault/testkit";

for (const codec of [plain, lz4, zstandard()]) describeCodec(codec);
