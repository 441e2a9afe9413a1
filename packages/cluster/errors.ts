import { Schema } from "effect"

/** The database through which runs and workers find each other does not answer. */
export class ClusterUnavailable extends Schema.TaggedError<ClusterUnavailable>()(
  "ClusterUnavailable",
  {
    /** Where it was looked for, without the password. */
    url: Schema.String,
    detail: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `the database ${this.url} cannot be used: ${this.detail}`
  }
}

/** A worker has other code, or another kind of device, than the run that asks it for a step. */
export class WorkerDiffers extends Schema.TaggedError<WorkerDiffers>()("WorkerDiffers", {
  use: Schema.String,
  /** What differs: `code`, `device` … */
  part: Schema.String,
  expected: Schema.String,
  found: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `a worker cannot do ${this.use}: its ${this.part} is ${this.found}, and the run's is ${this.expected}`
  }
}

/** How run and workers come to share a store. */
export const sameStore =
  "give the run and all workers the same folder with --store, or the same --remote"

/** What the run put into its store is not in the worker's, or the other way round. */
export class StoreNotShared extends Schema.TaggedError<StoreNotShared>()("StoreNotShared", {
  folder: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the store ${this.folder} is not shared by run and workers: ${this.detail}`
  }
}

/** A file or folder that a step reads is not what it was when the run began. */
export class InputChanged extends Schema.TaggedError<InputChanged>()("InputChanged", {
  path: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path} was changed while the run was going on`
  }
}

/** A worker cannot be reached where it is to be: the port is another's, or the address is not this machine's. */
export class AddressUnavailable extends Schema.TaggedError<AddressUnavailable>()(
  "AddressUnavailable",
  { host: Schema.String, port: Schema.Int, detail: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `a worker cannot listen at ${this.host}:${this.port}: ${this.detail}`
  }
}

/** The process that did a step ended before the step did. */
export class StepProcessLost extends Schema.TaggedError<StepProcessLost>()("StepProcessLost", {
  /** How it ended: a signal or an exit code. */
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the process of the step ended in the middle: ${this.detail}`
  }
}
