import { Schema } from "effect"

/** What all failures of a remote say: where, what, and what to do. No secret is among it. */
const fields = { address: Schema.String, detail: Schema.String, hint: Schema.String }

/** An address is not one of a remote. */
export class InvalidRemoteAddress extends Schema.TaggedError<InvalidRemoteAddress>()(
  "InvalidRemoteAddress",
  fields,
) {
  override get message(): string {
    return `${this.address} is no address of a remote: ${this.detail}`
  }
}

/** No credentials are there to ask a remote with, or not whole ones. */
export class RemoteCredentialsMissing extends Schema.TaggedError<RemoteCredentialsMissing>()(
  "RemoteCredentialsMissing",
  fields,
) {
  override get message(): string {
    return `${this.address} needs credentials: ${this.detail}`
  }
}

/** There is no such bucket, or it is to be asked for elsewhere. */
export class BucketNotFound extends Schema.TaggedError<BucketNotFound>()("BucketNotFound", fields) {
  override get message(): string {
    return `the bucket of ${this.address} is not there: ${this.detail}`
  }
}

/** The service does not let these credentials do it. */
export class RemoteAccessDenied extends Schema.TaggedError<RemoteAccessDenied>()(
  "RemoteAccessDenied",
  fields,
) {
  override get message(): string {
    return `${this.address} refuses access: ${this.detail}`
  }
}

/** This machine's clock and the service's are too far apart for signatures to count. */
export class ClockSkewed extends Schema.TaggedError<ClockSkewed>()("ClockSkewed", fields) {
  override get message(): string {
    return `${this.address} takes this machine's clock for wrong: ${this.detail}`
  }
}

/** The service cannot do what a store needs of it. */
export class RemoteUnsuitable extends Schema.TaggedError<RemoteUnsuitable>()(
  "RemoteUnsuitable",
  fields,
) {
  override get message(): string {
    return `${this.address} cannot serve as a store: ${this.detail}`
  }
}

/** The service does not answer, or says that it cannot now; it was asked several times. */
export class RemoteUnavailable extends Schema.TaggedError<RemoteUnavailable>()(
  "RemoteUnavailable",
  fields,
) {
  override get message(): string {
    return `${this.address} cannot be reached: ${this.detail}`
  }
}

const remoteErrors = [
  InvalidRemoteAddress,
  RemoteCredentialsMissing,
  BucketNotFound,
  RemoteAccessDenied,
  ClockSkewed,
  RemoteUnsuitable,
  RemoteUnavailable,
]

/** Why a remote cannot be used. */
export type RemoteError = InstanceType<(typeof remoteErrors)[number]>

export const isRemoteError = (error: unknown): error is RemoteError =>
  remoteErrors.some((kind) => error instanceof kind)
