import { Schema } from "effect"
import type { Scheme } from "../scheme.ts"

/** Every scheme there is. */
export const allSchemes: ReadonlyArray<Scheme> = ([2, 3, 4, 8] as const).flatMap((bits) =>
  (["channel", 32, 64, 128] as const).flatMap((group) =>
    [false, true].map((symmetric) => ({ bits, group, symmetric })),
  ),
)

/** Any of some schemes, for property tests. */
export const AnyOf = (schemes: ReadonlyArray<Scheme>) =>
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: schemes.length - 1 }))

/** A whole number, for property tests. */
export const Count = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }))
