import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { describe, expect, test } from "vitest";

import { OvaultError } from "@ovault/contract";

import { exitCodeOf } from "../src/exit-code-of.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const CODE = /(?<![A-Z_])E_[A-Z]+(?:_[A-Z]+)*/g;

async function filesOf(pattern: string): Promise<readonly { readonly file: string; readonly text: string }[]> {
  const files = await Array.fromAsync(glob(pattern, { cwd: ROOT, exclude: (name) => name === "node_modules" }));
  return await Promise.all(
    files.toSorted().map(async (file) => ({ file, text: await readFile(join(ROOT, file), "utf8") })),
  );
}

/** Codes by the file that declares them as those of a class. */
const declared = new Map<string, string>();
for (const { file, text } of await filesOf("packages/*/src/**/*.ts")) {
  for (const [, code = ""] of text.matchAll(/static (?:override )?readonly code: ErrorCode = "(E_[A-Z_]+)"/g))
    declared.set(code, file);
}

/** The rows of docs/errors.md: code and exit code. */
const documented: (readonly [string, number])[] = [];
for (const section of (await readFile(join(ROOT, "docs/errors.md"), "utf8")).split("\n## Exit code ").slice(1)) {
  for (const [, code = ""] of section.matchAll(/^\| `(E_[A-Z_]+)` /gm))
    documented.push([code, Number.parseInt(section)]);
}

/** An error of every class that a file exports. */
async function errorsOf(file: string): Promise<OvaultError[]> {
  const exported: Record<string, unknown> = await import(pathToFileURL(join(ROOT, file)).href);
  return Object.values(exported).flatMap((value) => {
    if (typeof value !== "function" || !(value.prototype instanceof OvaultError)) return [];
    // Whatever the arguments mean to it: enough is there for any of them.
    const error: unknown = Reflect.construct(value, ["message", "message", {}]);
    return error instanceof OvaultError ? [error] : [];
  });
}

describe("docs/errors.md", () => {
  test("has every code that the code can raise, once, and no other", () => {
    expect(documented.map(([code]) => code).toSorted()).toEqual([...declared.keys()].toSorted());
    expect(declared.size).toBeGreaterThan(60);
  });

  test("has the exit code of each, and only faults of ovault end with 1", async () => {
    const exitCodes = new Map<string, number>([["E_INTERNAL", exitCodeOf(new OvaultError("a fault"))]]);
    for (const file of new Set(declared.values())) {
      for (const error of await errorsOf(file)) exitCodes.set(error.code, exitCodeOf(error));
    }
    expect([...exitCodes].toSorted()).toEqual(documented.toSorted());
  });
});

test("public comments name the errors behind @throws bare, without braces", async () => {
  const braced = (await filesOf("packages/*/src/**/*.ts")).flatMap(({ file, text }) =>
    /@throws \{|^\s*(?:\/\*\*|\*) (?:.*[.;:] )?(?:Throws|Rejects with) [A-Z]/m.test(text) ? [file] : [],
  );
  expect(braced).toEqual([]);
});

test("KnownErrorCode has the codes of contract and core", async () => {
  const ofBoth = [...declared].filter(([, file]) => /^packages\/(contract|core)\//.test(file)).map(([code]) => code);
  const listed = await readFile(join(ROOT, "packages/contract/src/errors/error-code.ts"), "utf8");
  expect([...listed.matchAll(/\| "(E_[A-Z_]+)"/g)].map(([, code]) => code).toSorted()).toEqual(ofBoth.toSorted());
});

test("codes that docs and READMEs name exist", async () => {
  const pages = [
    ...(await filesOf("*.md")),
    ...(await filesOf("docs/**/*.md")),
    ...(await filesOf("packages/*/README.md")),
  ];
  const codes = [...declared.keys()];
  const unknown = pages.flatMap(({ file, text }) =>
    [...text.matchAll(CODE)]
      .filter(
        ([code]) => !codes.some((known) => known === code || (text.includes(`${code}…`) && known.startsWith(code))),
      )
      .map(([code]) => `${file}: ${code}`),
  );
  expect(unknown).toEqual([]);
});

test("the table of exit codes in docs/cli.md puts each code, or family of codes, where it belongs", async () => {
  const text = await readFile(join(ROOT, "docs/cli.md"), "utf8");
  const [, table = ""] = /## Exit codes\n([\s\S]*?)\n## /.exec(text) ?? [];
  const wrong = [...table.matchAll(/^\| (\d+) .*$/gm)].flatMap(([row, exit]) =>
    [...row.matchAll(CODE)]
      .flatMap(([code]) =>
        documented.filter(([known]) => known === code || (row.includes(`${code}…`) && known.startsWith(code))),
      )
      .filter(([, code]) => code !== Number(exit))
      .map(([code, right]) => `${code} is ${right}, not ${exit}`),
  );
  expect(wrong).toEqual([]);
});
