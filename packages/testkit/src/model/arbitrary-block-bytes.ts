import * as fc from "fast-check";

/** Block sizes: powers of two, from 512 bytes, so that small disks have many blocks, to a repository's largest. */
export const arbitraryBlockBytes: fc.Arbitrary<number> = fc
  .integer({ min: 9, max: 22 })
  .map((exponent) => 2 ** exponent);
