// The command line over steps made for its tests.
import { DeviceUnavailable, PipelineDevice } from "@espalier/pipeline"
import { Layer } from "effect"
import { makeCli } from "../command_line/cli.ts"
import { runMain } from "../command_line/run_main.ts"
import { textLoad } from "../steps/text.ts"
import { bug, count, spoil } from "./cli_steps.ts"

runMain(
  makeCli({
    steps: [textLoad, count, spoil, bug],
    packages: () => ({ test: "1" }),
    device: (choice) =>
      choice === "webgpu"
        ? Layer.unwrap(
            new DeviceUnavailable({
              device: "webgpu",
              detail: "no adapter was found",
              hint: "use --device wasm",
            }),
          )
        : Layer.succeed(PipelineDevice, {
            kind: "wasm",
            adapter: "none",
            software: true,
            dispatches: () => 0,
            fingerprint: "wasm",
          }),
  }),
)
