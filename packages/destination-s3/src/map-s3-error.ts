import {
  DestinationMissingError,
  type ErrorOptionsWithHint,
  ObjectNotFoundError,
  OvaultError,
  type RetryClass,
  StoreError,
  StoreFullError,
  StorePermissionError,
  StoreUnavailableError,
} from "@ovault/contract";

import type { FailedRequest } from "./failed-request.ts";
import { mapNetworkError } from "./map-network-error.ts";
import { type Refusal, refusalOf } from "./refusal.ts";

type Kind = new (message: string, options: ErrorOptionsWithHint) => StoreError;

interface Meaning {
  readonly kind: Kind;
  /** Replaces the service's own message. */
  readonly reason?: string;
  readonly retry?: RetryClass;
  readonly hint?: string;
}

/** Services refuse a request that is older than this. */
const CLOCK_TOLERANCE_MS = 15 * 60 * 1000;

const NOT_NOW: Meaning = {
  kind: StoreUnavailableError,
  retry: "transient",
  hint: "The service is overloaded or in trouble. Fewer requests at once may help.",
};
const DAMAGED: Meaning = {
  kind: StoreUnavailableError,
  retry: "transient",
  hint: "The bytes were damaged on their way. Should it come again, suspect the network or this machine's memory.",
};
const FULL: Meaning = {
  kind: StoreFullError,
  hint: "Raise the quota, free space (`ovault forget`, then `ovault prune`), or back up to another destination.",
};
const REFUSED: Meaning = {
  kind: StorePermissionError,
  hint: "Check the credentials, and that they may list, read, write and delete in the bucket (docs/operations.md).",
};
const SESSION_ENDED: Meaning = {
  kind: StorePermissionError,
  hint: "The session has ended: renew the temporary credentials and start again.",
};

const BY_CODE = new Map<string, Meaning>(
  Object.entries({
    NoSuchKey: { kind: ObjectNotFoundError },
    NoSuchVersion: { kind: ObjectNotFoundError },
    NoSuchBucket: {
      kind: DestinationMissingError,
      hint: "Check `bucket` and `endpoint`; a new bucket is made by `ovault destination init`.",
    },

    AccessDenied: REFUSED,
    InvalidAccessKeyId: {
      kind: StorePermissionError,
      hint: "The service does not know the access key: check `credentials.accessKeyId`.",
    },
    SignatureDoesNotMatch: {
      kind: StorePermissionError,
      hint: "The secret key is not the one of the access key: check `credentials.secretAccessKey`.",
    },
    InvalidToken: { kind: StorePermissionError, hint: "Check `credentials.sessionToken`." },
    ExpiredToken: SESSION_ENDED,
    ExpiredTokenException: SESSION_ENDED,
    TokenRefreshRequired: SESSION_ENDED,

    QuotaExceeded: FULL,
    InsufficientStorage: FULL,
    XMinioStorageFull: FULL,
    XMinioAdminBucketQuotaExceeded: FULL,

    SlowDown: NOT_NOW,
    ServiceUnavailable: NOT_NOW,
    InternalError: NOT_NOW,
    RequestTimeout: NOT_NOW,
    ThrottlingException: NOT_NOW,
    BandwidthLimitExceeded: NOT_NOW,
    // A concurrent request writes or deletes the same object.
    OperationAborted: NOT_NOW,
    ConditionalRequestConflict: NOT_NOW,
    // Our upload was aborted from elsewhere; the next try begins a new one.
    NoSuchUpload: { kind: StoreUnavailableError, retry: "transient" },

    BadDigest: DAMAGED,
    IncompleteBody: DAMAGED,
    XAmzContentSHA256Mismatch: DAMAGED,
    XAmzContentChecksumMismatch: DAMAGED,

    InvalidObjectState: {
      kind: StoreError,
      hint: "A life-cycle rule moved the object to an archive: bring it back first (S3 RestoreObject).",
    },
    NotImplemented: { kind: StoreError, hint: "The service does not know what was asked of it." },
  }),
);

/** For answers without a code, or with one that only this service knows. */
const BY_STATUS = new Map<number, Meaning>([
  [401, REFUSED],
  [403, REFUSED],
  [404, { kind: ObjectNotFoundError }],
  [408, NOT_NOW],
  [425, NOT_NOW],
  [429, NOT_NOW],
  [500, NOT_NOW],
  [502, NOT_NOW],
  [503, NOT_NOW],
  [504, NOT_NOW],
  [507, FULL],
]);

/** Codes for a bucket in another region than the one that the request was signed for. */
const ELSEWHERE = new Set(["AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect"]);

/**
 * The store error for an error of the service or the network. Returns others, such as programming errors, unchanged.
 */
export function mapS3Error(error: unknown, request: FailedRequest): unknown {
  if (error instanceof OvaultError) return error;
  const refusal = refusalOf(error);
  if (refusal === undefined) return mapNetworkError(error, request);
  const { kind: Kind, reason = wordsOf(refusal), ...advice } = meaningOf(refusal);
  return new Kind(`cannot ${request.what} in ${request.place}: ${reason}`, {
    ...advice,
    // Not the SDK's error: services answer a bad signature with the request's headers, tokens and keys among them.
    cause: new Error(wordsOf(refusal)),
    context: { code: refusal.code, status: refusal.status, requestId: refusal.requestId },
  });
}

function meaningOf(refusal: Refusal): Meaning {
  return (
    clocksDisagree(refusal) ??
    isElsewhere(refusal) ??
    BY_CODE.get(refusal.code) ??
    BY_STATUS.get(refusal.status) ?? { kind: StoreError }
  );
}

function wordsOf({ code, message, status }: Refusal): string {
  return [code, message].filter((text) => text !== "").join(": ") || `HTTP ${status}`;
}

/** Compares dates, because an answer to a HEAD carries no code. */
function clocksDisagree({ code, status, date }: Refusal): Meaning | undefined {
  const here = new Date();
  const apart = Math.abs(here.getTime() - (date ?? here).getTime());
  if (code !== "RequestTimeTooSkewed" && !(status === 403 && apart > CLOCK_TOLERANCE_MS)) return undefined;
  return {
    kind: StoreError,
    reason: `the clocks disagree: here it is ${here.toISOString()}, there ${date?.toISOString() ?? "another time"}`,
    hint: "Set the wrong one right, best by NTP. Everything that is dated depends on it, object lock above all.",
  };
}

function isElsewhere({ code, status, region }: Refusal): Meaning | undefined {
  const nameless = code === "" && (status === 301 || status === 400) && region !== undefined;
  if (!ELSEWHERE.has(code) && !nameless) return undefined;
  return {
    kind: StoreError,
    reason: region === undefined ? "the bucket is in another region" : `the bucket is in the region ${region}`,
    hint: `Set \`region${region === undefined ? "" : `: ${region}`}\` of the destination.`,
  };
}

/** The HTTP status behind a mapped error; `undefined` without an answer of the service. */
export function statusOf(error: unknown): number | undefined {
  const status = error instanceof StoreError ? error.context["status"] : undefined;
  return typeof status === "number" ? status : undefined;
}

/** The service's own code behind a mapped error: `NoSuchKey`. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof StoreError ? error.context["code"] : undefined;
  return typeof code === "string" ? code : undefined;
}
