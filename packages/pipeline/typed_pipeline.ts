import type { ArtifactValue, MetricsDocument } from "./artifact.ts"
import type { PipelineDocument } from "./pipeline_file.ts"
import type { ConfigSchema, InputSpecification, OutputSpecifications, TypedStep } from "./step.ts"

declare const value: unique symbol

/** A value that a step of a pipeline will give. */
export interface ValueReference<A> {
  /** As in pipeline files: `$model.model`. */
  readonly reference: string
  readonly [value]?: (value: A) => A
}

/** What an input takes: one value, or a list or map of them. */
type InputArgument<I extends InputSpecification> = I extends { readonly many: true }
  ? | ReadonlyArray<ValueReference<ArtifactValue<I["type"]>>>
    | Readonly<Record<string, ValueReference<ArtifactValue<I["type"]>>>>
  : ValueReference<ArtifactValue<I["type"]>>

type Optional = { readonly optional: true } | { readonly many: true }

/** What a step takes: its configuration as in pipeline files, and a value for each input. */
export type StepArguments<
  Config extends ConfigSchema,
  Inputs extends Readonly<Record<string, InputSpecification>>,
> = Config["Encoded"] & {
  readonly [K in keyof Inputs as Inputs[K] extends Optional ? never : K]: InputArgument<Inputs[K]>
} & {
  readonly [K in keyof Inputs as Inputs[K] extends Optional ? K : never]?: InputArgument<Inputs[K]>
}

/** A step in a pipeline: what it gives, by name. */
export type StepValues<Outputs extends OutputSpecifications> = {
  readonly [K in keyof Outputs]: ValueReference<ArtifactValue<Outputs[K]>>
} & { readonly metrics: ValueReference<MetricsDocument> }

/** Adds a step to a pipeline and gives references to what it will give. */
export type AddStep = <
  Config extends ConfigSchema,
  Inputs extends Readonly<Record<string, InputSpecification>>,
  Outputs extends OutputSpecifications,
  R,
>(
  id: string,
  step: TypedStep<Config, Inputs, Outputs, R>,
  fields: NoInfer<StepArguments<Config, Inputs>>,
) => StepValues<Outputs>

const isReference = (field: unknown): field is ValueReference<unknown> =>
  typeof field === "object" && field !== null && "reference" in field

/** References become text, in lists and maps too. */
const written = (field: unknown): unknown => {
  if (isReference(field)) return field.reference
  if (Array.isArray(field)) return field.map(written)
  if (typeof field !== "object" || field === null) return field
  return Object.fromEntries(Object.entries(field).map(([key, each]) => [key, written(each)]))
}

/**
 * A pipeline whose wiring the compiler checks: a step that needs a model does not take a text. What
 * comes out is the document that a pipeline file holds; a module exports it as its default.
 *
 * Throws a `RangeError` where two steps have one name.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { ArtifactType, Step, Pipeline } from "@espalier/pipeline"
 *
 * const Text = ArtifactType.make({
 *   name: "Text",
 *   encode: (text: string) => Effect.succeed({ "text.txt": new TextEncoder().encode(text) }),
 *   decode: (files) => Effect.succeed(new TextDecoder().decode(files["text.txt"])),
 * })
 * const say = Step.define({
 *   use: "demo/say", description: "Says it.", version: 1, outputs: { text: Text },
 *   config: Schema.Struct({ what: Schema.String }),
 *   run: ({ config }) => Effect.succeed({ outputs: { text: config.what } }),
 * })
 * const count = Step.define({
 *   use: "demo/count", description: "Counts.", version: 1, inputs: { text: { type: Text } },
 *   config: Schema.Struct({}),
 *   run: ({ inputs }) => Effect.succeed({ metrics: { letters: inputs.text.length } }),
 * })
 *
 * const pipeline = Pipeline.make("greet", (add) => {
 *   const { text } = add("hello", say, { what: "Hello" })
 *   add("size", count, { text })
 * })
 * console.log(pipeline.steps.size) // { use: "demo/count", text: "$hello.text" }
 * ```
 */
export const makePipeline = (
  name: string,
  build: (add: AddStep) => void,
  options: { readonly description?: string; readonly seed?: number } = {},
): PipelineDocument => {
  const steps: Record<string, { readonly use: string }> = {}
  const add: AddStep = (id, step, fields) => {
    if (id in steps) throw new RangeError(`two steps are named ${id}`)
    steps[id] = { ...(written(fields) as object), use: step.use }
    const names = [...Object.keys(step.outputs), "metrics"]
    const values = names.map((output) => [output, { reference: `$${id}.${output}` }])
    return Object.fromEntries(values) as never
  }
  build(add)
  return { name, ...options, steps }
}
