import {
  type DataFolderOptions,
  type DeviceUnavailable,
  loadPipeline,
  type PipelineDevice,
  type RemoteError,
  type Step,
  Store,
  type StoreError,
} from "@espalier/pipeline"
import { Effect, type FileSystem, Layer, Option, type Path } from "effect"
import { join } from "node:path"
import { sharedStore } from "./remote_flag.ts"
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
  readonly remote: Option.Option<string>
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

/** The folder that a flag names, else the one of the workspace. */
export const storeFolder = (flag: Option.Option<string>): string =>
  Option.getOrElse(flag, () => join(workspaceRoot(process.cwd()), ".espalier"))

/** The store in that folder, by itself. */
export const storeLayer = (flag: Option.Option<string>) =>
  Layer.suspend(() => Store.layer(storeFolder(flag)))

/** What the store and the device are, as the flags say. */
interface ProvidedOptions extends Pick<CommonOptions, "device" | "store" | "remote"> {
  /** Whether nothing is sent to a remote or fetched from there. */
  readonly onlyLook?: boolean
}

/** Provides the store and the device as the flags say, and with the device all that the steps need. */
export const provideWithFlags =
  <R>(application: Application<R>, options: ProvidedOptions) =>
  <A, E>(
    effect: Effect.Effect<A, E, R | Store | PipelineDevice | Platform>,
  ): Effect.Effect<A, E | StoreError | RemoteError | DeviceUnavailable, Platform> => {
    const { remote, onlyLook = false } = options
    const store = Layer.suspend(() => sharedStore(storeFolder(options.store), remote, onlyLook))
    const layers = Layer.merge(store, application.device(options.device))
    const provided = Effect.provide(effect, layers)
    // R is the device's and the platform's part together, which TypeScript cannot see of a parameter.
    return provided as Effect.Effect<A, E | StoreError | RemoteError | DeviceUnavailable, Platform>
  }
