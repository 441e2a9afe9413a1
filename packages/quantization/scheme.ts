import { Effect, Schema } from "effect"

const allBits = [2, 3, 4, 8] as const
const groupWidths = [32, 64, 128] as const

/** Bits of a code. */
export type Bits = (typeof allBits)[number]

/** Inputs of an output that share scale and zero point: all of them, or so many that follow each other. */
export type GroupSize = "channel" | (typeof groupWidths)[number]

/** A uniform integer grid for weights. */
export interface Scheme {
  readonly bits: Bits
  readonly group: GroupSize
  /** The range reaches as far below 0 as above, and the zero point is 2^(bits − 1). */
  readonly symmetric: boolean
}

/** A scheme as files have it: `{ bits: 4 }`, `{ bits: 3, group: 128, symmetric: true }`. */
export const SchemeInput = Schema.Struct({
  bits: Schema.Literals(allBits),
  group: Schema.Literals(["channel", ...groupWidths]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("channel" as const)),
  ),
  symmetric: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
})

/** Bits or a group that there are not. */
export class InvalidScheme extends Schema.TaggedError<InvalidScheme>()("InvalidScheme", {
  option: Schema.Literals(["bits", "group", "symmetric"]),
  found: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.option} ${this.found} cannot be had. ${this.hint}`
  }
}

/**
 * The problem with a scheme that types have not seen, if there is one.
 *
 * @example
 * ```ts
 * import { checkScheme } from "@espalier/quantization"
 *
 * const problem = checkScheme({ bits: 9, group: "channel", symmetric: false })
 * console.log(problem?.message) // bits 9 cannot be had. Take 2, 3, 4 or 8.
 * ```
 */
export const checkScheme = (
  scheme: Readonly<Record<keyof Scheme, unknown>>,
): InvalidScheme | undefined => {
  const { bits, group, symmetric } = scheme
  const not = (option: keyof Scheme, hint: string) =>
    new InvalidScheme({ option, found: String(scheme[option]), hint })
  if (!allBits.some((each) => each === bits)) return not("bits", "Take 2, 3, 4 or 8.")
  if (group !== "channel" && !groupWidths.some((each) => each === group)) {
    return not("group", 'Take "channel", 32, 64 or 128.')
  }
  if (typeof symmetric !== "boolean") return not("symmetric", "Take true or false.")
  return undefined
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
  const fits = groupWidths.findLast((each) => width % each === 0)
  const hint = `Quantise per channel${fits === undefined ? "" : `, or in groups of ${fits}`}.`
  return new GroupWidthMismatch({ tensor, width, group, hint })
}
