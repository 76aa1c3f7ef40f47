import type { S3 } from "@aws-sdk/client-s3";

/**
 * Signs a body by the SHA-256 that it comes with: every service compares the body with the signed digest, also those
 * without checksums. By default the SDK signs no body that it would have to read twice.
 */
export function signBodiesByTheirChecksum(client: S3): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const digest = "ChecksumSHA256" in args.input ? args.input.ChecksumSHA256 : undefined;
      if (typeof digest === "string" && hasHeaders(args.request)) {
        args.request.headers["x-amz-content-sha256"] = Buffer.from(digest, "base64").toString("hex");
      }
      return next(args);
    },
    { step: "build", name: "signBodiesByTheirChecksum" },
  );
}

function hasHeaders(request: unknown): request is { readonly headers: Record<string, string> } {
  return typeof request === "object" && request !== null && "headers" in request;
}
