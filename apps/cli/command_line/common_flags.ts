import { Flag } from "effect/cli"

/** What a run and a plan have in common. */
export const commonFlags = {
  device: Flag.Literals("device", ["auto", "wasm", "webgpu"]).pipe(
    Flag.withDescription("auto: a hardware adapter if there is one, else wasm"),
    Flag.withDefault("auto"),
  ),
  set: Flag.String("set").pipe(
    Flag.withDescription("replace a value, e.g. steps.pruned.sparsity=0.5; may be repeated"),
    Flag.atLeast(0),
  ),
  data: Flag.String("data").pipe(
    Flag.withDescription("the folder that data: stands for (default: ESPALIER_DATA)"),
    Flag.optional,
  ),
  store: Flag.String("store").pipe(
    Flag.withDescription("where results are kept (default: .espalier/ at the workspace root)"),
    Flag.optional,
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("print exactly one JSON document on standard output"),
    Flag.withDefault(false),
  ),
}

/** What only a run takes. */
export const runFlags = {
  ...commonFlags,
  out: Flag.String("out").pipe(
    Flag.withDescription("a folder that receives manifest, results and files"),
    Flag.optional,
  ),
}
