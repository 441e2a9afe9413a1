import { Effect, type Schema, type Scope } from "effect"
import type {
  ArtifactServices,
  ArtifactType,
  ArtifactValue,
  Files,
  TaggedFailure,
} from "./artifact.ts"

/** One input of a step: a key that takes a `$reference` (or, with `many`, a list or map of them). */
export interface InputSpecification<A = unknown, R = unknown> {
  readonly type: ArtifactType<A, R>
  readonly optional?: boolean
  readonly many?: boolean
  readonly description?: string
}

/** One value of a `many` input: `name` is the key of the map, or in a list the reference without `$`. */
export interface NamedValue<A> {
  readonly name: string
  readonly value: A
}

/** The value of an input in `run`. */
export type InputValue<S extends InputSpecification> = S extends { readonly many: true }
  ? ReadonlyArray<NamedValue<ArtifactValue<S["type"]>>>
  : S extends { readonly optional: true }
    ? ArtifactValue<S["type"]> | undefined
    : ArtifactValue<S["type"]>

/** A configuration schema: a struct that decodes and encodes without services. */
export interface ConfigSchema extends Schema.Codec<unknown, unknown> {
  readonly fields: Schema.Struct.Fields
}

/** What a step's `run` is given. */
export interface StepContext<
  Config,
  Paths extends string,
  Inputs extends Readonly<Record<string, InputSpecification>>,
> {
  /** The step's name in the pipeline. */
  readonly id: string
  readonly config: Config
  readonly inputs: { readonly [K in keyof Inputs]: InputValue<Inputs[K]> }
  /** The pipeline's seed. A step that reads it says `usesSeed`. */
  readonly seed: number
  /** The absolute paths of the configuration keys named by `paths`. */
  readonly paths: {
    readonly [K in Paths]: K extends keyof Config
      ? string | (undefined extends Config[K] ? undefined : never)
      : string
  }
}

/** What a step's `run` gives back. Metrics are made JSON with `toJson`. */
export type StepResult<Outputs extends Readonly<Record<string, ArtifactType<unknown, unknown>>>> = {
  readonly metrics?: Readonly<Record<string, unknown>>
  /** Further files for people (a chart, a page): they go to `--out` and nowhere else. */
  readonly files?: Readonly<Record<string, Uint8Array | string>>
} & ([keyof Outputs] extends [never]
  ? { readonly outputs?: undefined }
  : { readonly outputs: { readonly [K in keyof Outputs]: ArtifactValue<Outputs[K]> } })

/** What `Step.define` takes. */
export interface StepDefinition<
  Config extends ConfigSchema,
  Paths extends string,
  Inputs extends Readonly<Record<string, InputSpecification>>,
  Outputs extends Readonly<Record<string, ArtifactType<unknown, unknown>>>,
  E extends TaggedFailure,
  R,
> {
  /** The name in pipeline files, `family/what`, e.g. `prune/wanda`. */
  readonly use: string
  readonly description: string
  /** Raise it where the same inputs give another result although no code changed: it is part of the cache's key. */
  readonly version: number
  /**
   * The module that defines it, `import.meta.url`: the hash of its code and of all that it imports is
   * part of the cache's key. Without it only the versions of packages are.
   */
  readonly module?: string
  readonly config: Config
  /** The configuration keys that cannot change the result: in the manifest, and not in the cache's key. */
  readonly operational?: ReadonlyArray<string & keyof Config["fields"]>
  /** The configuration keys that name files or folders: checked before anything runs, hashed into the key. */
  readonly paths?: ReadonlyArray<Paths>
  readonly inputs?: Inputs
  readonly outputs?: Outputs
  /** The configuration keys that say of how many, at most: `--limit` of a trial cuts them. */
  readonly limited?: ReadonlyArray<string & keyof Config["fields"]>
  /** Whether the result may depend on the device, which then is part of the cache's key. */
  readonly usesDevice?: boolean
  /** Whether the result depends on the pipeline's seed, which then is part of the cache's key. */
  readonly usesSeed?: boolean
  readonly run: (
    context: StepContext<Config["Type"], Paths, Inputs>,
  ) => Effect.Effect<StepResult<Outputs>, E, R>
}

/** A step's result with its types erased. */
export interface ErasedResult {
  readonly outputs: Readonly<Record<string, unknown>>
  readonly metrics: Readonly<Record<string, unknown>>
  readonly files: Readonly<Record<string, Uint8Array | string>>
}

/** An artifact type with the value erased and the services that it may need. */
export interface ErasedArtifact<R> {
  readonly name: string
  encode(value: unknown): Effect.Effect<Files, TaggedFailure, R>
  decode(files: Files): Effect.Effect<unknown, TaggedFailure, R>
}

/** An input with the value erased. */
export interface ErasedInput<R> {
  readonly type: ErasedArtifact<R>
  readonly optional: boolean
  readonly many: boolean
  readonly description: string | undefined
}

/** A step as registries, plans and runs see it: its types erased, the services it needs in `R`. */
export interface Step<R = never> {
  readonly use: string
  readonly description: string
  readonly version: number
  /** The URL of the module that defines it. */
  readonly module: string | undefined
  readonly config: ConfigSchema
  /** The configuration keys that cannot change the result. */
  readonly operational: ReadonlyArray<string>
  readonly paths: ReadonlyArray<string>
  readonly limited: ReadonlyArray<string>
  readonly inputs: Readonly<Record<string, ErasedInput<R>>>
  readonly outputs: Readonly<Record<string, ErasedArtifact<R>>>
  readonly usesDevice: boolean
  readonly usesSeed: boolean
  execute(context: {
    readonly id: string
    readonly config: unknown
    readonly inputs: Readonly<Record<string, unknown>>
    readonly seed: number
    readonly paths: Readonly<Record<string, string | undefined>>
  }): Effect.Effect<ErasedResult, TaggedFailure, R>
}

/** The artifact types of a step's outputs, by name. */
export type OutputSpecifications = Readonly<Record<string, ArtifactType<unknown, unknown>>>

declare const types: unique symbol

/** A step with the types of what it takes and gives, for pipelines in TypeScript. */
export interface TypedStep<
  Config extends ConfigSchema,
  Inputs extends Readonly<Record<string, InputSpecification>>,
  Outputs extends OutputSpecifications,
  R = never,
> extends Step<R> {
  readonly [types]?: readonly [config: Config, inputs: Inputs, outputs: Outputs]
}

type NoInputs = Readonly<Record<never, InputSpecification>>
type NoOutputs = Readonly<Record<never, ArtifactType<unknown, unknown>>>

type ServicesOf<
  Inputs extends Readonly<Record<string, InputSpecification>>,
  Outputs extends Readonly<Record<string, ArtifactType<unknown, unknown>>>,
> = ArtifactServices<Inputs[keyof Inputs]["type"]> | ArtifactServices<Outputs[keyof Outputs]>

/** Makes steps. */
export const Step = {
  /**
   * Defines a step: what a pipeline file may say about it, what flows in and out, and what it does.
   * Everything that `run` sees is inferred from the definition. Its scope closes when it ends, its
   * failures are tagged errors, and it reads its world through the definition only: that is what the
   * cache's key is made of.
   *
   * @throws TypeError where a key is both configuration and input, or an output is named `metrics`.
   *
   * @example
   * ```ts
   * import { Effect, Schema } from "effect"
   * import { Metrics, Step } from "@espalier/pipeline"
   *
   * const better = Step.define({
   *   use: "report/better",
   *   description: "By how much a metric fell.",
   *   version: 1,
   *   config: Schema.Struct({ metric: Schema.String }),
   *   inputs: { before: { type: Metrics }, after: { type: Metrics } },
   *   run: ({ config, inputs }) =>
   *     Effect.succeed({
   *       metrics: { fell: Number(inputs.before[config.metric]) - Number(inputs.after[config.metric]) },
   *     }),
   * })
   * console.log(better.use) // report/better
   * ```
   */
  define: <
    const Config extends ConfigSchema,
    const Paths extends keyof Config["Type"] & string = never,
    const Inputs extends Readonly<Record<string, InputSpecification>> = NoInputs,
    const Outputs extends Readonly<Record<string, ArtifactType<unknown, unknown>>> = NoOutputs,
    E extends TaggedFailure = never,
    R = never,
  >(
    definition: StepDefinition<Config, Paths, Inputs, Outputs, E, R>,
  ): TypedStep<Config, Inputs, Outputs, Exclude<R | ServicesOf<Inputs, Outputs>, Scope.Scope>> => {
    type Services = Exclude<R | ServicesOf<Inputs, Outputs>, Scope.Scope>
    const inputs: Readonly<Record<string, InputSpecification>> = definition.inputs ?? {}
    const outputs = definition.outputs ?? {}
    for (const name of Object.keys(inputs)) {
      if (name in definition.config.fields || name === "use") {
        throw new TypeError(`step ${definition.use}: "${name}" is an input and a configuration key`)
      }
    }
    if ("metrics" in outputs || "use" in definition.config.fields) {
      throw new TypeError(`step ${definition.use}: "metrics" and "use" are reserved names`)
    }
    const execute = definition.run as unknown as (
      context: Parameters<Step["execute"]>[0],
    ) => Effect.Effect<StepResult<Outputs>, E, R>
    return {
      use: definition.use,
      description: definition.description,
      version: definition.version,
      module: definition.module,
      config: definition.config,
      operational: definition.operational ?? [],
      paths: definition.paths ?? [],
      inputs: Object.fromEntries(
        Object.entries(inputs).map(([name, input]) => [
          name,
          {
            type: input.type as ErasedArtifact<Services>,
            optional: input.optional ?? false,
            many: input.many ?? false,
            description: input.description,
          },
        ]),
      ),
      outputs,
      limited: definition.limited ?? [],
      usesDevice: definition.usesDevice ?? false,
      usesSeed: definition.usesSeed ?? false,
      execute: (context) =>
        Effect.suspend(() => execute(context)).pipe(
          Effect.map((result) => ({
            outputs: result.outputs ?? {},
            metrics: result.metrics ?? {},
            files: result.files ?? {},
          })),
          Effect.scoped,
        ) as Effect.Effect<ErasedResult, TaggedFailure, Services>,
    }
  },
}
