import type * as Jax from "@jax-js/jax"
import type { Device } from "@espalier/tensor"
import type * as Tfjs from "@tensorflow/tfjs"
import type { Effect, Scope } from "effect"
import type { Given, Subject } from "./protocol.ts"
import type { Target } from "./targets.ts"

/** A case in the hands of our own engine: effects that want a device. */
export interface OwnSubject {
  readonly values: Effect.Effect<ArrayLike<number>, unknown, Device | Scope.Scope>
  readonly once: Effect.Effect<void, unknown, Device | Scope.Scope>
}

/** Inputs of an ONNX graph by name, and the graph. */
export interface OnnxModel {
  readonly bytes: Uint8Array
  readonly feeds: Readonly<
    Record<string, { readonly shape: ReadonlyArray<number>; readonly data: Float32Array }>
  >
}

/** How each engine does a case. What is missing does not take part. */
export interface Implementations {
  readonly ours: Effect.Effect<OwnSubject, unknown, Device | Scope.Scope>
  /** The same in our engine without what the case is about: what that brings. */
  readonly plain?: Effect.Effect<OwnSubject, unknown, Device | Scope.Scope>
  readonly tfjs?: (tf: typeof Tfjs) => Promise<Subject> | Subject
  readonly jax?: (jax: typeof Jax) => Promise<Subject> | Subject
  readonly onnxruntime?: () => OnnxModel
  /** `kind` names a function of `python/contestant.py`. */
  readonly torch?: Given & { readonly kind: string }
  /** For the one case that llama2.c knows. */
  readonly llama2c?: Given
}

/** What an iteration does, so that its time can be said as a rate. */
export interface Work {
  readonly amount: number
  readonly unit: "GFLOP" | "GB" | "token"
}

/** One row of the table: what is computed, by whom, how it is checked, and what it has to reach. */
export interface Case {
  readonly name: string
  readonly title: string
  /** Iterations are told as times alone where there is none. */
  readonly work?: Work
  /** How far a result may be from the reference; see `disagreement`. */
  readonly tolerance: number
  /** The result in `f64`. */
  readonly reference: () => Promise<ArrayLike<number>> | ArrayLike<number>
  readonly implementations: Implementations
  readonly targets: ReadonlyArray<Target>
  /** The first iteration of a process is what counts: a process for each round. */
  readonly cold?: boolean
  /** Threads are of no use here: only one of ours takes part. */
  readonly singleThread?: boolean
  /** Also run with every kernel replaced by an empty function: what is left is the host's work. */
  readonly hostOverhead?: boolean
}

/** `full` is what the targets are about; `quick` shows in seconds that everything works. */
export type Scale = "full" | "quick"
