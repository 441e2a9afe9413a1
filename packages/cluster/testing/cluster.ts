import { NodeServices } from "@effect/platform-node"
import { loadPipeline, runPipeline, type RunEvent, type RunOptions } from "@espalier/pipeline"
import { startPostgres } from "@espalier/postgres"
import { Effect, Layer, Redacted } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { clusterExecutor } from "../mod.ts"
import { steps, testDevice } from "./steps.ts"
import { testStore } from "./store.ts"

const main = fileURLToPath(new URL("worker.ts", import.meta.url))

/** What a worker told, and when. */
export interface Told {
  readonly at: number
  readonly event: { readonly _tag: string; readonly [key: string]: unknown }
}

/** A worker process of the test. */
export interface TestWorker {
  readonly child: ChildProcess
  readonly told: ReadonlyArray<Told>
  readonly errors: () => string
  /** Waits for something that it tells. */
  readonly until: (isIt: (told: Told) => boolean) => Promise<Told>
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>
}

/** What a worker of a test is to be. */
interface WorkerSettings {
  readonly fingerprint?: string
  readonly store?: string
  readonly concurrency?: number
  readonly remote?: string
}

const startWorker = (
  url: string,
  log: string,
  { store, fingerprint, concurrency, remote }: Required<WorkerSettings>,
): TestWorker => {
  const child = spawn(
    process.execPath,
    ["--conditions=@espalier/source", main, `${concurrency}`, store, fingerprint, remote],
    { env: { ...process.env, ESPALIER_DATABASE: url, ESPALIER_TEST_LOG: log } },
  )
  const told: Array<Told> = []
  let errors = ""
  let rest = ""
  const listeners = new Set<() => void>()
  const wake = () => listeners.forEach((listener) => listener())
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()))
  child.stdout.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      const space = line.indexOf(" ")
      told.push({ at: Number(line.slice(0, space)), event: JSON.parse(line.slice(space + 1)) })
    }
    wake()
  })
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()))
  return {
    child,
    told,
    errors: () => errors,
    until: (isIt) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = told.find(isIt)
          if (found === undefined) return
          listeners.delete(look)
          resolve(found)
        }
        listeners.add(look)
        child.once("close", () => reject(new Error(`a worker ended: ${errors}`)))
        look()
      }),
    kill: async (signal = "SIGKILL") => {
      child.kill(signal)
      await gone
    },
  }
}

/** A PostgreSQL, a folder with stores, and ways to start workers and runs. */
export const makeCluster = async () => {
  const postgres = await startPostgres()
  const folder = mkdtempSync(join(tmpdir(), "espalier-cluster-"))
  const at = (...parts: ReadonlyArray<string>) => join(folder, ...parts)
  const workers: Array<TestWorker> = []
  const write = (name: string, text: string) => {
    mkdirSync(dirname(at(name)), { recursive: true })
    writeFileSync(at(name), text)
  }

  const run = (
    text: string,
    options: Partial<RunOptions> & {
      readonly where: "here" | "cluster"
      readonly store?: string
      readonly remote?: string
      readonly events?: Array<RunEvent>
      readonly url?: string
      readonly signal?: AbortSignal
      readonly patience?: number
    },
  ) => {
    const {
      where,
      store = "store",
      remote,
      events,
      url = postgres.url,
      signal,
      patience,
      ...others
    } = options
    write("pipeline.yaml", text)
    const executor =
      where === "here"
        ? Layer.empty
        : clusterExecutor({
            database: Redacted.make(url),
            ...(patience === undefined ? {} : { patience }),
          })
    return Effect.gen(function* () {
      const pipeline = yield* loadPipeline(at("pipeline.yaml"), { steps })
      return yield* runPipeline(pipeline, {
        packages: {},
        jobs: 3,
        onEvent: (event) => Effect.sync(() => events?.push(event)),
        ...others,
      })
    }).pipe(
      Effect.provide(Layer.mergeAll(executor, testStore(at(store), remote), testDevice())),
      Effect.provide(NodeServices.layer),
      (effect) => Effect.runPromise(effect, signal === undefined ? {} : { signal }),
    )
  }

  /** Every file below a folder of a store, and what is in it. */
  const stored = (store: string, kind: string): Readonly<Record<string, string>> =>
    Object.fromEntries(
      readdirSync(at(store, kind), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .map((file) => [relative(at(store, kind), file), readFileSync(file, "utf8")] as const),
    )

  /** Steps begun so far: when, by which worker, in which process, and which. */
  const begun = () =>
    (existsSync(at("log")) ? readFileSync(at("log"), "utf8") : "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [time, worker, child, id] = line.split(" ")
        return { at: Number(time), worker: Number(worker), process: Number(child), id }
      })

  return {
    at,
    write,
    run,
    stored,
    postgres,
    begun,
    /** Waits for a step to begin, or for what it notes down on its way. */
    untilBegun: async (id: string) => {
      for (;;) {
        const found = begun().find((line) => line.id === id)
        if (found !== undefined) return found
        await sleep(20)
      }
    },
    /** Lets steps go on that wait at a gate, or will come there. */
    open: (gate: string) => writeFileSync(`${at("log")}-${gate}`, ""),
    startWorker: async (settings: WorkerSettings = {}) => {
      const { fingerprint = "test", store = "store", concurrency = 1, remote = "" } = settings
      const all = { fingerprint, store: at(store), concurrency, remote }
      const worker = startWorker(postgres.url, at("log"), all)
      workers.push(worker)
      await worker.until(({ event }) => event._tag === "Ready")
      return worker
    },
    remove: async () => {
      await Promise.all(workers.map((worker) => worker.kill()))
      postgres.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
