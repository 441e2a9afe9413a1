import { Result, Schema } from "effect"
import { InvalidModelConfig } from "./invalid_model_config.ts"

/** A size: a positive integer. */
export const Extent = Schema.Int.check(Schema.isGreaterThan(0))

/** A constant such as an epsilon. */
export const PositiveNumber = Schema.Finite.check(Schema.isGreaterThan(0))

/** Decodes a configuration; a failure names the field. */
export const decodeSizes = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (input: I): Result.Result<A, InvalidModelConfig> =>
    Result.mapError(decode(input), ({ message }) => {
      const [reason, place] = message.split("\n  at ")
      return new InvalidModelConfig({
        field: place === undefined ? "the whole" : place.replaceAll(/[["\]]/g, ""),
        expected: "a valid size",
        found: reason,
        hint: "Sizes are positive integers, constants positive numbers.",
      })
    })
}

/** Checks that the heads share the dimension equally. */
export const checkSizes = <A extends { readonly dimension: number; readonly heads: number }>(
  config: A,
): Result.Result<A, InvalidModelConfig> =>
  config.dimension % config.heads === 0
    ? Result.succeed(config)
    : Result.fail(
        new InvalidModelConfig({
          field: "heads",
          expected: `a divisor of dimension ${config.dimension}`,
          found: String(config.heads),
          hint: "Every head takes an equal share of the dimension.",
        }),
      )
