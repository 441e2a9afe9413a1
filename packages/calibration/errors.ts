import type { Block } from "@espalier/models"
import type { HostArray } from "@espalier/tensor"
import { Effect, Schema } from "effect"

/** A weight, or an activation, is NaN or infinite. */
export class NonFiniteValues extends Schema.TaggedError<NonFiniteValues>()("NonFiniteValues", {
  /** The full name of the tensor, or of the linear whose inputs they are. */
  tensor: Schema.String,
  what: Schema.Literals(["weights", "activations"]),
  count: Schema.Int,
  hint: Schema.String,
}) {
  override get message(): string {
    const values =
      this.what === "weights" ? `weights of ${this.tensor}` : `inputs of ${this.tensor}`
    return `${this.count} ${values} are NaN or infinite. ${this.hint}`
  }
}

/** A token that the model does not have. */
export class TokenOutOfRange extends Schema.TaggedError<TokenOutOfRange>()("TokenOutOfRange", {
  token: Schema.Int,
  window: Schema.Int,
  position: Schema.Int,
  vocabularySize: Schema.Int,
  hint: Schema.String,
}) {
  override get message(): string {
    return (
      `token ${this.token} at position ${this.position} of window ${this.window} is outside the ` +
      `vocabulary of ${this.vocabularySize}. ${this.hint}`
    )
  }
}

/** A method that looks at what layers are given was given no text. */
export class CalibrationMissing extends Schema.TaggedError<CalibrationMissing>()(
  "CalibrationMissing",
  { method: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `${this.method} needs a text to calibrate on`
  }
}

const countNonFinite = (values: ArrayLike<number>): number => {
  let count = 0
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) count++
  return count
}

/** Parameters of a block, or of what is outside all blocks, where all of them are finite. */
export const checkParameters = <A extends Readonly<Record<string, HostArray.HostArray>>>(
  parameters: A,
  block?: Block,
): Effect.Effect<A, NonFiniteValues> => {
  for (const [name, { data }] of Object.entries(parameters)) {
    const count = countNonFinite(data)
    if (count === 0) continue
    const path = block?.linears.find((linear) => linear.name === name)?.path
    const tensor = path ?? (block === undefined ? name : `blocks.${block.index}.${name}`)
    const hint = "The checkpoint is damaged, or its training diverged."
    return Effect.fail(new NonFiniteValues({ tensor, what: "weights", count, hint }))
  }
  return Effect.succeed(parameters)
}

/** The problem with what was gathered from the inputs of a linear, if there is one. */
export const checkActivations = (
  tensor: string,
  values: ArrayLike<number>,
): NonFiniteValues | undefined => {
  const count = countNonFinite(values)
  const hint = "Look for overflow in the blocks before it; f32 holds up to 3.4e38."
  return count === 0 ? undefined : new NonFiniteValues({ tensor, what: "activations", count, hint })
}

/** The first token that the model does not have, as a problem. */
export const checkTokens = (
  windows: ReadonlyArray<Int32Array>,
  vocabularySize: number,
): TokenOutOfRange | undefined => {
  for (const [window, tokens] of windows.entries()) {
    const position = tokens.findIndex((token) => token < 0 || token >= vocabularySize)
    if (position < 0) continue
    const hint = "Use the tokenizer that the model was trained with."
    return new TokenOutOfRange({ token: tokens[position], window, position, vocabularySize, hint })
  }
  return undefined
}
