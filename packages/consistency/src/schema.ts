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
     * The server has `AcceptEnv` for the environment of commands, so variables are sent natively: for forced commands,
     * for shells other than POSIX, and for secrets.
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
      /** For people; default: the program itself. */
      name: z
        .string()
        .regex(/^[\w.-][\w. -]{0,63}$/, "is short and plain: letters, digits, dots, dashes and blanks")
        .optional(),
      /** Program and arguments; with `shell`, one line. */
      run: z.union([program, z.string().regex(/^[^\0]+$/, "must be a line for a shell")]),
      shell: z.boolean().default(false),
      /** Where it runs; default: on this machine. */
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
            "secrets are sent only where sshd accepts these variables: let it, and set `acceptsEnvironment: true`",
          path: ["environment"],
        });
      }
    });
}

/** The part of a policy that says how to quiesce a guest around its snapshot; all fields have defaults. */
export const consistencySchema = z
  .strictObject({
    quiesce: z.enum(["require", "try", "never"]).default("try"),
    /** What freezes the guest: the snapshot or backup itself, or a separate call by ovault before and after. */
    freeze: z.enum(["implicit", "explicit"]).default("implicit"),
    /** Needs `freeze: explicit`. */
    freezeTimeoutSeconds: seconds.default(60),
    /** Total time for attempts to thaw. Needs `freeze: explicit`. */
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

/** A remote server that runs a command. */
export type GuestServer = z.output<typeof server>;
