import { Interpreter } from "@espalier/tensor"
import { layer as wasmLayer } from "@espalier/wasm"
import { describeGolden } from "./testing/golden.ts"

describeGolden("the interpreter", Interpreter.layer, 1e-9)
describeGolden("wasm", wasmLayer({ poison: true }), 1e-4)
