import type { ProgressUpdate } from "@espalier/runtime"
import type { Cause } from "effect"
import type { RunRecord, StepRecord } from "./run_record.ts"

/** What a run tells while it goes. */
export type RunEvent =
  | {
      readonly _tag: "RunStarted"
      readonly run: string
      readonly name: string
      readonly steps: number
    }
  /** What a person should know of the run as a whole. */
  | { readonly _tag: "RunNotice"; readonly message: string }
  | {
      readonly _tag: "StepStarted"
      readonly id: string
      readonly use: string
      /** Counted from 1. */
      readonly index: number
      readonly steps: number
      /** Why it is not taken from the cache. */
      readonly reasons: ReadonlyArray<string>
    }
  | { readonly _tag: "StepProgress"; readonly id: string; readonly update: ProgressUpdate }
  | { readonly _tag: "StepNotice"; readonly id: string; readonly message: string }
  | {
      readonly _tag: "StepFinished"
      readonly id: string
      readonly index: number
      readonly steps: number
      readonly record: StepRecord
      /** The whole cause where the step failed, for whoever looks for a bug. */
      readonly cause: Cause.Cause<unknown> | undefined
    }
  | {
      readonly _tag: "RunFinished"
      readonly record: RunRecord
      /** Where `manifest.json` and `results.json` lie. */
      readonly folder: string
    }
