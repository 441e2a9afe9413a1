import type { Fingerprint } from "./fingerprint.ts"

/**
 * What the bench and a contestant's process say to each other: one JSON object a line, each request
 * answered by one reply. `python/contestant.py` and `native/llama2c_contestant.c` speak it too.
 */
export type Request =
  | {
      readonly say: "prepare"
      readonly name: string
      readonly quick: boolean
      /** Whether the result of the case is wanted; without it nothing of the case is run yet. */
      readonly check: boolean
      /** What contestants that do not read the case's own file need to know. */
      readonly given: Given
    }
  | { readonly say: "time"; readonly iterations: number }
  | { readonly say: "memory" }

/** A case as plain data. */
export type Given = Readonly<Record<string, unknown>>

export type Reply =
  | { readonly say: "prepared"; readonly versions: string; readonly result?: Fingerprint }
  | { readonly say: "timed"; readonly nanoseconds: number }
  | { readonly say: "memory"; readonly peakBytes: number }
  /** This contestant cannot take part, and why. */
  | { readonly say: "absent"; readonly why: string }
  | { readonly say: "failed"; readonly why: string }

/** One case in the hands of one engine, inputs in place. */
export interface Subject {
  /** The result that is checked. Asked for at most once, before `iterate`. */
  readonly values: () => Promise<ArrayLike<number>>
  /** What is timed: returns when all the work is done. */
  readonly iterate: (count: number) => Promise<void>
}

/** Thrown by a contestant that cannot take part here. */
export class Absent extends Error {}
