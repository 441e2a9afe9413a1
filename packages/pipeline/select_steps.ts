import { Result, Schema } from "effect"
import { suggest } from "./did_you_mean.ts"
import type { Pipeline } from "./pipeline.ts"

/** Which steps of a pipeline are asked for; all where nothing is said. */
export interface Selection {
  /** These and what they need, and nothing else. */
  readonly only?: ReadonlyArray<string>
  /** This one and all that depend on it, computed anew, and what they need. */
  readonly from?: string
}

/** A step was asked for that the pipeline does not have. */
export class StepNotFound extends Schema.TaggedError<StepNotFound>()("StepNotFound", {
  id: Schema.String,
  known: Schema.Array(Schema.String),
  hint: Schema.String,
}) {
  override get message(): string {
    return `the pipeline has no step ${this.id}`
  }
}

/** The part of a pipeline that a run is about. */
export interface SelectedSteps {
  readonly ids: ReadonlySet<string>
  /** Those that run whether their result is in the store or not. */
  readonly anew: ReadonlySet<string>
}

/** The ids without what follows in brackets: `pruned` stands for all of its combinations. */
const matches = (id: string, asked: string): boolean => id === asked || id.startsWith(`${asked}[`)

/** The steps that are asked for, and those that they need. */
export const selectSteps = <R>(
  { steps }: Pipeline<R>,
  { only, from }: Selection,
): Result.Result<SelectedSteps, StepNotFound> => {
  const known = steps.map(({ id }) => id)
  for (const asked of [...(only ?? []), ...(from === undefined ? [] : [from])]) {
    if (known.some((id) => matches(id, asked))) continue
    const hint = suggest(asked, known, "steps of this pipeline")
    return Result.fail(new StepNotFound({ id: asked, known, hint }))
  }
  // Steps come after what they need: one pass forward finds dependents, one backward needs.
  const anew = new Set<string>()
  if (from !== undefined) {
    for (const { id, needs } of steps) {
      if (matches(id, from) || needs.some((needed) => anew.has(needed))) anew.add(id)
    }
  }
  const ids = new Set<string>()
  const isAsked = (id: string): boolean =>
    (only === undefined && from === undefined) ||
    anew.has(id) ||
    (only ?? []).some((asked) => matches(id, asked))
  for (const { id, needs } of steps.toReversed()) {
    if (!isAsked(id) && !ids.has(id)) continue
    ids.add(id)
    for (const needed of needs) ids.add(needed)
  }
  return Result.succeed({ ids, anew })
}
