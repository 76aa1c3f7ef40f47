import { ObjectNotFoundError } from "@ovault/contract";

import { assertRejects, assertSame, assertSameBytes } from "../assertions.ts";
import { keysOf } from "../stores/listed.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { withoutSecondClient } from "./put-if-absent.ts";
import { textBytes } from "./store-under-test.ts";

export const twoClients: readonly ObjectStoreCheck[] = [
  {
    name: "two clients see at once what the other one did",
    skipReason: withoutSecondClient,
    async run({ store, second = store }, signal) {
      for (const [writer, reader, key] of [
        [store, second, "shared/first"],
        [second, store, "shared/second"],
      ] as const) {
        await assertRejects(() => reader.get(key, { signal }), ObjectNotFoundError, "get before the put");
        await writer.put(key, [textBytes(key)], { ifAbsent: true, signal });
        assertSameBytes(await reader.get(key, { signal }), textBytes(key), "what the other client stored");
        assertSame((await reader.stat(key, { signal })).bytes, key.length, "its bytes");
        assertSame(
          await reader.put(key, [], { ifAbsent: true, signal }),
          "exists",
          "put-if-absent of the other client",
        );
        assertSame(await keysOf(reader, "shared/", signal), [key], "the listing of the other client");
        await reader.delete(key, { signal });
        await assertRejects(
          () => writer.get(key, { signal }),
          ObjectNotFoundError,
          "get after the other client's delete",
        );
        assertSame(await keysOf(writer, "shared/", signal), [], "the listing after the other client's delete");
      }
    },
  },
];
