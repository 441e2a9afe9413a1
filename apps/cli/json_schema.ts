import type { Step } from "@espalier/pipeline"
import { Predicate, Schema } from "effect"

type JsonSchema = Readonly<Record<string, unknown>>

const reference = (type: string): JsonSchema => ({
  type: "string",
  pattern: "^\\$",
  description: `a reference to a ${type}: $STEP or $STEP.OUTPUT`,
})

const inputSchema = (input: Step["inputs"][string]): JsonSchema => {
  const one = reference(input.type.name)
  const schema = input.many
    ? { anyOf: [one, { type: "array", items: one }, { type: "object", additionalProperties: one }] }
    : one
  return input.description === undefined
    ? schema
    : { ...schema, description: `${input.description} ($${input.type.name})` }
}

/** Definitions of one step must not be taken for those of another. */
const renameReferences = (value: unknown, prefix: string): unknown => {
  if (Array.isArray(value)) return value.map((each) => renameReferences(each, prefix))
  if (!Predicate.isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "$ref" && typeof inner === "string"
        ? inner.replace(/^#\/(?:\$defs|definitions)\//, `#/$defs/${prefix}/$defs/`)
        : renameReferences(inner, prefix),
    ]),
  )
}

const stepSchema = <R>(step: Step<R>, prefix: string): JsonSchema => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(step.config)
  const root = renameReferences(schema, prefix) as JsonSchema
  const inputs = Object.entries(step.inputs)
  const keys = Array.isArray(root["required"]) ? (root["required"] as Array<string>) : []
  const required = [
    ...keys,
    ...inputs.flatMap(([name, { optional, many }]) => (optional || many ? [] : [name])),
  ]
  const properties = {
    use: { const: step.use, description: step.description },
    matrix: {
      type: "object",
      description: "keys of the step with lists of values: one step for each combination",
      additionalProperties: { type: "array", minItems: 1 },
    },
    ...Object.fromEntries(
      inputs.map(([name, input]) => [name, inputSchema(input as Step["inputs"][string])]),
    ),
    ...(root["properties"] as JsonSchema | undefined),
  }
  return {
    type: "object",
    description: step.description,
    properties,
    // What is swept over is in the matrix.
    anyOf: [{ required: ["use", ...required] }, { required: ["use", "matrix"] }],
    additionalProperties: false,
    ...(Object.keys(definitions).length === 0
      ? {}
      : { $defs: renameReferences(definitions, prefix) }),
  }
}

/** The JSON Schema of pipeline files with these steps, for editors. */
export const pipelineJsonSchema = <R>(steps: ReadonlyArray<Step<R>>): JsonSchema => {
  const nameOf = (step: Step<R>) => step.use.replace("/", "-")
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Espalier pipeline",
    type: "object",
    required: ["name", "steps"],
    additionalProperties: false,
    properties: {
      name: {
        type: "string",
        minLength: 1,
        maxLength: 100,
        description: "for people, and for the store",
      },
      description: { type: "string" },
      seed: { type: "integer", minimum: 0, maximum: 0xffffffff, default: 0 },
      steps: {
        type: "object",
        minProperties: 1,
        propertyNames: { pattern: "^[A-Za-z_][A-Za-z0-9_-]{0,63}$" },
        additionalProperties: {
          type: "object",
          required: ["use"],
          properties: { use: { enum: steps.map(({ use }) => use) } },
          // One rule for each step: an editor then tells of the step that is meant, and no other.
          allOf: steps.map((step) => ({
            if: { properties: { use: { const: step.use } }, required: ["use"] },
            // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema has this key.
            then: { $ref: `#/$defs/${nameOf(step)}` },
          })),
        },
      },
    },
    $defs: Object.fromEntries(steps.map((step) => [nameOf(step), stepSchema(step, nameOf(step))])),
  }
}
