import { Schema } from "effect"

/**
 * How much to prune: a fraction of the weights, or N:M = **N kept of every M** consecutive inputs
 * (libraries disagree on the order; the two readings agree at 2:4 and 4:8).
 */
export type Sparsity =
  | { readonly kind: "unstructured"; readonly fraction: number }
  | { readonly kind: "structured"; readonly keep: number; readonly of: number }

/** A sparsity as people write it: `0.5` or `"2:4"`. */
export const SparsityInput = Schema.Union([
  Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
  Schema.String.check(
    Schema.makeFilter((text) => {
      const match = /^(\d+):(\d+)$/.exec(text)
      if (match === null) return 'must be a fraction such as 0.5, or "N:M" such as "2:4"'
      const [keep, of] = [Number(match[1]), Number(match[2])]
      if (keep < 1 || of < 2 || keep > of) {
        return `"${text}" must keep between 1 and M of every M inputs, M at least 2`
      }
      return true
    }),
  ),
])
export type SparsityInput = typeof SparsityInput.Type

/** A sparsity is no fraction between 0 and 1 and no N:M with 1 ≤ N ≤ M. */
export class InvalidSparsity extends Schema.TaggedError<InvalidSparsity>()("InvalidSparsity", {
  found: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.found} is no sparsity. ${this.hint}`
  }
}

/** The width of a weight is no multiple of M. */
export class SparsityWidthMismatch extends Schema.TaggedError<SparsityWidthMismatch>()(
  "SparsityWidthMismatch",
  { tensor: Schema.String, width: Schema.Int, sparsity: Schema.String, hint: Schema.String },
) {
  override get message(): string {
    return `${this.tensor} has ${this.width} inputs, which ${this.sparsity} does not divide. ${this.hint}`
  }
}

/**
 * Reads a sparsity; throws {@link InvalidSparsity}.
 *
 * @example
 * ```ts
 * import { parseSparsity } from "@espalier/pruning"
 *
 * console.log(parseSparsity("2:4")) // { kind: "structured", keep: 2, of: 4 }
 * ```
 */
export const parseSparsity = (input: number | string): Sparsity => {
  if (!Schema.is(SparsityInput)(input)) {
    const hint = 'Use a fraction between 0 and 1, or "N:M" with N kept of M, such as "2:4".'
    throw new InvalidSparsity({ found: String(input), hint })
  }
  if (typeof input === "number") return { kind: "unstructured", fraction: input }
  const [keep, of] = input.split(":").map(Number)
  return { kind: "structured", keep: keep, of: of }
}

/** A sparsity as people write it. */
export const printSparsity = (sparsity: Sparsity): string =>
  sparsity.kind === "unstructured" ? String(sparsity.fraction) : `${sparsity.keep}:${sparsity.of}`

/** `undefined` where the sparsity fits a weight of this many inputs. */
export const checkWidth = (
  sparsity: Sparsity,
  tensor: string,
  width: number,
): SparsityWidthMismatch | undefined => {
  if (sparsity.kind === "unstructured" || width % sparsity.of === 0) return undefined
  const hint = `Choose an M that divides ${width}, or an unstructured sparsity.`
  return new SparsityWidthMismatch({ tensor, width, sparsity: printSparsity(sparsity), hint })
}
