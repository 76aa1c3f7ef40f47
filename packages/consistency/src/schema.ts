import { z } from "zod";

import { secretReference } from "@ovault/contract";
import { checkServer, serverShape } from "@ovault/ssh";

import { RESERVED_PREFIX } from "./environment.ts";

const LONGEST_DAY = 86_400;

const seconds = z.int().min(1).max(LONGEST_DAY);

const server = z
  .strictObject({
    ...serverShape,
    /**
     * The server has `AcceptEnv` for the environment of commands, so that they are sent as they are: for forced commands, for
     * shells that are not POSIX, and for secrets.
     */
    acceptsEnvironment: z.boolean().default(false),
  })
  .superRefine(checkServer);

const environment = z.record(
  z
    .string()
    .regex(/^[A-Za-z_]\w*$/, "a variable is named with letters, digits and underscores")
    .refine((name) => !name.startsWith(RESERVED_PREFIX), `${RESERVED_PREFIX}… is set by ovault`),
  z.union([z.string(), secretReference]),
);

const program = z.array(z.string().regex(/^[^\0]*$/, "must not hold a NUL")).refine(([first = ""]) => first !== "", {
  error: "begins with a program",
});

function command(onFailure: "abort" | "warn") {
  return z
    .strictObject({
      /** For people; the program itself unless told. */
      name: z
        .string()
        .regex(/^[\w.-][\w. -]{0,63}$/, "is short and plain: letters, digits, dots, dashes and blanks")
        .optional(),
      /** Program and arguments; with `shell`, a line for one. */
      run: z.union([program, z.string().regex(/^[^\0]+$/, "must be a line for a shell")]),
      shell: z.boolean().default(false),
      /** Where it runs; on this machine unless told. */
      ssh: server.optional(),
      environment: environment.default({}),
      timeoutSeconds: seconds.default(300),
      onFailure: z.enum(["abort", "warn"]).default(onFailure),
    })
    .superRefine((chosen, context) => {
      if (chosen.shell !== (typeof chosen.run === "string")) {
        const message = chosen.shell
          ? "is one line, for a shell"
          : "is a list, of a program and its arguments; with `shell: true` it is a line";
        context.addIssue({ code: "custom", message, path: ["run"] });
      }
      const hasSecrets = Object.values(chosen.environment).some((value) => typeof value !== "string");
      if (hasSecrets && chosen.ssh?.acceptsEnvironment === false) {
        context.addIssue({
          code: "custom",
          message:
            "secrets would stand in a command line there; let sshd accept them and set `acceptsEnvironment: true`",
          path: ["environment"],
        });
      }
    });
}

/** The part of a policy that says how a guest is brought to rest around its snapshot; all of it has defaults. */
export const consistencySchema = z
  .strictObject({
    quiesce: z.enum(["require", "try", "never"]).default("try"),
    /** Who freezes: whoever takes the snapshot or backup, or ovault by a call of its own before and after. */
    freeze: z.enum(["implicit", "explicit"]).default("implicit"),
    /** With `freeze: explicit`. */
    freezeTimeoutSeconds: seconds.default(60),
    /** With `freeze: explicit`: for how long thawing is tried. */
    thawTimeoutSeconds: seconds.default(300),
    commands: z
      .strictObject({
        before: z.array(command("abort")).default([]),
        after: z.array(command("warn")).default([]),
      })
      .prefault({}),
  })
  .refine(({ quiesce, freeze }) => quiesce !== "never" || freeze !== "explicit", {
    error: "nothing is frozen with quiesce: never",
    path: ["freeze"],
  });

export type ConsistencyOptions = z.output<typeof consistencySchema>;

/** One command, before or after the snapshot. */
export type CommandOptions = ConsistencyOptions["commands"]["before"][number];

/** Where a command runs that does not run on this machine. */
export type GuestServer = z.output<typeof server>;
