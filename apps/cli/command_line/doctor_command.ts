import { findDataFolder, PipelineDevice } from "@espalier/pipeline"
import { Effect, Exit, Layer, Option } from "effect"
import { Command } from "effect/cli"
import { mkdir, statfs, writeFile, rm } from "node:fs/promises"
import { totalmem } from "node:os"
import { join } from "node:path"
import {
  type Application,
  dataFolderOptions,
  type DeviceChoice,
  storeFolder,
} from "./application.ts"
import { commonFlags } from "./common_flags.ts"
import { remoteAddress, remoteFlag, sharedStore } from "./remote_flag.ts"
import { formatTable } from "./table.ts"
import { writeOut } from "./terminal.ts"

/** One thing that was looked at. */
interface Finding {
  readonly what: string
  readonly state: "fine" | "missing" | "wrong"
  readonly detail: string
}

const gibibyte = 2 ** 30
const oldestNode = [22, 19] as const

const checkNode = (): Finding => {
  const [major, minor] = process.versions.node.split(".").map(Number)
  const isNew = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])
  const detail = `${process.version} on ${process.platform}-${process.arch}`
  return isNew
    ? { what: "Node", state: "fine", detail }
    : {
        what: "Node",
        state: "wrong",
        detail: `${detail}; ${oldestNode.join(".")} or later is needed`,
      }
}

const checkMemory = (): Finding => ({
  what: "memory",
  state: "fine",
  detail: `${(totalmem() / gibibyte).toFixed(1)} GiB`,
})

const checkStore = (folder: string) =>
  Effect.promise(async (): Promise<Finding> => {
    const probe = join(folder, `.probe-${process.pid}`)
    try {
      await mkdir(folder, { recursive: true })
      await writeFile(probe, "")
      await rm(probe)
      const { bavail, bsize } = await statfs(folder)
      const free = (bavail * bsize) / gibibyte
      const detail = `${folder}, ${free.toFixed(1)} GiB free`
      return { what: "store", state: free < 1 ? "wrong" : "fine", detail }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return { what: "store", state: "wrong", detail: `${folder} cannot be written: ${why}` }
    }
  })

const checkDevice = <R>(application: Application<R>, choice: DeviceChoice) =>
  Effect.gen(function* () {
    const { adapter, software } = yield* PipelineDevice
    return { adapter, software }
  }).pipe(
    Effect.provide(application.device(choice)),
    Effect.exit,
    Effect.map((exit): Finding => {
      if (Exit.isSuccess(exit)) {
        const { adapter, software } = exit.value
        const slow = choice === "webgpu" && software ? "; software: slower than wasm" : ""
        return { what: choice, state: "fine", detail: `${adapter}${slow}` }
      }
      const failure = Option.getOrUndefined(Exit.findErrorOption(exit))
      const detail =
        failure === undefined ? "it did not start" : `${failure.message}. ${failure.hint}`
      return { what: choice, state: choice === "wasm" ? "wrong" : "missing", detail }
    }),
  )

const checkData = (flag: Option.Option<string>) =>
  Effect.map(findDataFolder(dataFolderOptions(flag)), (found): Finding =>
    Option.isNone(found.path)
      ? {
          what: "data folder",
          state: "missing",
          detail: `data: in pipelines stands for nothing; looked for ${found.lookedFor.join("; ")}`,
        }
      : { what: "data folder", state: "fine", detail: found.path.value },
  )

/** Whether results can be shared, and through what, where that is asked for. */
const checkRemote = Effect.fnUntraced(function* (folder: string, flag: Option.Option<string>) {
  const address = remoteAddress(flag)
  if (Option.isNone(address)) return []
  const opened = Effect.asVoid(Effect.scoped(Layer.build(sharedStore(folder, flag, false))))
  return [
    yield* Effect.match(opened, {
      onSuccess: (): Finding => ({ what: "remote", state: "fine", detail: address.value }),
      onFailure: ({ message, hint }): Finding => ({
        what: "remote",
        state: "wrong",
        detail: `${message}. ${hint}`,
      }),
    }),
  ]
})

/** `espalier doctor`. */
export const makeDoctorCommand = <R>(application: Application<R>) =>
  Command.make(
    "doctor",
    {
      data: commonFlags.data,
      store: commonFlags.store,
      remote: remoteFlag,
      json: commonFlags.json,
    },
    Effect.fnUntraced(function* ({ data, store, remote, json }) {
      const folder = storeFolder(store)
      const findings: ReadonlyArray<Finding> = [
        checkNode(),
        checkMemory(),
        yield* checkStore(folder),
        ...(yield* checkRemote(folder, remote)),
        yield* checkDevice(application, "wasm"),
        yield* checkDevice(application, "webgpu"),
        yield* checkData(data),
      ]
      if (json) return yield* writeOut(`${JSON.stringify(findings, null, 2)}\n`)
      const rows = findings.map(({ what, state, detail }) => [
        what,
        state,
        detail.replaceAll("\n", " "),
      ])
      yield* writeOut(`${formatTable([["what", "state", ""], ...rows])}\n`)
    }),
  ).pipe(
    Command.withDescription(
      "Look at Node, devices, store and data folder, and say what is missing",
    ),
  )
