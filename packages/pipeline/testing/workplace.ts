import { Effect, FileSystem, Layer, Path } from "effect"
import {
  loadPipeline,
  planPipeline,
  type Remote,
  runPipeline,
  type RunOptions,
  Store,
} from "../mod.ts"
import { testDevice } from "./device.ts"
import { steps } from "./steps.ts"

/** The same with a remote behind the store. */
export const makeWorkplaceWith = Effect.fnUntraced(function* (remote?: Remote) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "espalier-" })
  const at = (...parts: ReadonlyArray<string>) => path.join(folder, ...parts)
  // What the store keeps is read-only: it can be replaced, and not written again.
  const write = (name: string, text: string) =>
    Effect.andThen(
      fileSystem.remove(at(name), { force: true }),
      fileSystem.writeFileString(at(name), text),
    )
  const load = (text: string, set: ReadonlyArray<string> = []) =>
    Effect.andThen(
      write("pipeline.yaml", text),
      Effect.suspend(() => loadPipeline(at("pipeline.yaml"), { steps, set })),
    )
  const layer = (fingerprint?: string, onlyLook = false) => {
    const store =
      remote === undefined
        ? Store.layer(at("store"))
        : Store.layerWithRemote(at("store"), { remote, onlyLook })
    return Layer.mergeAll(Layer.orDie(store), testDevice(fingerprint))
  }
  const run = (
    text: string,
    options: Partial<RunOptions> & { set?: ReadonlyArray<string>; device?: string } = {},
  ) =>
    Effect.flatMap(load(text, options.set), (pipeline) =>
      runPipeline(pipeline, { packages: {}, ...options }),
    ).pipe(Effect.provide(layer(options.device)))
  const plan = (
    text: string,
    options: {
      set?: ReadonlyArray<string>
      device?: string
      packages?: Record<string, string>
    } = {},
  ) =>
    Effect.flatMap(load(text, options.set), (pipeline) =>
      planPipeline(pipeline, { packages: options.packages ?? {} }),
    ).pipe(Effect.provide(layer(options.device, true)))
  /** Every file below a folder of the store. */
  const stored = (kind: string) =>
    fileSystem.readDirectory(at("store", kind), { recursive: true }).pipe(
      Effect.flatMap(
        Effect.filter((name) =>
          Effect.map(fileSystem.stat(at("store", kind, name)), (info) => info.type === "File"),
        ),
      ),
      Effect.orElseSucceed(() => []),
    )
  return { folder, at, write, load, run, plan, stored, fileSystem, layer }
})

/** A temporary folder with a store, and short ways to run pipeline texts in it. */
export const makeWorkplace = makeWorkplaceWith()

/** The statuses of a record by step. */
export const statuses = (record: {
  readonly steps: Readonly<Record<string, { readonly status: string }>>
}) => Object.fromEntries(Object.entries(record.steps).map(([id, step]) => [id, step.status]))
