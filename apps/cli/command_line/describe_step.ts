import type { Step } from "@espalier/pipeline"
import { Exit, Predicate, Schema } from "effect"

type JsonSchema = Readonly<Record<string, unknown>>

const isSchema = (value: unknown): value is JsonSchema => Predicate.isObject(value)

/** A JSON schema in a few words: `number from 0 to 1`, `"a" | "b"`, `list of text`. */
export const describeSchema = (schema: JsonSchema, definitions: JsonSchema = {}): string => {
  if (typeof schema.$ref === "string") {
    const target = definitions[schema.$ref.split("/").at(-1) ?? ""]
    return isSchema(target) ? describeSchema(target, definitions) : "value"
  }
  if (Array.isArray(schema.enum)) {
    return schema.enum.map((value) => JSON.stringify(value)).join(" | ")
  }
  if ("const" in schema) return JSON.stringify(schema.const)
  const union: unknown = schema.anyOf ?? schema.oneOf
  if (Array.isArray(union)) {
    const words = union
      .filter((part): part is JsonSchema => isSchema(part) && part.type !== "null")
      .map((part) => describeSchema(part, definitions))
    return [...new Set(words)].join(" | ")
  }
  const constraints = [
    schema,
    ...(Array.isArray(schema.allOf) ? schema.allOf.filter(isSchema) : []),
  ]
  const find = (key: string) =>
    constraints.map((part) => part[key]).find((value) => value !== undefined)
  const bound = (key: string) => {
    const value = find(key)
    return typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER
      ? value
      : undefined
  }
  switch (find("type")) {
    case "string":
      return "text"
    case "boolean":
      return "true | false"
    case "array":
      return isSchema(schema.items)
        ? `list of ${describeSchema(schema.items, definitions)}`
        : "list"
    case "object":
      return "map"
    case "integer":
    case "number": {
      const limits = [
        ["from", bound("minimum")],
        ["above", bound("exclusiveMinimum")],
        ["to", bound("maximum")],
        ["below", bound("exclusiveMaximum")],
      ].flatMap(([word, value]) => (value === undefined ? [] : [`${word} ${value}`]))
      return [find("type") === "integer" ? "whole number" : "number", ...limits].join(" ")
    }
    default:
      return "value"
  }
}

const descriptionOf = (schema: JsonSchema): string => {
  if (typeof schema.description === "string") return schema.description
  const parts = [schema.anyOf, schema.oneOf, schema.allOf].flatMap((list: unknown) =>
    Array.isArray(list) ? list.filter(isSchema) : [],
  )
  return parts.map(descriptionOf).find((text) => text !== "") ?? ""
}

const defaultOf = (field: Schema.Top): string | undefined => {
  const decode = Schema.decodeUnknownExit(field as Schema.Codec<unknown, unknown>)
  const decoded = decode(undefined)
  return Exit.isSuccess(decoded) && decoded.value !== undefined
    ? JSON.stringify(decoded.value)
    : undefined
}

/** What a step takes and gives, as the rows of a table: key, what it takes, what it means. */
export const describeStep = <R>(
  step: Step<R>,
): ReadonlyArray<readonly [string, string, string]> => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(step.config)
  const root = schema as JsonSchema
  const properties = isSchema(root.properties) ? root.properties : {}
  const required = Array.isArray(root.required) ? root.required : []
  const inputs = Object.entries(step.inputs).map(([name, input]) => {
    const reference = input.many ? `references to ${input.type.name}` : `$${input.type.name}`
    const optional = input.optional ? ", optional" : ""
    return [name, reference + optional, input.description ?? ""] as const
  })
  const keys = Object.entries(step.config.fields).map(([name, field]) => {
    const property = properties[name]
    const words = isSchema(property) ? describeSchema(property, definitions) : "value"
    const file = step.paths.includes(name) ? "path" : words
    const value = required.includes(name) ? undefined : defaultOf(field as Schema.Top)
    const optional = required.includes(name)
      ? ""
      : value === undefined
        ? ", optional"
        : `, default ${value}`
    return [name, file + optional, isSchema(property) ? descriptionOf(property) : ""] as const
  })
  const outputs = Object.entries(step.outputs).map(([name, { name: type }]) => `${name} (${type})`)
  return [
    ...inputs,
    ...keys,
    ["→", outputs.length === 0 ? "metrics" : `${outputs.join(", ")}, metrics`, ""],
  ]
}
