import { Data, Result, Schema } from "effect"

/** A `config.json`, parsed. */
export type Json = Readonly<Record<string, unknown>>

/** A field has a value that is not supported. */
export class DifferentField extends Data.TaggedError("DifferentField")<{
  readonly field: string
  /** The values that are supported. */
  readonly expected: string
  readonly found: string
}> {}

/** A field that may be absent or null. */
export const optional = <S extends Schema.Constraint>(schema: S) =>
  Schema.optionalKey(Schema.Union([schema, Schema.Null]))

/** What a field may be; absent and null fields count as the first. */
export type SupportedFields = Readonly<Record<string, ReadonlyArray<unknown>>>

const describe = (values: ReadonlyArray<unknown>) =>
  values.map((value) => JSON.stringify(value)).join(" or ")

/** Fails for the first field that has another value than those that are supported. */
export const requireFields = (
  json: Json,
  supported: SupportedFields,
): Result.Result<void, DifferentField> => {
  for (const [field, values] of Object.entries(supported)) {
    const found = json[field] ?? values[0]
    if (!values.includes(found)) {
      const expected = describe(values)
      return Result.fail(new DifferentField({ field, expected, found: JSON.stringify(found) }))
    }
  }
  return Result.void
}

/** Fails where `architectures` is there and names no class that has this model's head. */
export const requireArchitecture = (
  json: Json,
  known: ReadonlyArray<string>,
): Result.Result<void, DifferentField> => {
  const found = json["architectures"] ?? known
  if (Array.isArray(found) && found.some((name) => known.includes(name))) return Result.void
  const field = "architectures"
  const expected = known.join(" or ")
  return Result.fail(new DifferentField({ field, expected, found: JSON.stringify(found) }))
}

/** No weights in another form than numbers. */
export const unquantized: SupportedFields = { quantization_config: [null] }
