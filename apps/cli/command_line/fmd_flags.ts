import { Flag } from "effect/cli"

export const brokenFlag = Flag.Boolean("skip-broken").pipe(
  Flag.withDescription(
    "leave lines out that cannot be read, and say which, instead of ending there",
  ),
  Flag.withDefault(false),
)

export const dataFlag = Flag.String("data").pipe(
  Flag.withDescription("the folder that data: stands for (default: ESPALIER_DATA)"),
  Flag.optional,
)

export const jsonFlag = Flag.Boolean("json").pipe(
  Flag.withDescription("print exactly one JSON document on standard output"),
  Flag.withDefault(false),
)

export const deviceFlag = Flag.Literals("device", ["auto", "wasm", "webgpu"]).pipe(
  Flag.withDescription("auto: a hardware adapter if there is one, else wasm"),
  Flag.withDefault("auto"),
)
