import { lz4, plain, zstandard } from "@ovault/core";
import { describeCodec } from "@ovault/testkit";

for (const codec of [plain, lz4, zstandard()]) describeCodec(codec);
