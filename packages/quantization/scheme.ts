import { Schema } from "effect"

/** Bits of a code. */
export type Bits = 2 | 3 | 4 | 8

/** Inputs of an output that share scale and zero point: all of them, or so many that follow each other. */
export type GroupSize = "channel" | 32 | 64 | 128

/** A uniform integer grid for weights. */
export interface Scheme {
  readonly bits: Bits
  readonly group: GroupSize
  /** The range reaches as far below 0 as above, and the zero point is 2^(bits − 1). */
  readonly symmetric: boolean
}

/** The largest code: 2^bits − 1. */
export const levelsOf = ({ bits }: Pick<Scheme, "bits">): number => 2 ** bits - 1

/** Inputs of one group. */
export const groupWidth = ({ group }: Pick<Scheme, "group">, inputs: number): number =>
  group === "channel" ? inputs : group

/** Groups of one output. */
export const groupCount = (scheme: Pick<Scheme, "group">, inputs: number): number =>
  Math.ceil(inputs / groupWidth(scheme, inputs))

/** As people write it: `w4g128`, `w3 channel symmetric`. */
export const printScheme = ({ bits, group, symmetric }: Scheme): string =>
  `w${bits}${group === "channel" ? " channel" : `g${group}`}${symmetric ? " symmetric" : ""}`

/** The number of inputs of a weight is no multiple of the group. */
export class GroupWidthMismatch extends Schema.TaggedError<GroupWidthMismatch>()(
  "GroupWidthMismatch",
  { tensor: Schema.String, width: Schema.Int, group: Schema.Int, hint: Schema.String },
) {
  override get message(): string {
    return `${this.tensor} has ${this.width} inputs, which groups of ${this.group} do not divide. ${this.hint}`
  }
}

/** The problem with a group for a weight of this width, if there is one. */
export const checkGroup = (
  { group }: Pick<Scheme, "group">,
  tensor: string,
  width: number,
): GroupWidthMismatch | undefined => {
  if (group === "channel" || width % group === 0) return undefined
  const hint = "Quantise per channel, or in smaller groups."
  return new GroupWidthMismatch({ tensor, width, group, hint })
}
