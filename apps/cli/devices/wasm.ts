import { layer } from "@espalier/wasm"

/** The CPU, and the module whose code decides what it computes. */
export const wasmDevice = { module: import.meta.url, layer: layer() }
