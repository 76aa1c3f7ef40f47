import * as fc from "fast-check";

/** Sizes of blocks: powers of two, from 512 bytes so that small disks have many, up to the largest of a repository. */
export const arbitraryBlockBytes: fc.Arbitrary<number> = fc
  .integer({ min: 9, max: 22 })
  .map((exponent) => 2 ** exponent);
