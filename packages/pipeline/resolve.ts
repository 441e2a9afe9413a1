import { Effect, type FileSystem, type Path, Predicate } from "effect"
import { toJson } from "./canonical_json.ts"
import { checkStep, placeOf } from "./check_step.ts"
import type { DataFolder } from "./data_folder.ts"
import { suggest } from "./did_you_mean.ts"
import { expandMatrix } from "./matrix.ts"
import type { Pipeline, PipelineStep } from "./pipeline.ts"
import type { PipelineSource } from "./pipeline_file.ts"
import {
  InvalidPipeline,
  InvalidValue,
  PipelineCycle,
  type PipelineProblem,
  UnknownKey,
  UnknownStep,
} from "./problem.ts"
import type { Sandbox } from "./sandbox.ts"
import type { Step } from "./step.ts"
import { findCycle, orderByNeeds } from "./step_order.ts"

const documentKeys = ["name", "description", "seed", "steps"]

const checkHeader = (
  source: PipelineSource,
  document: object,
  report: (problem: PipelineProblem) => void,
) => {
  const fields = document as Readonly<Record<string, unknown>>
  for (const key of Object.keys(fields)) {
    if (documentKeys.includes(key)) continue
    const hint = suggest(key, documentKeys, "keys of a pipeline")
    const place = placeOf(source, [key], "key")
    report(new UnknownKey({ ...place, key, known: documentKeys, hint }))
  }
  const refuse = (key: string, detail: string, hint: string) =>
    report(new InvalidValue({ ...placeOf(source, [key], "value"), detail, hint }))
  const { name, description, seed = 0, steps } = fields
  if (typeof name !== "string" || name.trim() === "" || name.length > 100) {
    refuse(
      "name",
      name === undefined ? "is missing" : "must be a text of at most 100 letters",
      "name the pipeline, e.g. name: prune-stories",
    )
  }
  if (description !== undefined && typeof description !== "string") {
    refuse("description", "must be a text", "quote it")
  }
  if (!Number.isInteger(seed) || Number(seed) < 0 || Number(seed) > 0xffffffff) {
    refuse(
      "seed",
      `must be a whole number from 0 to 4294967295, found ${JSON.stringify(toJson(seed))}`,
      "write e.g. seed: 0",
    )
  }
  if (!Predicate.isObject(steps) || Object.keys(steps).length === 0) {
    refuse(
      "steps",
      steps === undefined ? "is missing" : "must be a map from names to steps",
      "write steps: and below it NAME: { use: STEP, … }",
    )
  }
  return {
    name: String(name),
    description: typeof description === "string" ? description : undefined,
    seed: Number(seed),
    steps: Predicate.isObject(steps) ? (steps as Readonly<Record<string, unknown>>) : {},
  }
}

/** Finds the definition of each step, and reports names and shapes that are wrong. */
const checkUses = <R>(
  source: PipelineSource,
  steps: Readonly<Record<string, unknown>>,
  registry: ReadonlyMap<string, Step<R>>,
  report: (problem: PipelineProblem) => void,
): Map<string, Step<R> | undefined> => {
  const found = new Map<string, Step<R> | undefined>()
  for (const [id, body] of Object.entries(steps)) {
    found.set(id, undefined)
    const path = ["steps", id]
    const refuse = (detail: string, hint: string) =>
      report(new InvalidValue({ ...placeOf(source, path, "key"), detail, hint }))
    if (!/^[A-Za-z_][\w-]{0,63}(\[.*\])?$/s.test(id)) {
      refuse(
        "is not a name for a step",
        "begin with a letter and go on with letters, digits, - or _, 64 at most",
      )
    }
    const use: unknown = Predicate.isObject(body) && "use" in body ? body.use : undefined
    if (typeof use !== "string") {
      refuse("has no use", "say what the step does, e.g. { use: text/load, path: story.txt }")
      continue
    }
    const step = registry.get(use)
    if (step === undefined) {
      const known = [...registry.keys()]
      const place = placeOf(source, [...path, "use"], "value")
      report(new UnknownStep({ ...place, use, known, hint: suggest(use, known, "steps") }))
      continue
    }
    found.set(id, step)
  }
  return found
}

/**
 * Checks a pipeline wholly before anything runs: keys, steps, references and their types, cycles,
 * configuration by each step's own schema, and that the files it names exist.
 *
 * Fails with one `InvalidPipeline` that holds everything that is wrong.
 */
export const resolvePipeline = <R>(
  written: PipelineSource,
  options: {
    readonly steps: ReadonlyArray<Step<R>>
    readonly dataFolder: DataFolder
    /** At most so many of whatever steps take a number of: for trials. */
    readonly limit?: number
    /** The folders that files must lie in; anywhere where none are given. */
    readonly sandbox?: Sandbox
  },
): Effect.Effect<Pipeline<R>, InvalidPipeline, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const problems: Array<PipelineProblem> = []
    const report = (problem: PipelineProblem) => {
      // A step with a matrix is checked once for each combination.
      if (problems.every(({ message }) => message !== problem.message)) problems.push(problem)
    }
    const { file } = written
    if (!Predicate.isObject(written.document)) {
      report(
        new InvalidValue({
          ...placeOf(written, [], "value"),
          detail: "a pipeline is a map with the keys name and steps",
          hint: "begin with name: and steps:",
        }),
      )
      return yield* new InvalidPipeline({ file, problems })
    }
    const registry = new Map(options.steps.map((step) => [step.use, step]))
    const source = expandMatrix(written, registry, report)
    const header = checkHeader(source, source.document as object, report)
    const uses = checkUses(source, header.steps, registry, report)
    const checked = new Map<string, PipelineStep<R>>()
    for (const [id, step] of uses) {
      if (step === undefined) continue
      const fields = header.steps[id] as Readonly<Record<string, unknown>>
      const check = { source, id, step, fields, steps: uses, report }
      const { dataFolder, limit, sandbox } = options
      checked.set(id, yield* checkStep({ ...check, dataFolder, limit, sandbox }))
    }
    const needs = new Map([...checked].map(([id, step]) => [id, step.needs]))
    const cycle = findCycle(needs)
    if (cycle !== undefined) {
      report(
        new PipelineCycle({
          ...placeOf(source, ["steps", cycle[0]], "key"),
          cycle,
          hint: "let one of them refer to another step",
        }),
      )
    }
    if (problems.length > 0) return yield* new InvalidPipeline({ file, problems })
    const steps = orderByNeeds(needs).map((id) => checked.get(id)!)
    const resolved = ({ id, step, encodedConfig }: PipelineStep<R>) => {
      const fields = header.steps[id] as Readonly<Record<string, unknown>>
      const references = Object.keys(step.inputs)
        .filter((key) => key in fields)
        .map((key) => [key, toJson(fields[key])])
      return { use: step.use, ...Object.fromEntries(references), ...encodedConfig }
    }
    return {
      file,
      name: header.name,
      description: header.description,
      seed: header.seed,
      steps,
      document: {
        name: header.name,
        ...(header.description === undefined ? {} : { description: header.description }),
        seed: header.seed,
        steps: Object.fromEntries([...checked.values()].map((step) => [step.id, resolved(step)])),
      },
    }
  })
