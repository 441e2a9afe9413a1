import { Schema } from "effect"

const Shape = Schema.Array(Schema.Finite)
const describe = (shape: ReadonlyArray<number>) => `[${shape.join(", ")}]`

/** An operation was given shapes or attributes that do not fit. Thrown while a program is traced. */
export class ShapeError extends Schema.TaggedError<ShapeError>()("ShapeError", {
  operation: Schema.String,
  shapes: Schema.Array(Shape),
  problem: Schema.String,
}) {
  override get message(): string {
    return `${this.operation} of ${this.shapes.map(describe).join(" and ") || "nothing"}: ${this.problem}`
  }
}

/** An operation was given element types that do not fit. Thrown while a program is traced. */
export class DTypeError extends Schema.TaggedError<DTypeError>()("DTypeError", {
  operation: Schema.String,
  dtypes: Schema.Array(Schema.String),
  problem: Schema.String,
}) {
  override get message(): string {
    return `${this.operation} of ${this.dtypes.join(" and ")}: ${this.problem}`
  }
}

/** A gradient was asked for through an operation that has none. Thrown while a program is traced. */
export class NoGradient extends Schema.TaggedError<NoGradient>()("NoGradient", {
  operation: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.operation} has no gradient. ${this.hint}`
  }
}

/** A device could not turn a kernel into code. */
export class CompileError extends Schema.TaggedError<CompileError>()("CompileError", {
  program: Schema.String,
  kernel: Schema.String,
  device: Schema.String,
  problem: Schema.String,
}) {
  override get message(): string {
    return `${this.device} cannot compile ${this.kernel} of ${this.program}: ${this.problem}`
  }
}

/** The device has no such element type. */
export class UnsupportedDType extends Schema.TaggedError<UnsupportedDType>()("UnsupportedDType", {
  dtype: Schema.String,
  device: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.device} has no ${this.dtype}. ${this.hint}`
  }
}

/** A buffer or arena does not fit the device. */
export class OutOfMemory extends Schema.TaggedError<OutOfMemory>()("OutOfMemory", {
  device: Schema.String,
  requestedBytes: Schema.Finite,
  limitBytes: Schema.Finite,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.device} cannot hold ${this.requestedBytes} bytes (limit ${this.limitBytes}). ${this.hint}`
  }
}

/** The device stopped working; what it held is gone. */
export class DeviceLost extends Schema.TaggedError<DeviceLost>()("DeviceLost", {
  device: Schema.String,
  problem: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.device} was lost: ${this.problem}. ${this.hint}`
  }
}

/** No device of the kind asked for. */
export class DeviceUnavailable extends Schema.TaggedError<DeviceUnavailable>()(
  "DeviceUnavailable",
  {
    device: Schema.String,
    lookedFor: Schema.Array(Schema.String),
    hint: Schema.String,
  },
) {
  override get message(): string {
    return `no ${this.device} device: looked for ${this.lookedFor.join(", ")}. ${this.hint}`
  }
}

/** An array was used after its memory went to a program or was released. */
export class ArrayGone extends Schema.TaggedError<ArrayGone>()("ArrayGone", {
  shape: Shape,
  reason: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the array ${describe(this.shape)} is gone: ${this.reason}. ${this.hint}`
  }
}

/** Two trees that should have the same structure do not. */
export class StructureMismatch extends Schema.TaggedError<StructureMismatch>()(
  "StructureMismatch",
  { path: Schema.String },
) {
  override get message(): string {
    return `${this.path} is in one tree only. Give two trees with the same keys and lengths.`
  }
}

/** A program was run with an input that does not have the declared shape or element type. */
export class InputMismatch extends Schema.TaggedError<InputMismatch>()("InputMismatch", {
  program: Schema.String,
  input: Schema.String,
  expected: Schema.String,
  found: Schema.String,
}) {
  override get message(): string {
    return `${this.program} expects ${this.expected} for ${this.input} and was given ${this.found}`
  }
}

/** A matrix that has to be positive definite is not, so that it has no Cholesky factor. */
export class NotPositiveDefinite extends Schema.TaggedError<NotPositiveDefinite>()(
  "NotPositiveDefinite",
  {
    /** What the matrix belongs to. */
    layer: Schema.String,
    /** Row at which the factorisation stopped. */
    pivot: Schema.Finite,
    size: Schema.Finite,
    /** What should have been positive there. */
    value: Schema.Number,
  },
) {
  get hint(): string {
    return Number.isFinite(this.value)
      ? "Raise the damping, or give more calibration data."
      : "Its values are not finite: look for the step that made them."
  }
  override get message(): string {
    return `${this.layer} (${this.size} × ${this.size}) is not positive definite: pivot ${this.pivot} is ${this.value}. ${this.hint}`
  }
}

/** A value that has to be finite is not. */
export class NonFinite extends Schema.TaggedError<NonFinite>()("NonFinite", {
  program: Schema.String,
  node: Schema.String,
  step: Schema.Finite,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.node} of ${this.program} is not finite at step ${this.step}. ${this.hint}`
  }
}
