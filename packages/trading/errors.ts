import { Schema } from "effect"

/** A file of prices and news that cannot be used, and where in it. */
export class PriceFileError extends Schema.TaggedError<PriceFileError>()("PriceFileError", {
  path: Schema.String,
  /** The line, counted from 1, where one is to blame. */
  line: Schema.optionalKey(Schema.Int),
  /** The date whose entry is to blame. */
  date: Schema.optionalKey(Schema.String),
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    const line = this.line === undefined ? "" : `:${this.line}`
    const date = this.date === undefined ? "" : ` ${this.date}:`
    return `${this.path}${line}:${date} ${this.detail}`
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
  {
    path: Schema.String,
    line: Schema.optionalKey(Schema.Int),
    date: Schema.optionalKey(Schema.String),
    detail: Schema.String,
    hint: Schema.String,
  },
) {
  override get message(): string {
    const line = this.line === undefined ? "" : `:${this.line}`
    const date = this.date === undefined ? "" : ` ${this.date}:`
    return `${this.path}${line}:${date} ${this.detail}`
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
