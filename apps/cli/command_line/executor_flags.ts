import { Config, Effect, type FileSystem, Option, type Path, Redacted, Schema } from "effect"
import { Flag } from "effect/cli"

/** The address of the database that runs and workers share; its variable keeps the password out of lists of processes. */
export const databaseFlag = Flag.Redacted("database").pipe(
  Flag.withDescription("the PostgreSQL of the cluster: postgres://… (default: ESPALIER_DATABASE)"),
  Flag.optional,
)

/** Where steps are done. */
export const executorFlags = {
  executor: Flag.Literals("executor", ["local", "cluster"]).pipe(
    Flag.withDescription("local: here; cluster: on the workers at --database"),
    Flag.withDefault("local"),
  ),
  database: databaseFlag,
}

/** The flags as they were given. */
export interface ExecutorOptions {
  readonly executor: "local" | "cluster"
  readonly database: Option.Option<Redacted.Redacted>
}

/** A cluster was asked for and no database was named. */
export class DatabaseMissing extends Schema.TaggedError<DatabaseMissing>()("DatabaseMissing", {
  hint: Schema.String,
}) {
  override get message(): string {
    return "a cluster needs the address of its database"
  }
}

/** The address that the flag gives, else the environment. */
export const databaseUrl = Effect.fnUntraced(function* (flag: Option.Option<Redacted.Redacted>) {
  if (Option.isSome(flag)) return flag.value
  const variable = yield* Effect.orDie(Config.option(Config.Redacted("ESPALIER_DATABASE")))
  if (Option.isSome(variable) && Redacted.value(variable.value) !== "") return variable.value
  const hint = "give --database postgres://USER@HOST/NAME, or set ESPALIER_DATABASE"
  return yield* new DatabaseMissing({ hint })
})

/** Provides the executor that is asked for. The cluster's code is loaded where it is needed only. */
export const provideExecutor =
  ({ executor, database }: ExecutorOptions) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      if (executor === "local") return yield* effect
      const url = yield* databaseUrl(database)
      const { clusterExecutor } = yield* Effect.promise(() => import("@espalier/cluster"))
      return yield* Effect.provide(effect, clusterExecutor({ database: url }))
    }) satisfies Effect.Effect<A, unknown, R | FileSystem.FileSystem | Path.Path>
