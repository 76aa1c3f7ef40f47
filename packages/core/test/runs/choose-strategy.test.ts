import * as fc from "fast-check";
import { expect, test } from "vitest";

import type { DiskAssessment, Strategy } from "@ovault/contract";
import { chooseStrategy } from "@ovault/core";
import type { AssessmentTerms } from "../../src/runs/choose-strategy.ts";
import { ModelPlatform, ModelStrategy } from "@ovault/testkit";

const { signal } = new AbortController();

type Verdict = DiskAssessment["verdict"];

/** Assesses disks as given; undefined: it does not know the disk. */
class Opinion extends ModelStrategy {
  override readonly name: string;
  readonly #verdicts: readonly (Verdict | undefined)[];

  readonly #keeps: string | undefined;

  constructor(name: string, verdicts: readonly (Verdict | undefined)[], keeps?: string) {
    super(new ModelPlatform());
    this.name = name;
    this.#verdicts = verdicts;
    this.#keeps = keeps;
  }

  override async assess() {
    const disks = this.#verdicts.flatMap((verdict, index): DiskAssessment[] =>
      verdict === undefined ? [] : [{ diskId: `d${index}`, verdict, reason: "a test" }],
    );
    const keeps = this.#keeps;
    return { disks: keeps === undefined ? disks : disks.map((disk) => ({ ...disk, keeps })) };
  }
}

function machineOf(disks: number) {
  const platform = new ModelPlatform();
  for (let index = 0; index < disks; index += 1)
    platform.disks.set(`d${index}`, { bytes: new Uint8Array(1), extents: [] });
  return platform.vm();
}

async function chosen(strategies: readonly Strategy[], disks: number, terms: Partial<AssessmentTerms> = {}) {
  return await chooseStrategy(strategies, machineOf(disks), { excludeDisks: [], keepBase: true, signal, ...terms });
}

/** The less, the better. */
function worth(verdicts: readonly (Verdict | undefined)[]): number {
  const count = (...wanted: readonly (Verdict | undefined)[]): number =>
    verdicts.filter((one) => wanted.includes(one)).length;
  return count(undefined, "impossible") * 100 + count("skip") * 10 + count("full");
}

test("taking every disk counts most, then taking it incrementally, then the order of preference", async () => {
  const verdict = fc.constantFrom<Verdict | undefined>("incremental", "full", "skip", "impossible", undefined);
  const opinions = fc
    .integer({ min: 1, max: 4 })
    .chain((disks) =>
      fc.array(fc.array(verdict, { minLength: disks, maxLength: disks }), { minLength: 1, maxLength: 4 }),
    );
  await fc.assert(
    fc.asyncProperty(opinions, async (all) => {
      const disks = all[0]?.length ?? 0;
      const choice = await chosen(
        all.map((verdicts, index) => new Opinion(String(index), verdicts)),
        disks,
      );
      const best = Math.min(...all.map(worth));
      expect(choice?.strategy.name).toBe(String(all.findIndex((verdicts) => worth(verdicts) === best)));
      expect(choice?.rejected).toHaveLength(all.length - 1);
    }),
  );
});

test("disks that are excluded do not count", async () => {
  const strategies = [new Opinion("a", ["full", "incremental"]), new Opinion("b", ["incremental", "impossible"])];
  expect((await chosen(strategies, 2))?.strategy.name).toBe("a");
  const choice = await chosen(strategies, 2, { excludeDisks: ["d1"] });
  expect(choice?.strategy.name).toBe("b");
  expect(choice?.reason).toBe("best for its disks: 1 incremental (a: 1 full)");
});

test("an increment that something must be kept for counts as full where nothing is", async () => {
  const keeping = new Opinion("keeping", ["incremental", "incremental"], "a snapshot");
  const strategies = [new Opinion("half", ["incremental", "full"]), keeping];
  expect((await chosen(strategies, 2))?.strategy.name).toBe("keeping");
  const choice = await chosen(strategies, 2, { keepBase: false });
  expect(choice?.strategy.name).toBe("half");
  expect(choice?.reason).toBe("best for its disks: 1 incremental, 1 full (keeping: 2 full)");
  expect(choice?.rejected[0]?.disks[0]?.reason).toMatch(/^no increment is scheduled, so that a snapshot /);
});

test("the reason says what the others could do", async () => {
  expect((await chosen([new Opinion("a", ["full"])], 1))?.reason).toBe("the only one for this manager");
  const equal = await chosen([new Opinion("a", ["full"]), new Opinion("b", ["full"]), new Opinion("c", ["skip"])], 1);
  expect(equal?.reason).toBe("preferred among equals: 1 full (b: 1 full; c: 1 skip)");
  expect(await chosen([], 1)).toBeUndefined();
});

test("where no strategy takes a disk, the one for which a user can do something answers", async () => {
  const remedied = new Opinion("c", ["impossible", "impossible"]);
  const assess = remedied.assess.bind(remedied);
  remedied.assess = async () => ({
    disks: (await assess()).disks.map((disk) => ({ ...disk, remedy: "Activate it." })),
  });
  const hopeless = [new Opinion("a", ["impossible", "impossible"]), new Opinion("b", ["impossible", "impossible"])];
  const choice = await chosen([...hopeless, remedied], 2);
  expect(choice?.strategy.name).toBe("c");
  expect(choice?.rejected.map(({ strategy }) => strategy.name)).toEqual(["a", "b"]);
  expect((await chosen([new Opinion("a", ["full", "impossible"]), remedied], 2))?.strategy.name).toBe("a");
});
