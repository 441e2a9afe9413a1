import { canonicalJson, sha256, toJson } from "@espalier/pipeline"
import { Checkpoint, Notices } from "@espalier/runtime"
import {
  type Agent,
  type AgentRun,
  Broker,
  challengeWindows,
  type ChallengeAsset,
  countActions,
  countMemories,
  type DatedDecision,
  embeddedAgent,
  languageModelAgent,
  profileOf,
  runAgent,
} from "@espalier/trading"
import { hashedEmbeddings } from "@espalier/llm"
import { Effect, FileSystem, Option, Path } from "effect"
import { Flag } from "effect/cli"
import { languageModelFlags, languageModelLayer, tellFailures } from "../language_models/mod.ts"
import { hashFile } from "../trading/file_hash.ts"
import { locatePrices, readMarket, tellWindow } from "../trading/read_market.ts"
import {
  countInvented,
  readRunFile,
  type TradeRun,
  TradeRunUnusable,
  writeRunFile,
} from "../trading/run_file.ts"
import { tellWork } from "./tell_work.ts"
import { brokerFlags, brokerOptions, marketFlags } from "./trade_flags.ts"
import { withCheckpoints } from "./with_checkpoints.ts"

/** What names an asset and its folder. */
export const assetFlags = {
  asset: Flag.String("asset").pipe(
    Flag.withDescription("btc or eth: the windows of the challenge; others need --from and --to"),
  ),
  prices: Flag.String("prices").pipe(
    Flag.withDescription("prices and news (default: data:crypto/ASSET.json)"),
    Flag.optional,
  ),
  folder: Flag.String("folder").pipe(
    Flag.withDescription(
      "what is learnt and decided (default: trade-ASSET, in the current folder)",
    ),
    Flag.optional,
  ),
}

/** What the two phases of a run take. */
export const phaseFlags = {
  ...assetFlags,
  from: Flag.String("from").pipe(
    Flag.withDescription("the first day (default: the challenge's)"),
    Flag.optional,
  ),
  to: Flag.String("to").pipe(
    Flag.withDescription("the last day, included (default: the challenge's)"),
    Flag.optional,
  ),
  ...languageModelFlags,
  ...brokerFlags,
  ...marketFlags,
}

/** The flags of {@link phaseFlags} as they were given. */
export type PhaseOptions = Parameters<typeof languageModelLayer>[0] &
  Parameters<typeof brokerOptions>[0] & {
    readonly asset: string
    readonly prices: Option.Option<string>
    readonly folder: Option.Option<string>
    readonly from: Option.Option<string>
    readonly to: Option.Option<string>
    readonly futureNews: "refuse" | "drop"
    readonly data: Option.Option<string>
    readonly json: boolean
  }

const isChallengeAsset = (asset: string): asset is ChallengeAsset => asset in challengeWindows

/** The folder of an asset's run. */
export const folderOf = Effect.fnUntraced(function* ({
  asset,
  folder,
}: Pick<PhaseOptions, "asset" | "folder">) {
  const path = yield* Path.Path
  const name = `trade-${asset.toLowerCase().replaceAll(/[^\w-]/g, "-")}`
  return path.resolve(Option.getOrElse(folder, () => name))
})

/** The price file of an asset. */
export const pricesOf = ({
  asset,
  prices,
  data,
}: Pick<PhaseOptions, "asset" | "prices" | "data">) =>
  locatePrices(
    Option.getOrElse(prices, () => `data:crypto/${asset.toLowerCase()}.json`),
    data,
  )

/** What decides how a language model answers: an interrupted run is taken up by the same one only. */
const modelOf = (options: PhaseOptions) => {
  const { provider, model, baseUrl, temperature, topP, maxTokens, samplingSeed } = options
  const chosen = { provider, model, baseUrl, temperature, topP, maxTokens, samplingSeed }
  const given = Object.entries(chosen).flatMap(([name, value]) =>
    Option.isSome<string | number>(value) ? [[name, value.value]] : [],
  )
  return Option.isNone(provider) ? null : canonicalJson(toJson(Object.fromEntries(given)))
}

const defaultWindow = (asset: string, phase: "warm-up" | "test") => {
  const key = asset.toLowerCase()
  if (!isChallengeAsset(key)) return undefined
  return challengeWindows[key][phase === "test" ? "test" : "warmUp"]
}

/** Runs one phase of an agent in a folder, from where it was stopped; gives the finished run. */
export const runPhase = Effect.fnUntraced(function* (
  phase: "warm-up" | "test",
  options: PhaseOptions,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { asset } = options
  const folder = yield* folderOf(options)
  const file = path.join(folder, `${phase}.json`)
  const partial = path.join(folder, `${phase}.partial`)
  const earlier = yield* existingRun(file)
  if (earlier?.complete === true) {
    return yield* new TradeRunUnusable({
      path: file,
      detail: `the ${phase} is done`,
      hint: `remove the file to repeat it, or choose another --folder`,
    })
  }
  const pricesFile = yield* pricesOf(options)
  const usual = defaultWindow(asset, phase)
  const { futureNews } = options
  const from = Option.getOrElse(options.from, () => usual?.from ?? "")
  const to = Option.getOrElse(options.to, () => usual?.to ?? "9999-12-31")
  const { market, first, last } = yield* readMarket(pricesFile, {
    futureNews,
    newsFrom: from,
    newsTo: to,
  })
  const window = {
    from: from === "" ? first : from,
    to: Option.isNone(options.to) && usual === undefined ? last : to,
  }
  const rules = brokerOptions(options)
  const { dates, cut } = yield* Effect.fromResult(Broker.open(market, window, rules))
  yield* tellWindow(dates, window, cut)

  const profile = profileOf(asset)
  const model = modelOf(options)
  const agentName = model === null ? "default" : "llm"
  const prices = yield* hashFile(pricesFile)
  const learnt = phase === "test" ? yield* learntIn(path.join(folder, "warm-up.json")) : undefined
  if (learnt !== undefined && learnt.agent !== agentName) {
    return yield* new TradeRunUnusable({
      path: path.join(folder, "warm-up.json"),
      detail: `the warm-up is of the agent ${learnt.agent}, not of ${agentName}`,
      hint: "give the same --provider as for the warm-up, or choose another --folder",
    })
  }
  if (learnt !== undefined && learnt.to >= window.from) {
    return yield* new TradeRunUnusable({
      path: path.join(folder, "warm-up.json"),
      detail: `the warm-up goes on to ${learnt.to}, and the test begins on ${window.from}: it would know what it is tested on`,
      hint: "begin the test after the warm-up",
    })
  }
  const state = learnt === undefined ? {} : { state: learnt.state }
  const job = sha256(
    canonicalJson(
      toJson({
        phase,
        asset,
        model,
        window,
        rules,
        prices,
        futureNews,
        state: learnt?.state ?? null,
      }),
    ),
  )
  const told = {
    phase,
    agent: agentName,
    model,
    asset,
    prices,
    ...window,
    broker: rules,
    days: dates.length,
  } as const

  const work = Effect.gen(function* () {
    const run = <E, R>(agent: Agent<E, R>) =>
      runAgent(agent, market, window, { ...rules, ...state, phase, checkpoint: "run" }).pipe(
        // What is done so far stays where people look for it, whatever stopped the run.
        Effect.tapError(() =>
          Effect.flatMap(Checkpoint.load("run"), (files) => {
            if (Option.isNone(files)) return Effect.void
            const done = partialRun(files.value["run.json"])
            const { length } = done.decisions
            return Effect.andThen(
              writeRunFile(file, { ...told, ...done, complete: false }),
              Notices.report(
                `${length} of ${dates.length} days are kept in ${file}; the same command goes on after them`,
              ),
            )
          }),
        ),
      )
    return model === null
      ? yield* run(embeddedAgent({ profile }))
      : yield* Effect.provide(run(languageModelAgent({ profile })), languageModelLayer(options))
  })
  const run: AgentRun = yield* work.pipe(
    tellWork(`trade ${phase}`),
    withCheckpoints(partial, job),
    Effect.provide(hashedEmbeddings({ dimensions: 256 })),
    tellFailures,
  )
  const { decisions, state: after } = run
  yield* writeRunFile(file, { ...told, decisions, state: after, complete: true })
  yield* Effect.ignore(fileSystem.remove(partial, { recursive: true, force: true }))
  const document = {
    ...told,
    file,
    actions: countActions(decisions),
    inventedMemories: countInvented(decisions),
    memories: countMemories(after) ?? null,
  }
  return { market, window, rules, run, document }
})

/** A run's file, or none. */
const existingRun = (file: string) =>
  readRunFile(file, "").pipe(
    Effect.catchTag("TradeRunMissing", () => Effect.succeed<TradeRun | undefined>(undefined)),
  )

/** What the warm-up in a folder has learnt; none where there was none. */
const learntIn = Effect.fnUntraced(function* (file: string) {
  const run = yield* existingRun(file)
  if (run === undefined) {
    yield* Notices.report(`there is no warm-up in ${file}: the memory is empty at first`)
    return undefined
  }
  if (run.complete) return run
  return yield* new TradeRunUnusable({
    path: file,
    detail: "the warm-up is not done",
    hint: "run espalier trade warm-up again: it goes on where it was stopped",
  })
})

/** What a checkpoint holds. */
const partialRun = (bytes: Uint8Array): Pick<TradeRun, "decisions" | "state"> => {
  const read: unknown = JSON.parse(new TextDecoder().decode(bytes))
  // Only runAgent writes under that name.
  const { decisions, state } = read as { decisions: ReadonlyArray<DatedDecision>; state: unknown }
  return { decisions, state }
}
