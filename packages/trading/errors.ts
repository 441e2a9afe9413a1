import { Schema } from "effect"

/** What is wrong in a file, and where. */
const FilePlace = {
  path: Schema.String,
  /** The line, counted from 1, where one is to blame. */
  line: Schema.optionalKey(Schema.Int),
  /** The date whose entry is to blame. */
  date: Schema.optionalKey(Schema.String),
  detail: Schema.String,
  hint: Schema.String,
}

const tellPlace = ({ path, line, date, detail }: Schema.Struct.Type<typeof FilePlace>) =>
  `${path}${line === undefined ? "" : `:${line}`}:${date === undefined ? "" : ` ${date}:`} ${detail}`

/** A file of prices and news that cannot be used, and where in it. */
export class PriceFileError extends Schema.TaggedError<PriceFileError>()(
  "PriceFileError",
  FilePlace,
) {
  override get message(): string {
    return tellPlace(this)
  }
}

/** A window of days that the prices cannot serve. */
export class InvalidWindow extends Schema.TaggedError<InvalidWindow>()("InvalidWindow", {
  path: Schema.String,
  from: Schema.String,
  to: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path}: the window ${this.from} … ${this.to} ${this.detail}`
  }
}

/** A rule of the broker that makes no sense, such as a fee of 200 %. */
export class InvalidBroker extends Schema.TaggedError<InvalidBroker>()("InvalidBroker", {
  option: Schema.String,
  found: Schema.Unknown,
  expected: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.option} is ${String(this.found)}, expected ${this.expected}`
  }
}

/** A file of decisions that cannot be used, and where in it. */
export class DecisionFileError extends Schema.TaggedError<DecisionFileError>()(
  "DecisionFileError",
  FilePlace,
) {
  override get message(): string {
    return tellPlace(this)
  }
}

/** A saved state that belongs to another agent, other prices, or is damaged. */
export class AgentStateError extends Schema.TaggedError<AgentStateError>()("AgentStateError", {
  agent: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the saved state of ${this.agent} cannot be used: ${this.detail}`
  }
}
