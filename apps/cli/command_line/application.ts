import {
  type DataFolderOptions,
  type DeviceUnavailable,
  loadPipeline,
  type PipelineDevice,
  type Step,
  Store,
  type StoreError,
} from "@espalier/pipeline"
import { Effect, type FileSystem, Layer, Option, type Path } from "effect"
import { join } from "node:path"
import { workspaceRoot } from "./workspace.ts"

/** What `--device` takes. */
export type DeviceChoice = "auto" | "wasm" | "webgpu"

/** The services that every step may use. */
export type Platform = FileSystem.FileSystem | Path.Path

/** What the command line is made of: its steps, and the devices they run on. */
export interface Application<R> {
  readonly steps: ReadonlyArray<Step<R>>
  /** Everything that the steps need besides files, on the device that was asked for. */
  readonly device: (
    choice: DeviceChoice,
  ) => Layer.Layer<PipelineDevice | Exclude<R, Platform>, DeviceUnavailable, Platform>
  /** The versions of the packages that results depend on. */
  readonly packages: () => Readonly<Record<string, string>>
}

/** The common flags as they were given. */
export interface CommonOptions {
  readonly device: DeviceChoice
  readonly set: ReadonlyArray<string>
  readonly data: Option.Option<string>
  readonly store: Option.Option<string>
  readonly limit: Option.Option<number>
  readonly sandbox: boolean
  readonly allow: ReadonlyArray<string>
  readonly json: boolean
}

/** Where the data folder may be, given the flag. */
export const dataFolderOptions = (flag: Option.Option<string>): DataFolderOptions => ({
  flag: Option.getOrUndefined(flag),
  environment: process.env.ESPALIER_DATA,
  workspace: workspaceRoot(process.cwd()),
})

/** Reads and checks a pipeline as the flags say. */
export const loadWithFlags = <R>(
  application: Application<R>,
  file: string,
  options: CommonOptions,
) =>
  Effect.suspend(() =>
    loadPipeline(file, {
      steps: application.steps,
      set: options.set,
      data: dataFolderOptions(options.data),
      ...(Option.isSome(options.limit) ? { limit: options.limit.value } : {}),
      ...(options.sandbox ? { sandbox: options.allow } : {}),
    }),
  )

/** The store that a flag names, else the one of the workspace. */
export const storeLayer = (flag: Option.Option<string>) =>
  Layer.suspend(() =>
    Store.layer(Option.getOrElse(flag, () => join(workspaceRoot(process.cwd()), ".espalier"))),
  )

/** Provides the store and the device as the flags say, and with the device all that the steps need. */
export const provideWithFlags =
  <R>(application: Application<R>, options: Pick<CommonOptions, "device" | "store">) =>
  <A, E>(
    effect: Effect.Effect<A, E, R | Store | PipelineDevice | Platform>,
  ): Effect.Effect<A, E | StoreError | DeviceUnavailable, Platform> => {
    const layers = Layer.merge(storeLayer(options.store), application.device(options.device))
    const provided = Effect.provide(effect, layers)
    // R is the device's and the platform's part together, which TypeScript cannot see of a parameter.
    return provided as Effect.Effect<A, E | StoreError | DeviceUnavailable, Platform>
  }
