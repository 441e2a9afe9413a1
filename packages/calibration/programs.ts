import type { CompileError, Device, OutOfMemory, UnsupportedDType } from "@espalier/tensor"
import { Program } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"

/**
 * Compiled programs by name, each compiled when it is first asked for. Layers of one shape share
 * theirs.
 */
export interface Programs {
  /** `key` says everything that `make` depends on. */
  readonly get: <I, O>(
    key: string,
    make: () => Program.Program<I, O>,
  ) => Effect.Effect<Program.Compiled<I, O>, CompileError | OutOfMemory | UnsupportedDType>
}

/** Programs that live as long as the current scope. */
export const makePrograms: Effect.Effect<Programs, never, Device | Scope.Scope> = Effect.gen(
  function* () {
    const services = yield* Effect.context<Device | Scope.Scope>()
    const compiled = new Map<string, unknown>()
    return {
      get: <I, O>(key: string, make: () => Program.Program<I, O>) =>
        Effect.gen(function* () {
          const known = compiled.get(key) as Program.Compiled<I, O> | undefined
          if (known !== undefined) return known
          const made = yield* Program.compile(make()).pipe(Effect.provideContext(services))
          compiled.set(key, made)
          return made
        }),
    }
  },
)
