import { Schema } from "effect"

/** Where in a pipeline file a problem is. */
const place = {
  /** The file as it was named, or `--set` where an override is at fault. */
  file: Schema.String,
  line: Schema.optionalKey(Schema.Int),
  column: Schema.optionalKey(Schema.Int),
  /** The path in the document: `steps.pruned.sparsity`. */
  at: Schema.String,
  hint: Schema.String,
}

interface Place {
  readonly file: string
  readonly line?: number
  readonly column?: number
  readonly at: string
}

const placed = ({ file, line, column, at }: Place, what: string): string =>
  `${file}${line === undefined ? "" : `:${line}:${column ?? 1}`}: ${at === "" ? "" : `${at}: `}${what}`

/** The file is not YAML, or the module does not load. */
export class PipelineSyntaxError extends Schema.TaggedError<PipelineSyntaxError>()(
  "PipelineSyntaxError",
  { ...place, detail: Schema.String },
) {
  override get message(): string {
    return placed(this, this.detail)
  }
}

/** A key that does not exist there. */
export class UnknownKey extends Schema.TaggedError<UnknownKey>()("UnknownKey", {
  ...place,
  key: Schema.String,
  known: Schema.Array(Schema.String),
}) {
  override get message(): string {
    return placed(this, `unknown key "${this.key}"`)
  }
}

/** `use` names no step. */
export class UnknownStep extends Schema.TaggedError<UnknownStep>()("UnknownStep", {
  ...place,
  use: Schema.String,
  known: Schema.Array(Schema.String),
}) {
  override get message(): string {
    return placed(this, `unknown step "${this.use}"`)
  }
}

/** A `$reference` to a step or an output that does not exist, or to one of several outputs unnamed. */
export class UnknownReference extends Schema.TaggedError<UnknownReference>()("UnknownReference", {
  ...place,
  reference: Schema.String,
  detail: Schema.String,
  known: Schema.Array(Schema.String),
}) {
  override get message(): string {
    return placed(this, `${this.reference}: ${this.detail}`)
  }
}

/** An output of one type where another is asked for. */
export class TypeMismatch extends Schema.TaggedError<TypeMismatch>()("TypeMismatch", {
  ...place,
  reference: Schema.String,
  expected: Schema.String,
  found: Schema.String,
}) {
  override get message(): string {
    return placed(this, `${this.reference} is a ${this.found}, and a ${this.expected} is needed`)
  }
}

/** Steps that wait for each other. */
export class PipelineCycle extends Schema.TaggedError<PipelineCycle>()("PipelineCycle", {
  ...place,
  /** The steps of the cycle in order, the first one again at the end. */
  cycle: Schema.Array(Schema.String),
}) {
  override get message(): string {
    return placed(this, `the steps depend on each other in a circle: ${this.cycle.join(" → ")}`)
  }
}

/** A value that its schema refuses, or one that is missing. */
export class InvalidValue extends Schema.TaggedError<InvalidValue>()("InvalidValue", {
  ...place,
  detail: Schema.String,
}) {
  override get message(): string {
    return placed(this, this.detail)
  }
}

/** A file or folder that a step names and that is not there. */
export class InputFileMissing extends Schema.TaggedError<InputFileMissing>()("InputFileMissing", {
  ...place,
  path: Schema.String,
}) {
  override get message(): string {
    return placed(this, `there is no file or folder ${this.path}, or it may not be read`)
  }
}

/** The pipeline uses `data:` and there is no data folder. */
export class DataFolderMissing extends Schema.TaggedError<DataFolderMissing>()(
  "DataFolderMissing",
  { ...place, lookedFor: Schema.Array(Schema.String) },
) {
  override get message(): string {
    return placed(this, `no data folder; looked for: ${this.lookedFor.join("; ")}`)
  }
}

/** A path that leads out of the folders that are allowed. */
export class PathOutsideSandbox extends Schema.TaggedError<PathOutsideSandbox>()(
  "PathOutsideSandbox",
  { ...place, path: Schema.String, allowed: Schema.Array(Schema.String) },
) {
  override get message(): string {
    return placed(this, `${this.path} is outside of what is allowed: ${this.allowed.join(", ")}`)
  }
}

/** Everything that can be wrong with a pipeline before it runs. */
export type PipelineProblem =
  | PipelineSyntaxError
  | UnknownKey
  | UnknownStep
  | UnknownReference
  | TypeMismatch
  | PipelineCycle
  | InvalidValue
  | InputFileMissing
  | DataFolderMissing
  | PathOutsideSandbox

/** A pipeline that cannot run, with everything that is wrong with it: nothing has run. */
export class InvalidPipeline extends Schema.TaggedError<InvalidPipeline>()("InvalidPipeline", {
  file: Schema.String,
  problems: Schema.Array(
    Schema.Union([
      PipelineSyntaxError,
      UnknownKey,
      UnknownStep,
      UnknownReference,
      TypeMismatch,
      PipelineCycle,
      InvalidValue,
      InputFileMissing,
      DataFolderMissing,
      PathOutsideSandbox,
    ]),
  ),
}) {
  override get message(): string {
    return this.problems.map((problem) => problem.message).join("\n")
  }
  get hint(): string {
    return this.problems.map((problem) => problem.hint).join("\n")
  }
}

/** The pipeline file itself is not there or cannot be read. */
export class PipelineFileMissing extends Schema.TaggedError<PipelineFileMissing>()(
  "PipelineFileMissing",
  { path: Schema.String, detail: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `cannot read the pipeline file ${this.path}: ${this.detail}`
  }
}
