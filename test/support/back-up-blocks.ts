/** Backs up the machine of blocks in its arguments into a repository of tiny blocks; to be killed meanwhile. */
import { join } from "node:path";

import { FileLedger, Repository } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";

import { plain } from "@ovault/core/internal/blocks/codecs/plain";
import { type BlockRun, takeBlockPoint } from "@ovault/test-support/repository/take-block-point";

const [directory = "", told = ""] = process.argv.slice(2);
const run: BlockRun = JSON.parse(told);
const { signal } = new AbortController();
const store = await FilesystemStore.open(directory);
const repository = await Repository.open(store, { packBytes: 1000, codec: plain, signal });
const ledger = await FileLedger.open(join(directory, "~ledger"));
await takeBlockPoint(repository, run, { ledger, signal, ifBusy: "refuse" });
