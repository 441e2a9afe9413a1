import { Effect, Predicate, Schema } from "effect"
import { parseDocument } from "yaml"
import { suggest } from "./did_you_mean.ts"
import type { PipelineSource } from "./pipeline_file.ts"

/** `--set` text that is not `path=value`, or a path through something that holds no keys. */
export class InvalidOverride extends Schema.TaggedError<InvalidOverride>()("InvalidOverride", {
  override: Schema.String,
  detail: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `--set ${this.override}: ${this.detail}`
  }
}

/** One override: the path in the document and the value to put there. */
export interface Override {
  readonly text: string
  readonly path: ReadonlyArray<string>
  readonly value: unknown
}

const usage = "write --set steps.NAME.KEY=VALUE, e.g. --set steps.pruned.sparsity=0.5"

/** Reads `steps.pruned.sparsity=0.5`; the value is read as in a YAML file. */
export const parseOverride = (text: string): Effect.Effect<Override, InvalidOverride> =>
  Effect.suspend(() => {
    const equals = text.indexOf("=")
    const path = text.slice(0, Math.max(equals, 0)).split(".")
    if (equals < 1 || path.some((part) => part === "")) {
      return Effect.fail(
        new InvalidOverride({ override: text, detail: "this is not PATH=VALUE", hint: usage }),
      )
    }
    const parsed = parseDocument(text.slice(equals + 1), { prettyErrors: false })
    if (parsed.errors.length > 0) {
      return Effect.fail(
        new InvalidOverride({
          override: text,
          detail: `the value is not YAML: ${parsed.errors[0].message}`,
          hint: `quote it, as in --set '${path.join(".")}="…"'`,
        }),
      )
    }
    return Effect.succeed({ text, path, value: parsed.toJS() as unknown })
  })

const put = (
  document: unknown,
  path: ReadonlyArray<string>,
  value: unknown,
): Record<string, unknown> | undefined => {
  if (document !== undefined && document !== null && !Predicate.isObject(document)) return undefined
  const [head, ...rest] = path
  const record = { ...(document as Record<string, unknown> | undefined) }
  if (rest.length === 0) return { ...record, [head]: value }
  const inner = put(record[head], rest, value)
  return inner === undefined ? undefined : { ...record, [head]: inner }
}

/**
 * A pipeline with some of its values replaced. Paths that do not exist are found out when the
 * pipeline is checked, with a "did you mean"; there the override, not the file, is named.
 */
export const applyOverrides = Effect.fnUntraced(function* (
  source: PipelineSource,
  overrides: ReadonlyArray<Override>,
) {
  let document: unknown = source.document
  for (const override of overrides) {
    const [head, id] = override.path
    const steps: unknown = Predicate.isObject(document) && "steps" in document ? document.steps : {}
    const known = Predicate.isObject(steps) ? Object.keys(steps) : []
    if (head === "steps" && (override.path.length < 3 || !known.includes(id))) {
      return yield* new InvalidOverride({
        override: override.text,
        detail:
          id === undefined || known.includes(id)
            ? "names no key of a step"
            : `there is no step "${id}"`,
        hint: id === undefined ? usage : suggest(id, known, "steps"),
      })
    }
    const changed = put(document, override.path, override.value)
    if (changed === undefined) {
      return yield* new InvalidOverride({
        override: override.text,
        detail: "the path goes through a value that holds no keys",
        hint: usage,
      })
    }
    document = changed
  }
  const changed: PipelineSource = {
    ...source,
    document,
    origin: (path, part) => {
      const override = overrides.findLast(({ path: set }) =>
        set.every((name, index) => name === String(path[index])),
      )
      return override === undefined ? source.origin(path, part) : { file: `--set ${override.text}` }
    },
  }
  return changed
})
