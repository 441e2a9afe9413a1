import { Effect } from "effect"
import type { RunFolder, RunFolders } from "./run_folders.ts"
import { pipelineOf } from "./run_manifest.ts"

/** Which runs to keep. Without either all are kept; with both, those that either keeps. */
export interface RunsToKeep {
  /** The last so many of each pipeline. */
  readonly keepRuns?: number
  /** Those that are younger than so many days. */
  readonly olderThan?: number
}

/** The runs that are outside of what is to be kept, out of a list that begins with the last. */
export const chooseRunsToRemove = Effect.fnUntraced(function* (
  runs: RunFolders,
  folders: ReadonlyArray<RunFolder>,
  { keepRuns, olderThan }: RunsToKeep,
  now: number,
) {
  if (keepRuns === undefined && olderThan === undefined) return []
  const seen = new Map<string, number>()
  const chosen: Array<RunFolder> = []
  for (const folder of folders) {
    const pipeline = yield* pipelineOf(runs, folder.run)
    const place = (seen.get(pipeline) ?? 0) + 1
    seen.set(pipeline, place)
    const isLast = keepRuns !== undefined && place <= keepRuns
    if (!isLast && (olderThan === undefined || isOlder(now - folder.modified, olderThan))) {
      chosen.push(folder)
    }
  }
  return chosen
})

const day = 24 * 60 * 60 * 1000

/** Whether an age in milliseconds is as many days or more. */
export const isOlder = (age: number, days: number): boolean => age >= days * day
